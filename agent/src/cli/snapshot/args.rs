//! What the delegate may type after `snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::Span;
use crate::control::PlanName;
use crate::snapshot::decide::name::Name;
use crate::snapshot::decide::size::Size;

/// `snapshot`
#[derive(Debug, Args)]
pub struct Snapshot {
    /// What to do.
    #[command(subcommand)]
    pub command: SnapshotCommand,
}

/// What to do with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Take one of the node's data, while the node is down.
    Take(Take),
    /// Those that are here.
    List(List),
    /// Read one in full and compare it with its manifest.
    Verify(Verify),
    /// Put one back in the place of the node's data, while the node is down.
    Restore(Restore),
    /// Remove old ones; never the last good one.
    Prune(Prune),
}

/// Where, how, and what is printed.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The folder of snapshots [default: `snapshots` beside the node's data].
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Everything the screen has, and more, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// How a copy is made.
#[derive(Debug, Clone, Args)]
pub struct Copying {
    /// Bytes a second at most, such as `200MiB`.
    #[arg(long, value_name = "SIZE")]
    pub rate: Option<Size>,
    /// What must stay free on the disk.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub leave: Size,
    /// Copy every byte, also where the file system can share blocks.
    #[arg(long)]
    pub no_clone: bool,
}

/// `snapshot take`
#[derive(Debug, Args)]
pub struct Take {
    /// The plan that it is for: `42`, `hotfix/42`.
    #[arg(long)]
    pub plan: Option<PlanName>,
    /// The newest block of the node, if you know it.
    #[arg(long)]
    pub height: Option<u64>,
    /// Another name than plan, height and time.
    #[arg(long)]
    pub name: Option<Name>,
    /// Copy while the node runs, so that less is left to do when it is down.
    #[arg(long, conflicts_with_all = ["plan", "height", "name"])]
    pub pre_copy: bool,
    /// After a pre-copy, compare also the files that nobody wrote to since.
    #[arg(long)]
    pub thorough: bool,
    /// Say what would be done, and how long it would take.
    #[arg(long)]
    pub dry_run: bool,
    /// How it is copied.
    #[command(flatten)]
    pub copying: Copying,
    /// Where it goes.
    #[command(flatten)]
    pub common: Common,
}

/// `snapshot list`
#[derive(Debug, Args)]
pub struct List {
    /// Where they are.
    #[command(flatten)]
    pub common: Common,
}

/// `snapshot verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Which one.
    pub name: Name,
    /// Bytes a second at most, such as `200MiB`.
    #[arg(long, value_name = "SIZE")]
    pub rate: Option<Size>,
    /// Where it is.
    #[command(flatten)]
    pub common: Common,
}

/// `snapshot restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// Which one.
    pub name: Name,
    /// Remove the node's folder that was there before; without it, it stays beside the new one.
    #[arg(long)]
    pub remove_old: bool,
    /// Say what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// How it is copied.
    #[command(flatten)]
    pub copying: Copying,
    /// Where it is.
    #[command(flatten)]
    pub common: Common,
}

/// `snapshot prune`
#[derive(Debug, Args)]
pub struct Prune {
    /// Younger ones stay.
    #[arg(long, value_name = "TIME", default_value = "168h")]
    pub retention: Span,
    /// Say what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// Where they are.
    #[command(flatten)]
    pub common: Common,
}
