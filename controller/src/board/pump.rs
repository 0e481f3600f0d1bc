//! Carries the shelf to one reader, at his pace.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::{NodeName, PublicKey};
use muster_proto::wire::muster::{BoardMessage, CaughtUp, board_message::Message};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::cursor::Cursor;
use super::handle::Board;
use super::rates::Bucket;
use super::refused::Turned;

/// Messages between the pump and the connection; with one in hand this bounds what a reader who
/// takes nothing costs.
pub(crate) const QUEUE: usize = 2;

/// Times at once and per second that beacons alone rouse an agent's stream: at once in a fleet of
/// some dozens, coalesced in a larger one.
const BEACONS: (u32, f64) = (40, 20.0);

/// A watcher's stream rests this long between looks: a screen shows no more.
const WATCHER_RESTS: Duration = Duration::from_millis(50);

/// One reader's stream.
pub(crate) struct Pump {
    board: Board,
    cursor: Cursor,
    out: mpsc::Sender<Result<BoardMessage, Status>>,
    /// Something for this reader alone.
    wake: Arc<Notify>,
    beacons: Bucket,
    /// A reader who takes nothing for so long is cut off.
    slow: Duration,
}

/// Whose stream it is, checked again before every message.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    pub(super) node: NodeName,
    pub(super) key: PublicKey,
    pub(super) connection: u64,
}

impl Pass {
    pub(super) fn check(&self, board: &Board) -> Result<(), Turned> {
        board.listed(&self.node, &self.key)?;
        if board.look(|shelf| shelf.connection_of(&self.node)) == Some(self.connection) {
            Ok(())
        } else {
            Err(Turned::Replaced(self.node.clone()))
        }
    }
}

impl Pump {
    /// From where `cursor` stands on, into `out`; `slow` is how long it waits for the reader.
    pub(crate) fn new(
        board: Board,
        cursor: Cursor,
        out: mpsc::Sender<Result<BoardMessage, Status>>,
        wake: Arc<Notify>,
        slow: SignedDuration,
    ) -> Self {
        let beacons = Bucket::new(BEACONS.0, BEACONS.1, Timestamp::now());
        Self { board, cursor, out, wake, beacons, slow: slow.unsigned_abs() }
    }

    /// An agent's stream; ends with the reason why it was cut.
    pub(super) async fn agent(mut self, pass: &Pass) -> Option<Turned> {
        let mut changed = self.board.for_agents.clone();
        let mut beacons = self.board.beacons.clone();
        loop {
            changed.mark_unchanged();
            beacons.mark_unchanged();
            if let Err(turned) = self.drain(|board| pass.check(board)).await {
                // Who takes nothing would not take this either.
                if !matches!(turned, Turned::Slow(_)) {
                    self.farewell().await;
                }
                return Some(turned);
            }
            let wait_ms = self.beacons.take(Timestamp::now()).err().unwrap_or(0);
            let beacon = async {
                sleep(Duration::from_millis(wait_ms)).await;
                // An error means that the board has stopped, which the other branch hears too.
                let _ = beacons.changed().await;
            };
            let turned = tokio::select! {
                turned = self.idle(&mut changed) => turned,
                () = beacon => None,
            };
            if turned.is_some() {
                return turned;
            }
        }
    }

    /// A watcher's stream: everything, then `CaughtUp`, then (unless `once`) what is new.
    pub(crate) async fn watcher(mut self, once: bool) -> Option<Turned> {
        let mut changed = self.board.for_watchers.clone();
        let mut caught_up = false;
        loop {
            changed.mark_unchanged();
            if let Err(turned) = self.drain(|_| Ok(())).await {
                return Some(turned);
            }
            if !std::mem::replace(&mut caught_up, true) {
                let message = Some(Message::CaughtUp(CaughtUp {}));
                self.send(BoardMessage { message }).await.ok()?;
            }
            if once {
                return None;
            }
            if let Some(turned) = self.idle(&mut changed).await {
                return Some(turned);
            }
            sleep(WATCHER_RESTS).await;
        }
    }

    async fn drain(&mut self, check: impl Fn(&Board) -> Result<(), Turned>) -> Result<(), Turned> {
        loop {
            check(&self.board)?;
            let cursor = &mut self.cursor;
            let Some(message) = self.board.look(|shelf| cursor.next(shelf)) else {
                return Ok(());
            };
            self.send(message).await?;
        }
    }

    /// The documents by which he is not listed any more, so that he knows why.
    async fn farewell(&mut self) {
        let cursor = &mut self.cursor;
        if let Some(bulletin) = self.board.look(|shelf| cursor.bulletin(shelf)) {
            let message = Some(Message::Bulletin(bulletin));
            // He is cut off either way.
            let _ = self.send(BoardMessage { message }).await;
        }
    }

    async fn send(&self, message: BoardMessage) -> Result<(), Turned> {
        match timeout(self.slow, self.out.send(Ok(message))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Turned::Protocol("the reader went away")),
            Err(_) => Err(Turned::Slow(self.slow)),
        }
    }

    async fn idle(&self, changed: &mut watch::Receiver<u64>) -> Option<Turned> {
        tokio::select! {
            () = self.board.going_down() => Some(Turned::GoingDown),
            () = self.out.closed() => Some(Turned::Protocol("the reader went away")),
            () = self.wake.notified() => None,
            alive = changed.changed() => alive.err().map(|_| Turned::GoingDown),
        }
    }
}
