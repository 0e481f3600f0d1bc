//! Values to text of at most 80 columns. Pure.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::screen::{length, number, row};
use crate::snapshot::Listed;
use crate::snapshot::decide::manifest::How;
use crate::snapshot::decide::name::Name;
use crate::snapshot::decide::retention::Verdict;
use crate::snapshot::decide::size::Size;
use crate::snapshot::decide::tree::Sum;

/// What a snapshot would take.
#[derive(Serialize)]
pub(super) struct Ahead<'a> {
    pub(super) data: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) sum: Sum,
    pub(super) how: How,
    pub(super) copy: u64,
    pub(super) free: u64,
    pub(super) leave: u64,
    /// Bytes a second, measured just now.
    pub(super) rate: Option<u64>,
    pub(super) seconds: Option<u64>,
    /// Why it could not be taken now.
    pub(super) down: Option<String>,
}

pub(super) fn ahead(ahead: &Ahead<'_>) -> String {
    let Sum { files, bytes, disk } = ahead.sum;
    let mut text = format!("A snapshot would take {} of the node's data.\n", Size(bytes));
    let mut add = |label: &str, words: &str| text.push_str(&row(label, words));
    add("from", &ahead.data.display().to_string());
    add("to", &ahead.folder.display().to_string());
    add("files", &format!("{}, {} on the disk", number(files), Size(disk)));
    match ahead.how {
        How::Cloned => add("how", "blocks are shared: at once, and no space until the node writes"),
        How::Copied => add("how", &format!("{} are copied at most", Size(ahead.copy))),
    }
    add("free", &format!("{}, of which {} stay free", Size(ahead.free), Size(ahead.leave)));
    if let (Some(rate), Some(seconds)) = (ahead.rate, ahead.seconds) {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let measured = format!("{} ({}/s measured just now)", length(seconds), Size(rate));
        add("about", &measured);
    }
    add("now", ahead.down.as_deref().unwrap_or("the node is down; it could be taken"));
    text
}

/// A pre-copy that ended.
#[derive(Serialize)]
pub(super) struct PreCopied {
    pub(super) copied: bool,
    pub(super) ms: u64,
}

pub(super) fn pre_copied(said: &PreCopied) -> String {
    match said.copied {
        true => format!(
            "Copied in {} ms. Repeat it shortly before the stop; then stop the node and take the snapshot.\n",
            said.ms
        ),
        false => "Nothing to copy beforehand: this file system shares blocks.\n".into(),
    }
}

/// A snapshot that was taken.
#[derive(Serialize)]
pub(super) struct Taken<'a> {
    pub(super) name: &'a Name,
    pub(super) folder: &'a Path,
    pub(super) how: How,
    pub(super) files: usize,
    pub(super) bytes: u64,
    /// The node had to be down for so long.
    pub(super) down_ms: u64,
    pub(super) ms: u64,
}

pub(super) fn taken(said: &Taken<'_>) -> String {
    let mut text = format!("Snapshot {} is taken and verified.\n", said.name);
    let how = match said.how {
        How::Cloned => "blocks are shared until the node writes",
        How::Copied => "copied",
    };
    text.push_str(&row("in", &said.folder.display().to_string()));
    text.push_str(&row("holds", &format!("{}, {how}", Size(said.bytes))));
    text.push_str(&row(
        "took",
        &format!("{} ms, {} of them with the node down", said.ms, said.down_ms),
    ));
    text
}

/// Those that are here.
#[derive(Serialize)]
pub(super) struct Listing<'a> {
    pub(super) folder: &'a Path,
    pub(super) snapshots: &'a [Listed],
    /// What restores left beside the node's data.
    pub(super) beside: &'a [PathBuf],
}

pub(super) fn listing(listing: &Listing<'_>) -> String {
    let mut text = match listing.snapshots.len() {
        0 => format!("No snapshot in {}.\n", listing.folder.display()),
        count => format!("{count} in {}, oldest first.\n", listing.folder.display()),
    };
    for listed in listing.snapshots {
        text.push_str(&format!("{}\n", listed.name));
        let words = match &listed.manifest {
            None => "its manifest cannot be read: of no use".into(),
            Some(manifest) => {
                let verified = match listed.verified_at {
                    Some(at) => format!("verified {}", at.strftime("%Y-%m-%d %H:%M UTC")),
                    None => "not verified".into(),
                };
                let taken = manifest.taken_at.strftime("%Y-%m-%d %H:%M UTC");
                format!("{}, taken {taken}, {verified}", Size(manifest.bytes()))
            }
        };
        text.push_str(&row("", &words));
    }
    for path in listing.beside {
        let words =
            format!("{}: left by a restore; remove it when you miss nothing", path.display());
        text.push_str(&row("beside", &words));
    }
    text
}

/// One that was read in full.
#[derive(Serialize)]
pub(super) struct Verified<'a> {
    pub(super) name: &'a Name,
    pub(super) files: usize,
    pub(super) bytes: u64,
}

pub(super) fn verified(said: &Verified<'_>) -> String {
    format!("Snapshot {} is what its manifest says ({}).\n", said.name, Size(said.bytes))
}

/// One that was put back, or would be.
#[derive(Serialize)]
pub(super) struct Restored<'a> {
    pub(super) name: &'a Name,
    pub(super) data: &'a Path,
    pub(super) bytes: u64,
    pub(super) done: bool,
    /// Where the old folder is.
    pub(super) old: Option<PathBuf>,
}

pub(super) fn restored(said: &Restored<'_>) -> String {
    let verb = if said.done { "stands" } else { "would stand" };
    let mut text = format!("Snapshot {} {verb} in the place of the node's data.\n", said.name);
    text.push_str(&row("at", &said.data.display().to_string()));
    text.push_str(&row("holds", &Size(said.bytes).to_string()));
    if let Some(old) = &said.old {
        text.push_str(&row(
            "before",
            &format!("{}: remove it when the node is well", old.display()),
        ));
    }
    text
}

/// What was removed, or would be.
#[derive(Serialize)]
pub(super) struct Pruned<'a> {
    pub(super) dry_run: bool,
    pub(super) verdicts: &'a [Verdict],
}

pub(super) fn pruned(said: &Pruned<'_>) -> String {
    let gone = if said.dry_run { "would be removed" } else { "removed" };
    let line = |verdict: &Verdict| match verdict.stays {
        None => format!("{}: {gone}\n", verdict.name),
        Some(why) => format!("{}: stays, {}\n", verdict.name, why.words()),
    };
    match said.verdicts {
        [] => "No snapshot.\n".into(),
        all => all.iter().map(line).collect(),
    }
}
