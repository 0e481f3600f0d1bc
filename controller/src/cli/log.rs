//! `muster log NODE`.

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::exit::Exit;
use super::failure::Failure;
use super::named::{PlanName, node};
use super::shell::Shell;
use super::watcher::Watcher;
use crate::view::log::log;

/// `muster log`
#[derive(Debug, Args)]
pub struct Log {
    /// A node of the roster
    node: String,
    /// Only what concerns this plan
    #[arg(long, value_parser = super::named::plan)]
    plan: Option<PlanName>,
    /// Only the last of it (such as 2h)
    #[arg(long, value_name = "TIME")]
    since: Option<SignedDuration>,
}

/// Runs the command.
///
/// # Errors
/// `U012`, or when nothing can be heard.
pub fn run(shell: &Shell, args: &Log) -> Result<Exit, Failure> {
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let now = watcher.trust.now(Timestamp::now());
    let name = node(watcher.roster()?, &args.node)?;
    let facts = watcher.book.evidence().nodes.get(&name);
    let beacon = facts.and_then(|facts| facts.beacon.as_ref());
    let fits = |receipt: &muster_proto::evidence::Receipt| {
        let plan = args.plan.is_none_or(|plan| plan.fits(receipt.plan.class, receipt.plan.serial));
        plan && args.since.is_none_or(|since| receipt.at + since >= now)
    };
    let receipts = watcher
        .book
        .chain(&name)
        .into_iter()
        .flat_map(|chain| chain.receipts())
        .filter(|receipt| fits(receipt))
        .cloned()
        .collect();
    let report = log(
        &name,
        receipts,
        watcher.book.head(&name),
        beacon.and_then(|beacon| beacon.head.as_ref()),
        facts.is_some_and(|facts| facts.quarantined),
        watcher.told.sources(now),
        now,
    );
    shell.say(&report)?;
    Ok(Exit::Done)
}
