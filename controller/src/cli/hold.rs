//! `muster hold` and `muster release-hold`: ask every agent to begin nothing of a plan for a while.
//! A hold is a board's word: it can delay, and nothing else.

use std::fmt;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::PlanId;
use muster_proto::wire::muster::{HoldReply, HoldRequest, ReleaseHoldRequest};
use serde::Serialize;

use super::exit::Exit;
use super::failure::{At, Failure};
use super::link::{Desk, desk};
use super::named::PlanName;
use super::shell::Shell;
use super::watcher::Watcher;
use super::wire;
use crate::view::told;
use crate::view::words::{labelled, until};

/// Longest hold, in seconds: a day.
const LONGEST: u64 = 86_400;

/// `muster hold`
#[derive(Debug, Args)]
pub struct Hold {
    /// Such as 42, hotfix/42 or emergency/7
    #[arg(value_parser = super::named::plan)]
    plan: PlanName,
    /// For how long (such as 10m, 2h), at most a day; it ends by itself
    #[arg(long = "for", value_name = "TIME")]
    time: SignedDuration,
    /// Why, for everybody who looks
    #[arg(long)]
    reason: String,
    /// Show what would be asked, and ask nobody
    #[arg(long)]
    dry_run: bool,
}

/// `muster release-hold`
#[derive(Debug, Args)]
pub struct ReleaseHold {
    /// Such as 42, hotfix/42 or emergency/7
    #[arg(value_parser = super::named::plan)]
    plan: PlanName,
}

#[derive(Serialize)]
struct Held {
    plan: String,
    at: Timestamp,
    dry_run: bool,
    boards: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    board: String,
    holds: Vec<told::Hold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Failure>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run {
            return writeln!(f, "plan {}: nobody was asked (--dry-run)", self.plan);
        }
        let held = self.boards.iter().any(|answer| !answer.holds.is_empty());
        let word = if held { "held" } else { "not held" };
        writeln!(f, "plan {} is {word}", self.plan)?;
        for Answer { board, holds, refused } in &self.boards {
            let text = match (refused, holds.first()) {
                (Some(failure), _) => format!("{} {}", failure.code, failure.what),
                (None, None) => "no hold in force".into(),
                (None, Some(hold)) => {
                    format!("by {}, ends {}: {}", hold.by, until(hold.until, self.at), hold.reason)
                }
            };
            writeln!(f, "{}", labelled("board", &format!("{board}: {text}")))?;
        }
        Ok(())
    }
}

/// Runs `muster hold`.
///
/// # Errors
/// `U007`, or when every board refuses.
pub fn hold(shell: &Shell, args: &Hold) -> Result<Exit, Failure> {
    let seconds = u64::try_from(args.time.as_secs()).unwrap_or(0);
    if !(1..=LONGEST).contains(&seconds) {
        return Err(Failure::new("U007", "--for takes from 1 s to a day"));
    }
    let ask = async |mut desk: Desk, network: String, id: PlanId| {
        let request = HoldRequest {
            network,
            class: id.class.to_string(),
            serial: id.serial,
            reason: args.reason.clone(),
            seconds: seconds as u32,
        };
        desk.hold(request).await
    };
    shell.block_on(everywhere(shell, &args.plan, args.dry_run, ask))
}

/// Runs `muster release-hold`.
///
/// # Errors
/// When every board refuses.
pub fn release(shell: &Shell, args: &ReleaseHold) -> Result<Exit, Failure> {
    let ask = async |mut desk: Desk, network: String, id: PlanId| {
        let (class, serial) = (id.class.to_string(), id.serial);
        desk.release_hold(ReleaseHoldRequest { network, class, serial }).await
    };
    shell.block_on(everywhere(shell, &args.plan, false, ask))
}

/// Asks every board, since agents listen to all of them.
async fn everywhere(
    shell: &Shell,
    name: &PlanName,
    dry_run: bool,
    ask: impl AsyncFn(Desk, String, PlanId) -> Result<tonic::Response<HoldReply>, tonic::Status>,
) -> Result<Exit, Failure> {
    let watcher = Watcher::refreshed(shell).await?;
    let (id, _) = name.find(watcher.plans())?;
    let identity = watcher.identity()?;
    let at = Timestamp::now();
    let mut boards = Vec::new();
    for board in watcher.context.boards.iter().filter(|_| !dry_run) {
        let asked = async {
            let desk = desk(board, &identity).await?;
            let reply = ask(desk, watcher.context.network.clone(), id.clone()).await;
            let holds = reply.map_err(|s| wire::status(&s))?.into_inner().holds;
            let holds = holds.into_iter().map(wire::hold).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, Failure>(holds.into_iter().filter(|hold| name.fits(hold.class, hold.serial)))
        };
        let answer = asked.await.map(Iterator::collect).at(&board.address);
        let (holds, refused) = match answer {
            Ok(holds) => (holds, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        boards.push(Answer { board: board.address.clone(), holds, refused });
    }
    let all_refused = !dry_run && boards.iter().all(|answer| answer.refused.is_some());
    if all_refused && let Some(failure) = boards.iter().find_map(|answer| answer.refused.clone()) {
        return Err(failure);
    }
    shell.say(&Held { plan: id.to_string(), at, dry_run, boards })?;
    Ok(Exit::Done)
}
