//! `muster emergency restart`: the cure of 2025 as one command. It is an ordinary urgent plan under
//! the full threshold, because it starts nodes; so the first officer's command writes, signs and
//! keeps it, and the others sign and publish the file.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::author::{Parsed, PlanYaml, read};
use muster_proto::documents::ids::Counter;
use muster_proto::documents::{Class, Roster};
use muster_proto::trust::draft::Draft;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::failure::{At, Failure};
use super::freeze::{frozen_plan, whole};
use super::key;
use super::known::newest;
use super::named::{self, PlanName};
use super::one_go::{Files, State, kept, signed};
use super::passphrase::Source;
use super::publish::{Answer, send};
use super::shell::Shell;
use super::sign::verified;
use super::watch::{self, Watch};
use super::watcher::Watcher;
use crate::view::draft::{Shown, shown};
use crate::view::words::labelled;

/// What the text is called in findings.
const TEXT: &str = "emergency restart";

/// `muster emergency restart`
#[derive(Debug, Args)]
pub struct Restart {
    /// Why, for everybody who looks
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Refuse, unless this directory follows this network
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Your signing key, of the role hotfix
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// Only these, in this order [default: everybody with an agent, those without a seat first]
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    nodes: Vec<String>,
    /// Seats that may be away at one moment
    #[arg(long, default_value_t = 1, value_name = "SEATS")]
    down: u32,
    /// Everybody at the same moment: a chain that is halted already comes back only so
    #[arg(long, conflicts_with = "down")]
    at_once: bool,
    /// Open plans whose place this takes
    #[arg(long, value_delimiter = ',', value_name = "SERIAL")]
    supersedes: Vec<u64>,
    /// For how long somebody may still begin
    #[arg(long, default_value = "6h", value_name = "TIME")]
    valid: SignedDuration,
    /// You have read what it shows: do not ask
    #[arg(long)]
    yes: bool,
    /// Show what would happen; sign and send nothing
    #[arg(long)]
    dry_run: bool,
    /// End when it is published
    #[arg(long)]
    no_watch: bool,
    /// Stop watching after this long (such as 90s, 20m); exit code 4
    #[arg(long, value_name = "TIME")]
    timeout: Option<SignedDuration>,
    #[command(flatten)]
    passphrase: Source,
}

/// Runs the command.
///
/// # Errors
/// Whatever refuses the plan, the key or the publication.
pub fn run(shell: &Shell, args: &Restart) -> Result<Exit, Failure> {
    let context = Context::load(shell)?;
    context.is_of(args.network.as_deref(), shell)?;
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let serial = newest(&watcher.trust, Counter::Ordinary) + 1;
    let draft = made(&watcher, args, serial)?;
    let (checked, warnings) = verified(shell, &draft)?;
    warnings.iter().for_each(|warning| shell.remark(warning));
    let before = shown(&checked, &checked.merge(&[])?);
    let plan = PlanName { class: Some(Class::Hotfix), serial };
    if args.dry_run {
        shell.say(&Restarted::new(plan, before, State::DryRun))?;
        return Ok(Exit::Done);
    }
    shell.remark(&before);
    let question = format!("Type the network's name ({}) to sign plan {plan}", context.network);
    shell.confirm_by(&question, &context.network, args.yes)?;
    let key = key::open(&args.key, &args.passphrase)?;
    let (merged, signature) = signed(&checked, &key).at(args.key.display())?;
    let (after, name) = (shown(&checked, &merged), format!("restart-{serial}"));
    let Some(publication) = merged.publication() else {
        let files = Some(kept(&name, &args.key, &draft, &signature)?);
        shell.say(&Restarted { files, ..Restarted::new(plan, after, State::Waiting) })?;
        return Ok(Exit::Waiting);
    };
    let boards = match send(shell, publication) {
        Ok(boards) => boards,
        Err(failure) => return Err(kept(&name, &args.key, &draft, &signature)?.unsent(failure)),
    };
    shell.say(&Restarted { boards, ..Restarted::new(plan, after, State::Published) })?;
    match args.no_watch {
        true => Ok(Exit::Done),
        false => watch::run(shell, &Watch { plan, timeout: args.timeout, lines: false }),
    }
}

