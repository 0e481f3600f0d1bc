//! `muster fleet`.

use clap::Args;
use jiff::Timestamp;

use super::exit::Exit;
use super::failure::Failure;
use super::shell::Shell;
use super::watcher::Watcher;
use crate::view::fleet::{Input, fleet};

/// `muster fleet`
#[derive(Debug, Args)]
pub struct Fleet {}

/// Runs the command.
///
/// # Errors
/// When nothing can be heard or nothing is verified yet.
pub fn run(shell: &Shell, _: &Fleet) -> Result<Exit, Failure> {
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let expiries = watcher.trust.expiries();
    let input = Input {
        roster: watcher.roster()?,
        plans: watcher.plans(),
        evidence: watcher.book.evidence(),
        expiries: &expiries,
        told: &watcher.told,
    };
    shell.say(&fleet(input, watcher.trust.now(Timestamp::now())))?;
    Ok(Exit::Done)
}
