//! `muster emergency restart`: the cure of 2025 as one command. It is an ordinary urgent plan under
//! the full threshold, because it starts nodes; so the first officer's command writes, signs and
//! keeps it, and the others sign and publish the file.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::Class;
use muster_proto::documents::ids::Counter;
use muster_proto::trust::draft::Draft;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::freeze::whole;
use super::key;
use super::known::newest;
use super::named::PlanName;
use super::one_go::{Going, State, Went, composed, order};
use super::shell::Shell;
use super::sign::verified;
use super::watcher::Watcher;
use crate::view::draft::{Shown, lines, shown};

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
    #[command(flatten)]
    going: Going,
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
    if args.going.dry_run {
        shell.say(&Restarted::new(plan, before, Went::nowhere(State::DryRun)))?;
        return Ok(Exit::Done);
    }
    shell.remark(&before);
    let question = format!("Type the network's name ({}) to sign plan {plan}", context.network);
    shell.confirm_by(&question, &context.network, args.going.yes)?;
    let key = key::open(&args.key, &args.going.passphrase)?;
    let name = format!("restart-{serial}");
    let (merged, went) = Went::out(shell, &name, (&args.key, &key), &draft, &checked)?;
    let restarted = Restarted::new(plan, shown(&checked, &merged), went);
    shell.say(&restarted)?;
    restarted.went.then_watch(shell, plan, &args.going)
}

/// The plan, frozen as from a file.
fn made(watcher: &Watcher, args: &Restart, serial: u64) -> Result<Draft, Failure> {
    let now = watcher.trust.now(Timestamp::now());
    composed(watcher, TEXT, &text(watcher, args, serial, whole(now))?, now)
}

/// What an author would have written.
fn text(watcher: &Watcher, args: &Restart, serial: u64, now: Timestamp) -> Result<String, Failure> {
    let until = now
        .checked_add(args.valid)
        .map_err(|error| Failure::new("U007", "--valid is too long").because(&error))?;
    let roster = watcher.roster()?;
    // Those without a seat first, as they cost nothing when it goes wrong.
    let nodes = order(roster, &args.nodes, false)?;
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

#[derive(Serialize)]
struct Restarted {
    plan: String,
    at: Timestamp,
    shown: Shown,
    #[serde(flatten)]
    went: Went,
}

impl Restarted {
    fn new(plan: PlanName, shown: Shown, went: Went) -> Self {
        Self { plan: plan.to_string(), at: Timestamp::now(), shown, went }
    }
}

impl fmt::Display for Restarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, time) = (&self.plan, self.at.strftime("%H:%M:%S UTC"));
        match self.went.state {
            State::DryRun => write!(f, "{}", self.shown)?,
            State::Waiting => {
                writeln!(f, "plan {plan} is signed by you and NOT published")?;
                lines(f, &self.shown.needs)?;
            }
            State::Published => writeln!(f, "published {time} as plan {plan}")?,
        }
        self.went.fmt(f)
    }
}