/// The plan, frozen as from a file.
fn made(watcher: &Watcher, args: &Restart, serial: u64) -> Result<Draft, Failure> {
    let now = watcher.trust.now(Timestamp::now());
    let text = text(watcher, args, serial, whole(now))?;
    let parsed: Parsed<PlanYaml> = read(TEXT, &text)?;
    // Its warnings are told by the check, as to every signer.
    let (draft, _) = frozen_plan(watcher, &parsed, now)?;
    // What is shown and signed is what its bytes say, as when it comes as a file.
    Ok(Draft::from_bytes(&draft.to_bytes())?)
}

/// What an author would have written.
fn text(watcher: &Watcher, args: &Restart, serial: u64, now: Timestamp) -> Result<String, Failure> {
    let until = now
        .checked_add(args.valid)
        .map_err(|error| Failure::new("U007", "--valid is too long").because(&error))?;
    let roster = watcher.roster()?;
    let nodes = order(roster, &args.nodes)?;
    let (active, down) = (roster.consensus.active, args.down);
    let pace = match args.at_once {
        true => format!("budget: all\ncompatibility: halting\nparallel: {}\n", nodes.len().max(1)),
        false => format!("budget: {{down: {down} of {active}}}\n"),
    };
    let named: Vec<_> = args.supersedes.iter().map(u64::to_string).collect();
    let supersedes = match named.is_empty() {
        true => String::new(),
        false => format!("supersedes: [{}]\n", named.join(", ")),
    };
    let (network, reason) = (&watcher.context.network, serde_json::to_string(&args.reason)?);
    let nodes = nodes.join(", ");
    Ok(format!(
        "muster: plan/v1\nnetwork: {network}\nserial: {serial}\ntitle: {reason}\n\
         class: hotfix\nurgency: urgent\nvalid: {{from: {now}, until: {until}}}\n\
         action: restart\n{supersedes}order:\n  \
         - {{wave: everybody, nodes: [{nodes}]}}\n{pace}"
    ))
}

/// Who is meant, in order: those without a seat first, as they cost nothing when it goes wrong.
fn order(roster: &Roster, named: &[String]) -> Result<Vec<String>, Failure> {
    if !named.is_empty() {
        let named = named.iter().map(|name| named::node(roster, name.trim()));
        return named.map(|name| Ok(name?.to_string())).collect();
    }
    let mut nodes: Vec<_> = roster.nodes.iter().filter(|node| node.managed()).collect();
    nodes.sort_by(|a, b| (a.seat, &a.name).cmp(&(b.seat, &b.name)));
    Ok(nodes.iter().map(|node| node.name.to_string()).collect())
}

#[derive(Serialize)]
struct Restarted {
    plan: String,
    at: Timestamp,
    state: State,
    shown: Shown,
    boards: Vec<Answer>,
    #[serde(flatten)]
    files: Option<Files>,
}

impl Restarted {
    fn new(plan: PlanName, shown: Shown, state: State) -> Self {
        let (plan, at) = (plan.to_string(), Timestamp::now());
        Self { plan, at, state, shown, boards: Vec::new(), files: None }
    }
}

impl fmt::Display for Restarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, time) = (&self.plan, self.at.strftime("%H:%M:%S UTC"));
        match self.state {
            State::DryRun => {
                write!(f, "{}", self.shown)?;
                return writeln!(f, "Nothing was signed and nothing was sent (--dry-run).");
            }
            State::Waiting => {
                writeln!(f, "plan {plan} is signed by you and NOT published")?;
                for need in &self.shown.needs {
                    writeln!(f, "{}", labelled("needs", &need.to_string()))?;
                }
            }
            State::Published => writeln!(f, "published {time} as plan {plan}")?,
        }
        self.boards.iter().try_for_each(|answer| writeln!(f, "{answer}"))?;
        let mut files = self.files.iter().flat_map(Files::lines);
        files.try_for_each(|line| writeln!(f, "{line}"))
    }
}
