//! `muster watch PLAN`: the rollout as it goes, until it is over.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::PlanId;
use muster_proto::rule::Documents;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::exit::Exit;
use super::failure::Failure;
use super::link::Until;
use super::named::PlanName;
use super::shell::Shell;
use super::watcher::Watcher;
use crate::view::rollout::{Input, Rollout, State, Trend, rollout};

/// How often the screen is judged anew when nothing arrives: ages grow by themselves.
const LOOK: Duration = Duration::from_millis(500);
/// How long a plan may stay unknown before that is an answer.
const UNKNOWN: Duration = Duration::from_secs(10);
/// After a plan is over by failures, who is in the middle comes to an end; longer than this
/// without a last word, the watch ends too.
const SETTLE: Duration = Duration::from_secs(120);

/// `muster watch`
#[derive(Debug, Args)]
pub struct Watch {
    /// Such as 42, hotfix/42 or emergency/7
    #[arg(value_parser = super::named::plan)]
    pub plan: PlanName,
    /// Stop watching after this long (such as 90s, 20m); exit code 4
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<SignedDuration>,
    /// Print a line for each change, also on a terminal
    #[arg(long)]
    pub lines: bool,
}

/// Runs the command.
///
/// # Errors
/// When the plan stays unknown or no board is configured.
pub fn run(shell: &Shell, args: &Watch) -> Result<Exit, Failure> {
    let screen = match (shell.json, args.lines || !std::io::stderr().is_terminal()) {
        (true, _) => Screen::Json,
        (false, true) => Screen::Lines,
        (false, false) => Screen::Live(live()?),
    };
    shell.block_on(watch(shell, args, screen))
}

async fn watch(shell: &Shell, args: &Watch, mut screen: Screen) -> Result<Exit, Failure> {
    let mut watcher = Watcher::open(shell)?;
    let mut heard = watcher.listen(Until::Dropped)?;
    let began = Instant::now();
    let far = Duration::from_secs(100 * 365 * 86_400);
    let patience = args.timeout.map_or(far, |time| time.unsigned_abs());
    let (mut trend, mut last, mut settling) = (Trend::default(), None, None);
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // Everything that has come in by now, then one look.
        while let Ok(Some(news)) = timeout_at(Instant::now(), heard.recv()).await {
            watcher.hear(news);
        }
        let waited = began.elapsed();
        let id = match args.plan.find(watcher.plans()) {
            Ok((id, _)) => id.clone(),
            Err(failure) if waited > UNKNOWN.min(patience) => {
                return Err(unheard(&watcher, failure));
            }
            Err(_) => continue,
        };
        let look = look(&watcher, &id, &mut trend)?;
        screen.show(shell, &look, last.as_ref())?;
        if look.state.is_over() {
            let since = settling.get_or_insert_with(Instant::now);
            if look.settled() || since.elapsed() > SETTLE {
                return screen.end(shell, &look, ended(&look.state));
            }
        } else {
            settling = None;
        }
        if waited > patience {
            return screen.end(shell, &look, Exit::Waiting);
        }
        last = Some(look);
    }
}

/// The plan is unknown; when no board was heard, that is why.
fn unheard(watcher: &Watcher, failure: Failure) -> Failure {
    match watcher.told.heard() {
        Some(_) => failure,
        None => watcher.deaf(),
    }
}

/// The rollout of `id` at this moment.
///
/// # Errors
/// When plan or roster are not known.
pub fn look(watcher: &Watcher, id: &PlanId, trend: &mut Trend) -> Result<Rollout, Failure> {
    let now = watcher.trust.now(Timestamp::now());
    let none = || Failure::new("U010", format!("plan {id} is gone"));
    let plan = watcher.plans().get(id).ok_or_else(none)?;
    let roster = watcher.roster()?;
    let mut others = watcher.plans().clone();
    others.remove(id);
    let documents = Documents { id, plan, roster, others: &others, aborts: watcher.trust.aborts() };
    let evidence = watcher.book.evidence();
    trend.look(evidence);
    let judge =
        |trend: &Trend| rollout(Input { documents, evidence, told: &watcher.told, trend }, now);
    let first = judge(trend);
    trend.seats(first.seats_up);
    Ok(judge(trend))
}

fn ended(state: &State) -> Exit {
    match state {
        State::Done => Exit::Done,
        _ => Exit::Failed,
    }
}

/// Where the rollout is shown.
enum Screen {
    /// Redrawn in place.
    Live(ProgressBar),
    /// One line for each change.
    Lines,
    /// One document for each change.
    Json,
}

fn live() -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg}")?);
    Ok(bar)
}

impl Screen {
    fn show(
        &mut self,
        shell: &Shell,
        now: &Rollout,
        before: Option<&Rollout>,
    ) -> Result<(), Failure> {
        match self {
            Screen::Live(bar) => {
                bar.set_message(now.to_string());
                bar.tick();
            }
            Screen::Lines => {
                for line in now.news(before) {
                    anstream::println!("{line}");
                }
            }
            Screen::Json if before.is_none() || !now.news(before).is_empty() => shell.say(now)?,
            Screen::Json => {}
        }
        Ok(())
    }

    /// The last look stays on the screen.
    fn end(self, shell: &Shell, last: &Rollout, exit: Exit) -> Result<Exit, Failure> {
        match self {
            Screen::Live(bar) => {
                bar.finish_and_clear();
                shell.say(last)?;
            }
            Screen::Lines => {
                anstream::println!();
                shell.say(last)?;
            }
            Screen::Json => shell.say(last)?,
        }
        Ok(exit)
    }
}
