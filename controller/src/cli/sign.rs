//! `muster sign X.draft --key alice.pem`: verifies against one's own root, says in words what is
//! signed, and gives back only a signature.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use muster_proto::documents::Plan;
use muster_proto::documents::author::{
    Code, Finding, Known, Parsed, PlanYaml, Refused, Written, recheck, summary,
};
use muster_proto::trust::Trust;
use muster_proto::trust::draft::{Checked, Document, Draft};
use muster_proto::trust::keys::key_id;
use serde::Serialize;

use super::context::{CONFIG, Context};
use super::exit::Exit;
use super::failure::{At, Failure};
use super::freeze::read_draft;
use super::key;
use super::passphrase::Source;
use super::shell::{Secrecy, Shell, create};
use super::watcher::Watcher;
use crate::view::draft::{Shown, shown};

/// `muster sign`
#[derive(Debug, Args)]
pub struct Sign {
    /// The draft
    draft: PathBuf,
    /// Your signing key
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// Where to write the signature [default: beside the draft, with your key's name]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// You have read what it shows: do not ask
    #[arg(long)]
    yes: bool,
    /// Verify and show, and sign nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    passphrase: Source,
}

/// `muster inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// The draft
    draft: PathBuf,
}

#[derive(Serialize)]
struct Signed {
    signature: Option<String>,
    key_id: Option<String>,
    shown: Shown,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(signature) = &self.signature else {
            return writeln!(f, "Nothing was signed (--dry-run).");
        };
        writeln!(f, "Wrote {signature}. Send it to whoever publishes.")?;
        self.shown.needs.iter().try_for_each(|need| writeln!(f, "  {need}"))
    }
}

/// Runs `muster sign`.
///
/// # Errors
/// Whatever is wrong with the draft; nothing is signed then.
pub fn run(shell: &Shell, args: &Sign) -> Result<Exit, Failure> {
    let checked = check(shell, &args.draft)?;
    let before = shown(&checked, &checked.merge(&[])?);
    shell.remark(asked(&checked, &before));
    if args.dry_run {
        shell.say(&Signed { signature: None, key_id: None, shown: before })?;
        return Ok(Exit::Done);
    }
    shell.confirm("Sign it?", args.yes)?;
    let key = key::open(&args.key, &args.passphrase)?;
    let signature = checked.sign(&key).at(args.key.display())?;
    let path = args.output.clone().unwrap_or_else(|| beside(&args.draft, &args.key));
    let mut bytes = serde_json::to_vec(&signature)?;
    bytes.push(b'\n');
    create(&path, &bytes, Secrecy::Public)?;
    let after = shown(&checked, &checked.merge(std::slice::from_ref(&signature))?);
    shell.say(&Signed {
        signature: Some(path.display().to_string()),
        key_id: Some(key_id(&key.public())),
        shown: after,
    })?;
    Ok(Exit::Done)
}

/// Runs `muster inspect`: as `sign` without a key.
///
/// # Errors
/// Whatever is wrong with the draft.
pub fn inspect(shell: &Shell, args: &Inspect) -> Result<Exit, Failure> {
    let checked = check(shell, &args.draft)?;
    shell.say(&shown(&checked, &checked.merge(&[])?))?;
    Ok(Exit::Done)
}

/// Verifies a draft against this directory's own root, and a plan by the rules of lint as well.
///
/// # Errors
/// Whatever is wrong with it.
pub fn check(shell: &Shell, path: &Path) -> Result<Checked, Failure> {
    let (checked, warnings) = verified(shell, &read_draft(path)?).at(path.display())?;
    warnings.iter().for_each(|warning| shell.remark(warning));
    Ok(checked)
}

/// As [`check`], of a draft that was read already; with what its signer should know.
///
/// # Errors
/// Whatever is wrong with it.
pub fn verified(shell: &Shell, draft: &Draft) -> Result<(Checked, Vec<Finding>), Failure> {
    let now = Timestamp::now();
    let mut watcher = own(shell)?;
    let trust = watcher.as_ref().map(|watcher| &watcher.trust);
    let now = trust.map_or(now, |trust| trust.now(now));
    let checked = draft.verify(trust, now)?;
    let warnings = match (checked.document(), checked.board()) {
        (Document::Plan(plan), Some(board)) => relint(plan, &author(draft)?, board)?,
        _ => Vec::new(),
    };
    // What was verified once is a floor from now on.
    if let (Some(watcher), Some(board)) = (&mut watcher, checked.board()) {
        watcher.learn(board.clone())?;
    }
    Ok((checked, warnings))
}

/// This directory's own trust; none where no root is pinned yet, which only a first root bears.
fn own(shell: &Shell) -> Result<Option<Watcher>, Failure> {
    match shell.dir.join(CONFIG).exists() && Context::load(shell)?.root.is_some() {
        true => Watcher::open(shell).map(Some),
        false => Ok(None),
    }
}

/// What the author wrote: the order is derived anew from it.
fn author(draft: &Draft) -> Result<Parsed<PlanYaml>, Failure> {
    let written = draft.spec.clone().and_then(|spec| serde_json::from_value::<Written>(spec).ok());
    let missing = Finding::new(Code::P039, "order")
        .note("the author's file did not come along")
        .fix("freeze it again");
    Ok(written.ok_or_else(|| Refused::from(missing))?.read()?)
}

/// Lints a frozen plan by the signer's own documents, and freezes it anew to compare.
fn relint(plan: &Plan, author: &Parsed<PlanYaml>, board: &Trust) -> Result<Vec<Finding>, Failure> {
    // Not waiting for one, as elsewhere: whoever froze the draft had one.
    let none = || {
        let what = "the board in this draft has no roster that verifies";
        let mut failure = Failure::new("U013", what);
        failure.exit = Exit::Refused;
        failure
    };
    let roster = board.roster().ok_or_else(none)?.clone();
    let mut plans = board.plans().clone();
    plans.retain(|id, _| id.class != plan.class || id.serial != plan.serial);
    let releases = board.releases().map(|(version, it)| (version.to_owned(), it.clone()));
    let known = Known {
        releases: releases.collect(),
        plans,
        expiries: board.expiries(),
        ..Known::new(roster, plan.issued)
    };
    Ok(recheck(plan, Some(author), &known)?)
}

fn asked(checked: &Checked, shown: &Shown) -> String {
    let mut text = format!("{shown}\nYou are about to sign {} {}", shown.role, shown.version);
    match checked.document() {
        Document::Plan(plan) => {
            let release = match &plan.action {
                muster_proto::documents::plan::Action::Upgrade(named) => {
                    checked.board().and_then(|board| board.release(named))
                }
                _ => None,
            };
            let roster = checked.board().and_then(Trust::roster);
            text.push(':');
            for line in summary::words(plan, summary::Beside { release, roster }) {
                text.push_str(&format!("\n  {line}"));
            }
        }
        _ if checked.board().is_none() => {
            text.push_str(": the FIRST root.\nNothing vouches for it but the people you asked.");
        }
        _ => text.push('.'),
    }
    text
}

/// `42.draft` and `keys/alice.pem` give `42.alice.sig` beside the draft.
fn beside(draft: &Path, key: &Path) -> PathBuf {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    draft.with_file_name(format!("{}.{}.sig", stem(draft), stem(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_lies_beside_its_draft_under_the_names_of_both() {
        let path = beside(Path::new("out/42.draft"), Path::new("/keys/alice.pem"));
        assert_eq!(path, Path::new("out/42.alice.sig"));
    }
}
