//! `muster history`.

use clap::Args;
use muster_proto::wire::muster::HistoryRequest;

use super::exit::Exit;
use super::failure::{At, Failure};
use super::link::desk;
use super::shell::Shell;
use super::watcher::Watcher;
use super::wire;
use crate::view::history::{Entry, history};

/// `muster history`
#[derive(Debug, Args)]
pub struct History {
    /// At most this many plans; 0 for the board's own limit
    #[arg(long, default_value_t = 0, value_name = "N")]
    limit: u32,
}

/// Runs the command: the first board that answers tells its history.
///
/// # Errors
/// Of the last board that was asked, when none answers.
pub fn run(shell: &Shell, args: &History) -> Result<Exit, Failure> {
    shell.block_on(async {
        let watcher = Watcher::refreshed(shell).await?;
        let identity = watcher.identity()?;
        let mut refused = Failure::new("U040", "no controller is named");
        for board in &watcher.context.boards {
            let asked = async {
                let (network, limit) = (watcher.context.network.clone(), args.limit);
                let mut desk = desk(board, &identity).await?;
                let reply = desk.history(HistoryRequest { network, limit }).await;
                reply
                    .map_err(|s| wire::status(&s))
                    .at(&board.address)?
                    .into_inner()
                    .entries
                    .into_iter()
                    .map(entry)
                    .collect::<Result<Vec<_>, _>>()
            };
            match asked.await {
                Ok(entries) => {
                    let network = &watcher.context.network;
                    let report = history(&entries, watcher.plans(), network, &board.address);
                    shell.say(&report)?;
                    return Ok(Exit::Done);
                }
                Err(failure) => refused = failure,
            }
        }
        Err(refused)
    })
}

fn entry(entry: muster_proto::wire::muster::HistoryEntry) -> Result<Entry, Failure> {
    let published_at = wire::moment_ms(entry.published_at)?;
    Ok(Entry { published_at, plan: entry.plan, receipts: entry.receipts })
}
