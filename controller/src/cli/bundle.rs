//! `muster bundle`: everything about a plan in one file, and its proof without any board.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use muster_proto::audit::{Account, BUNDLE_BYTES, Bundle, Fault};
use muster_proto::documents::Digest;
use serde::Serialize;

use super::attendance::{Forms, collect, first_root, report};
use super::context::digest;
use super::exit::Exit;
use super::failure::{At, Failure};
use super::init::ROOT_BYTES;
use super::named::PlanName;
use super::shell::{Secrecy, Shell, create, read};
use super::watcher::Watcher;
use crate::view::words::{count, labelled};

/// `muster bundle`
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Write documents and receipts of a plan into one file, for anybody to verify
    Export(Export),
    /// Recompute the attendance from a bundle, offline, from nothing but the first root.
    ///
    /// Metadata is looked at as of the plan's own time, so what has expired since makes an old
    /// bundle no worse. A bundle proves what was signed, by keys that counted for the roots in it,
    /// and not when: a root that revoked a key later is not in it.
    Verify(Verify),
}

/// `muster bundle export`
#[derive(Debug, Args)]
pub struct Export {
    /// A plan such as 42, hotfix/42 or emergency/7
    #[arg(value_parser = super::named::plan)]
    plan: PlanName,
    /// Where to; never over an old file
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Write it also when something in it does not hold
    #[arg(long)]
    anyway: bool,
}

/// `muster bundle verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The bundle
    file: PathBuf,
    /// The first root, from the officers by a way that you trust
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// And its digest, if it came by another way than the file
    #[arg(long, value_name = "HEX")]
    root_sha256: Option<String>,
    #[command(flatten)]
    forms: Forms,
}

/// Runs `muster bundle`.
///
/// # Errors
/// Those of the command.
pub fn run(shell: &Shell, command: &BundleCommand) -> Result<Exit, Failure> {
    match command {
        BundleCommand::Export(args) => export(shell, args),
        BundleCommand::Verify(args) => verify(shell, args),
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    file: String,
    plan: String,
    bytes: usize,
    sha256: Digest,
    nodes: usize,
    receipts: usize,
    first_root: Digest,
    doubt: Option<String>,
}

/// Writes the file once it has verified.
fn export(shell: &Shell, args: &Export) -> Result<Exit, Failure> {
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let bundle = collect(&watcher, args.plan)?;
    let doubt = match audit(&bundle, first_root(&watcher)) {
        Ok(_) => None,
        Err(fault) if args.anyway => Some(fault.to_string()),
        Err(fault) => {
            let cure = "ask again when the boards have caught up; --anyway writes it as it is";
            return Err(Failure::from(fault).next(cure));
        }
    };
    let bytes = bundle.to_bytes();
    create(&args.out, &bytes, Secrecy::Public)?;
    shell.say(&Exported {
        file: args.out.display().to_string(),
        plan: bundle.plan.to_string(),
        bytes: bytes.len(),
        sha256: Digest::of(&bytes),
        nodes: bundle.chains.len(),
        receipts: bundle.chains.values().map(Vec::len).sum(),
        first_root: watcher.trust.pinned_root().clone(),
        doubt,
    })?;
    Ok(Exit::Done)
}

/// Asks no board, reads no configuration.
fn verify(shell: &Shell, args: &Verify) -> Result<Exit, Failure> {
    args.forms.check(shell)?;
    let root = read(&args.root, ROOT_BYTES)?;
    if let Some(named) = &args.root_sha256 {
        pinned(&args.root, &root, named)?;
    }
    let file = args.file.display();
    let bundle = Bundle::from_bytes(&read(&args.file, BUNDLE_BYTES as u64)?).at(&file)?;
    let account = audit(&bundle, &root).at(&file)?;
    args.forms.show(shell, &report(&account))
}

fn audit(bundle: &Bundle, root: &[u8]) -> Result<Account, Fault> {
    let account = Account::open(bundle, root)?;
    account.check().map(|()| account)
}

fn pinned(file: &Path, root: &[u8], named: &str) -> Result<(), Failure> {
    let refused = || Failure::new("U007", format!("{named:?} is no SHA-256"));
    let expected = digest(named).ok_or_else(refused)?;
    match Digest::of(root) == expected {
        true => Ok(()),
        false => {
            Err(Failure::new("U031", "another root than the one that was named")).at(file.display())
        }
    }
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (receipts, nodes) = (count(self.receipts, "receipt"), count(self.nodes, "node"));
        writeln!(f, "plan {} · {receipts} of {nodes} · {} bytes", self.plan, self.bytes)?;
        writeln!(f, "{}", labelled("wrote", &self.file))?;
        writeln!(f, "{}", labelled("sha256", self.sha256.hex()))?;
        if let Some(doubt) = &self.doubt {
            writeln!(f, "{}", labelled("doubt", doubt))?;
        }
        let how = format!("muster bundle verify {} --root 1.root.json", self.file);
        writeln!(f, "{}", labelled("verify", &how))?;
        writeln!(f, "{}", labelled("root", self.first_root.hex()))
    }
}
