//! `muster KIND freeze X.yaml -o X.draft`: verifies the board, makes every choice, writes one file
//! that holds all an officer needs to check it offline.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use muster_proto::documents::Digest;
use muster_proto::documents::author::{
    Finding, Parsed, PlanYaml, ReleaseYaml, RosterYaml, Written, read, release, roster,
};
use muster_proto::trust::Trust;
use muster_proto::trust::draft::{
    self, Draft, freeze_plan, freeze_release, freeze_root, freeze_roster, freeze_targets,
};
use serde::Serialize;

use super::context::{CONFIG, Context};
use super::exit::Exit;
use super::failure::Failure;
use super::shell::{Secrecy, Shell, create, read_text};
use super::watcher::Watcher;
use super::{known, plan, spec};
use crate::view::draft::{Shown, shown};

/// What every `freeze` takes.
#[derive(Debug, Args)]
pub struct Freeze {
    /// What you wrote
    file: PathBuf,
    /// Where to write the draft; never over an existing file
    #[arg(short, long)]
    output: PathBuf,
    /// Ask no controller: freeze on what this directory has verified before
    #[arg(long)]
    offline: bool,
    /// Show what would be signed, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The root of trust.
    Root,
    /// Keys and thresholds of the roles.
    Keys,
    /// A roster.
    Roster,
    /// A release.
    Release,
    /// A plan.
    Plan,
}

#[derive(Serialize)]
struct Frozen {
    draft: String,
    digest: Digest,
    written: bool,
    #[serde(flatten)]
    shown: Shown,
    warnings: Vec<serde_json::Value>,
    #[serde(skip)]
    drawn: String,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.drawn, self.shown)?;
        match self.written {
            true => {
                writeln!(f, "Wrote {} ({}). Next: muster sign", self.draft, self.digest.short())
            }
            false => writeln!(f, "Nothing was written (--dry-run)."),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Every refusal of the text, the board, or the rules of signing.
pub fn run(shell: &Shell, kind: Kind, args: &Freeze) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let (draft, board, warnings) = match kind {
        Kind::Root => root(shell, args, now)?,
        _ => below(shell, kind, args)?,
    };
    let bytes = draft.to_bytes();
    // What is shown is what a signer will see: read again from the file's own bytes.
    let checked = Draft::from_bytes(&bytes)?.verify(board.as_ref(), now)?;
    let shown = shown(&checked, &checked.merge(&[])?);
    if !args.dry_run {
        create(&args.output, &bytes, Secrecy::Public)?;
    }
    shell.say(&Frozen {
        draft: args.output.display().to_string(),
        digest: Digest::of(&bytes),
        written: !args.dry_run,
        shown,
        warnings: warnings.iter().map(|finding| finding.to_json()).collect(),
        drawn: warnings.iter().map(|finding| format!("{finding}\n")).collect(),
    })?;
    Ok(Exit::Done)
}

type Made = (Draft, Option<Trust>, Vec<Finding>);

/// A root follows the one in force; without one it is the first.
fn root(shell: &Shell, args: &Freeze, now: Timestamp) -> Result<Made, Failure> {
    let has_root = shell.dir.join(CONFIG).exists() && Context::load(shell)?.root.is_some();
    let board = if has_root { Some(watcher(shell, args)?.trust) } else { None };
    let previous = board.as_ref().map(|board| board.versions().root);
    let draft = freeze_root(&spec::root(&args.file, previous, now)?, board.as_ref(), now)?;
    Ok((draft, board, Vec::new()))
}

fn watcher(shell: &Shell, args: &Freeze) -> Result<Watcher, Failure> {
    match args.offline {
        true => Watcher::open(shell),
        false => shell.block_on(Watcher::refreshed(shell)),
    }
}

fn below(shell: &Shell, kind: Kind, args: &Freeze) -> Result<Made, Failure> {
    let watcher = watcher(shell, args)?;
    let trust = &watcher.trust;
    // Documents are dated, and no document is dated before one that officers signed earlier.
    let now = trust.now(Timestamp::now());
    let mut warnings = Vec::new();
    let name = args.file.display().to_string();
    let draft = match kind {
        Kind::Roster => {
            let parsed = read::<RosterYaml>(&name, &read_text(&args.file)?)?;
            freeze_roster(&roster::roster(&parsed, trust.last_roster(), whole(now))?, trust, now)
        }
        Kind::Release => {
            let parsed = read::<ReleaseYaml>(&name, &read_text(&args.file)?)?;
            let genesis = super::release::genesis(&args.file, &parsed)?;
            let release = release::release(&parsed, genesis.as_deref(), whole(now))?;
            freeze_release(&release, genesis, trust, now)
        }
        Kind::Plan => {
            let (draft, found) = frozen_plan(&watcher, &plan::parse(&args.file)?, now)?;
            warnings = found;
            Ok(draft)
        }
        Kind::Root | Kind::Keys => {
            let spec = spec::role_keys(&args.file, &watcher.context.network, now)?;
            freeze_targets(&spec, trust, now)
        }
    }?;
    Ok((draft, Some(watcher.trust), warnings))
}

/// Lints and freezes what an author wrote, on what `watcher` has verified.
///
/// # Errors
/// All findings, when one of them is an error.
pub fn frozen_plan(
    watcher: &Watcher,
    parsed: &Parsed<PlanYaml>,
    now: Timestamp,
) -> Result<(Draft, Vec<Finding>), Failure> {
    let mut known = known::known(watcher)?;
    known.now = whole(now);
    let (plan, found) = plan::frozen(parsed, &known)?;
    let written = serde_json::to_value(Written::of(parsed))?;
    let draft = freeze_plan(&plan, &watcher.trust, now)?;
    // The author's text travels along, so that signers derive the order anew.
    Ok((Draft { spec: Some(written), ..draft }, found))
}

/// Drafts are dated in whole seconds, and no document is younger than its draft.
pub fn whole(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Reads a draft.
///
/// # Errors
/// `U004`, `T070`.
pub fn read_draft(path: &std::path::Path) -> Result<Draft, Failure> {
    let bytes = super::shell::read(path, muster_proto::trust::limits::DRAFT_BYTES as u64)?;
    draft::Draft::from_bytes(&bytes).map_err(|error| Failure::from(error).at(path.display()))
}
