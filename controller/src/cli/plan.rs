//! `muster plan`: lint, simulate and freeze.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use muster_proto::documents::Plan;
use muster_proto::documents::author::document::Parsed;
use muster_proto::documents::author::finding::{tally, to_json};
use muster_proto::documents::author::{
    Finding, Known, PlanYaml, ReleaseYaml, RosterYaml, freeze, lint_plan, read, release, roster,
};
use serde::Serialize;

use super::exit::Exit;
use super::failure::Failure;
use super::known::known;
use super::shell::{Shell, read_text};
use super::watcher::Watcher;

/// `muster plan`
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Refuse what cannot be safe or cannot end, with the place, the reason and the fix
    Lint(Lint),
    /// Play it through by the rule itself, with failures of your choice: what happens when, the
    /// lowest number of seats there, and how long it takes
    Simulate(super::simulate::Simulate),
    /// Make every choice, print the total order, and write a draft for officers to sign
    Freeze(super::freeze::Freeze),
}

/// Runs `muster plan`.
///
/// # Errors
/// Those of the command.
pub fn run(shell: &Shell, command: &PlanCommand) -> Result<Exit, Failure> {
    match command {
        PlanCommand::Lint(args) => lint(shell, args),
        PlanCommand::Simulate(args) => super::simulate::run(shell, args),
        PlanCommand::Freeze(args) => super::freeze::run(shell, super::freeze::Kind::Plan, args),
    }
}

/// Where roster and releases come from.
#[derive(Debug, Args)]
pub struct Sources {
    /// Use this roster file instead of the verified one
    #[arg(long, value_name = "FILE")]
    roster: Option<PathBuf>,
    /// Use this release file as well; may be given several times
    #[arg(long, value_name = "FILE", requires = "roster")]
    release: Vec<PathBuf>,
    /// Ask no controller: use what this directory has verified before
    #[arg(long)]
    offline: bool,
}

/// `muster plan lint`
#[derive(Debug, Args)]
pub struct Lint {
    /// The plan
    file: PathBuf,
    #[command(flatten)]
    sources: Sources,
}

fn lint(shell: &Shell, args: &Lint) -> Result<Exit, Failure> {
    let parsed = parse(&args.file)?;
    let findings = lint_plan(&parsed, &args.sources.known(shell)?);
    let refused = findings.iter().any(Finding::is_error);
    shell.say(&Linted(findings))?;
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

/// Reads a plan that an author wrote.
///
/// # Errors
/// Every refusal of the text.
pub fn parse(path: &Path) -> Result<Parsed<PlanYaml>, Failure> {
    Ok(read(&path.display().to_string(), &read_text(path)?)?)
}

impl Sources {
    /// Files stand in for what the board has.
    pub fn are_files(&self) -> bool {
        self.roster.is_some()
    }

    /// Everything that lint may know.
    ///
    /// # Errors
    /// When a file is refused, or nothing verified is there.
    pub fn known(&self, shell: &Shell) -> Result<Known, Failure> {
        match &self.roster {
            Some(file) => self.files_beside(file),
            None if self.offline => known(&Watcher::open(shell)?),
            None => known(&shell.block_on(Watcher::refreshed(shell))?),
        }
    }

    fn files_beside(&self, file: &Path) -> Result<Known, Failure> {
        let now = Timestamp::now();
        let parsed = read::<RosterYaml>(&file.display().to_string(), &read_text(file)?)?;
        let mut releases = BTreeMap::new();
        for file in &self.release {
            let parsed = read::<ReleaseYaml>(&file.display().to_string(), &read_text(file)?)?;
            let genesis = super::release::genesis(file, &parsed)?;
            let release = release::release(&parsed, genesis.as_deref(), now)?;
            releases.insert(release.version.clone(), release);
        }
        let next = parsed.value.version.unwrap_or(1);
        let roster = roster::roster(&at_version(parsed), None, now)?;
        Ok(Known {
            releases,
            ..Known::new(muster_proto::documents::Roster { version: next, ..roster }, now)
        })
    }
}

/// A roster file stands for itself here, whatever came before it.
fn at_version(parsed: Parsed<RosterYaml>) -> Parsed<RosterYaml> {
    Parsed { value: RosterYaml { version: None, ..parsed.value }, places: parsed.places }
}

/// What lint found.
struct Linted(Vec<Finding>);

impl Serialize for Linted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        to_json(&self.0).serialize(serializer)
    }
}

impl fmt::Display for Linted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        let last = match self.0.iter().any(Finding::is_error) {
            true => ". Nothing was written.",
            false => ". It can be frozen.",
        };
        writeln!(f, "{}{last}", tally(&self.0))
    }
}

/// Compiles and lints a plan as `freeze` does.
///
/// # Errors
/// All findings, when one of them is an error.
pub fn frozen(parsed: &Parsed<PlanYaml>, known: &Known) -> Result<(Plan, Vec<Finding>), Failure> {
    let frozen = freeze(parsed, known)?;
    Ok((frozen.plan, frozen.warnings))
}
