//! The daemon: loads, attaches, decides, acts, reports, until it is told to end.
//!
//! ```text
//! boards ──events──▶ loop ──writes──▶ core ◀──reads── hands ──▶ node
//!    ▲                                  │               │
//!    └───────────── outgoing ◀──────────┘ ◀── pulse ◀───┘ receipts by the journal
//! ```
//! Three tasks share the core (a lock that is never held over a wait): the loop takes in what
//! boards and people say, the hands ask the rule and touch the node, the pulse looks at the node
//! and gives the sign of life.

mod answers;
mod core;
mod hands;
mod hear;
mod holds;
mod judge;
mod notify;
mod pulse;
mod refusals;
pub(crate) mod report;
mod setup;
mod speak;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::core::Shared;
use self::hands::Hands;
use crate::boards::BoardEvent;
use crate::config::Paths;
use crate::control::server::{self, Asked};

pub use self::setup::StartError;

/// Events that wait for the loop before a board's task does.
const QUEUE: usize = 64;

/// A drain that takes longer is given up: the journal has everything, the next start goes on.
/// The Engine is given 60 s to stop a node, and some more.
const DRAIN: Duration = Duration::from_secs(75);

/// The policy file is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// What has expired meanwhile is looked for this often; it checks every signature again.
const AGE: Duration = Duration::from_secs(30);

/// Runs until SIGTERM or SIGINT, and ends when the effect in hand is finished.
///
/// # Errors
/// [`StartError`]: nothing was begun then.
pub async fn run(paths: &Paths) -> Result<(), StartError> {
    let (events, heard) = mpsc::channel(QUEUE);
    let (asked, questions) = mpsc::channel(QUEUE);
    let (drain, draining) = watch::channel(false);
    let ready = setup::start(paths)?;
    crate::boards::start(&ready.boards, &ready.attach(events));
    tokio::spawn(server::serve(ready.socket, asked));
    let hands = Hands::new(ready.core.clone(), ready.runner.clone(), draining);
    let hands = tokio::spawn(hands.run());
    let tell = ready.core.lock().tell.clone();
    tokio::spawn(pulse::run(ready.core.clone(), ready.runner, tell));
    notify::ready(&ready.core.lock().me.node);
    attend(ready.core, heard, questions, ready.receipts, drain, hands).await;
    notify::stopping();
    tracing::info!("ended");
    Ok(())
}

/// The loop: one event at a time, each taken in whole.
async fn attend(
    core: Shared,
    mut heard: mpsc::Receiver<BoardEvent>,
    mut questions: mpsc::Receiver<Asked>,
    mut receipts: watch::Receiver<u64>,
    drain: watch::Sender<bool>,
    mut hands: JoinHandle<()>,
) {
    let (mut look, mut age) = (interval(LOOK), interval(AGE));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    age.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut signals = notify::Signals::new();
    loop {
        tokio::select! {
            Some(event) = heard.recv() => core.lock().hear(event),
            Some(asked) = questions.recv() => {
                let reply = core.lock().answer(asked.question, &asked.who);
                // Whoever asked may have left.
                let _ = asked.reply.send(reply);
            }
            Ok(()) = receipts.changed() => {
                let head = *receipts.borrow_and_update();
                core.lock().wrote(head);
            }
            _ = look.tick() => {
                notify::alive();
                core.lock().look_at_policy();
            }
            _ = age.tick() => core.lock().age(),
            () = signals.end() => break,
            ended = &mut hands => {
                tracing::error!(?ended, "the hands ended by themselves");
                return;
            }
        }
    }
    tracing::info!("draining: the effect in hand is finished, nothing is begun");
    notify::stopping();
    core.lock().draining = true;
    drain.send_replace(true);
    finish(&core, &mut heard, &mut receipts, &mut hands).await;
}

/// While the hands finish, evidence still comes in and receipts still go out.
async fn finish(
    core: &Shared,
    heard: &mut mpsc::Receiver<BoardEvent>,
    receipts: &mut watch::Receiver<u64>,
    hands: &mut JoinHandle<()>,
) {
    let working = async {
        loop {
            tokio::select! {
                _ = &mut *hands => return,
                Some(event) = heard.recv() => core.lock().hear(event),
                Ok(()) = receipts.changed() => {
                    let head = *receipts.borrow_and_update();
                    core.lock().wrote(head);
                }
            }
        }
    };
    if timeout(DRAIN, working).await.is_err() {
        tracing::warn!("not finished within {} s; the next start goes on", DRAIN.as_secs());
    }
}
