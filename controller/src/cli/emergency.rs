//! `muster emergency stop`: one command at night. It writes the plan, shows in words what it does,
//! asks once, signs, hands it to every board and stays until all are down.
//!
//! The plan goes the way of every other: it is composed as an author's text and read, linted,
//! frozen, verified, signed and merged by the same code that files go through.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::Class;
use muster_proto::documents::author::Code;
use muster_proto::documents::author::values::Millis;
use muster_proto::documents::ids::Counter;
use muster_proto::trust::Trust;
use muster_proto::trust::draft::{Checked, Document, Draft, Merged};
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::freeze::whole;
use super::key;
use super::known::newest;
use super::named::PlanName;
use super::one_go::{Going, State, Went, composed, order};
use super::restart::{self, Restart};
use super::shell::Shell;
use super::sign::verified;
use super::watcher::Watcher;
use crate::view::draft::{Needed, lines, needs};
use crate::view::emergency::{Input, Preview, preview};

/// What the text is called in findings.
const TEXT: &str = "emergency stop";

/// `muster emergency`
#[derive(Debug, Subcommand)]
pub enum Emergency {
    /// Stop nodes, one by one or at once, and keep them down until a hotfix ends it
    Stop(Stop),
    /// Restart nodes, within a budget or at once; it starts nodes, so it takes the full threshold
    Restart(Restart),
}

/// `muster emergency stop`
#[derive(Debug, Args)]
pub struct Stop {
    /// Why, for everybody who looks
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Refuse, unless this directory follows this network
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Your signing key, of the role emergency
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// Only these, in this order [default: everybody with an agent, seats first]
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    nodes: Vec<String>,
    /// Time between two nodes at the latest
    #[arg(long, default_value = "5s", value_name = "TIME")]
    pace: SignedDuration,
    /// Everybody at the same moment
    #[arg(long, conflicts_with = "pace")]
    at_once: bool,
    /// When the first one goes at the latest (such as 2026-07-27T03:15:00Z) [default: now]
    #[arg(long, value_name = "WHEN")]
    start: Option<Timestamp>,
    /// For how long somebody may still begin; what is down stays down
    #[arg(long, default_value = "6h", value_name = "TIME")]
    valid: SignedDuration,
    #[command(flatten)]
    going: Going,
}

/// Runs the command.
///
/// # Errors
/// Whatever refuses the plan, the key or the publication.
pub fn run(shell: &Shell, command: &Emergency) -> Result<Exit, Failure> {
    match command {
        Emergency::Stop(args) => stop(shell, args),
        Emergency::Restart(args) => restart::run(shell, args),
    }
}

fn stop(shell: &Shell, args: &Stop) -> Result<Exit, Failure> {
    let context = Context::load(shell)?;
    context.is_of(args.network.as_deref(), shell)?;
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let (checked, warnings) = verified(shell, &made(&watcher, args)?)?;
    // That the chain halts is said with more in the preview.
    let others = warnings.iter().filter(|warning| warning.code != Code::P208);
    others.for_each(|warning| shell.remark(warning));
    let shown = shown(&watcher, &checked, args)?;
    if args.going.dry_run {
        shell.say(&Fired::new(shown, Went::nowhere(State::DryRun), &checked.merge(&[])?))?;
        return Ok(Exit::Done);
    }
    shell.remark(&shown);
    shell.confirm_by(&question(&context, &checked, args)?, &context.network, args.going.yes)?;
    let key = key::open(&args.key, &args.going.passphrase)?;
    // Reading and typing took a while. Where no board answers, what is signed is kept as a file.
    let watcher = match shell.block_on(Watcher::refreshed(shell)) {
        Ok(newer) => not_fired_since(&watcher, newer)?,
        Err(_) => watcher,
    };
    // The slots begin now, unless a moment was named.
    let draft = made(&watcher, args)?;
    let (checked, _) = verified(shell, &draft)?;
    let plan = PlanName { class: Some(Class::Emergency), serial: serial(&checked) };
    let name = format!("emergency-{}", plan.serial);
    let shown = self::shown(&watcher, &checked, args)?;
    let (merged, went) = Went::out(shell, &name, (&args.key, &key), &draft, &checked)?;
    let fired = Fired::new(shown, went, &merged);
    shell.say(&fired)?;
    fired.went.then_watch(shell, plan, &args.going)
}

/// Two officers who wake at the same moment need one stop, and the second one should know.
fn not_fired_since(before: &Watcher, now: Watcher) -> Result<Watcher, Failure> {
    let last = newest(&before.trust, Counter::Emergency);
    let mut plans = now.plans().iter();
    let other = plans.find(|(id, _)| id.class == Class::Emergency && id.serial > last);
    match other {
        None => Ok(now),
        Some((id, plan)) => {
            let what = format!("{id} was published while this was read: {}", plan.title);
            let next = format!("muster watch {id}; give the command again if that is not enough");
            Err(Failure::new("U051", what).next(next))
        }
    }
}

/// The plan, frozen as from a file.
fn made(watcher: &Watcher, args: &Stop) -> Result<Draft, Failure> {
    let now = watcher.trust.now(Timestamp::now());
    composed(watcher, TEXT, &text(watcher, args, whole(now))?, now)
}

/// What an author would have written.
fn text(watcher: &Watcher, args: &Stop, now: Timestamp) -> Result<String, Failure> {
    let serial = newest(&watcher.trust, Counter::Emergency) + 1;
    let start = args.start.unwrap_or(now).max(now);
    let until = start
        .checked_add(args.valid)
        .map_err(|error| Failure::new("U007", "--valid is too long").because(&error))?;
    let pace = if args.at_once { SignedDuration::ZERO } else { args.pace };
    let pace = u64::try_from(pace.as_millis());
    let pace = Millis(pace.map_err(|_| Failure::new("U007", "--pace goes back in time"))?);
    // Seats first, as they halt the chain and others only follow it.
    let nodes = order(watcher.roster()?, &args.nodes, true)?.join(", ");
    let (network, reason) = (&watcher.context.network, serde_json::to_string(&args.reason)?);
    Ok(format!(
        "muster: plan/v1\nnetwork: {network}\nserial: {serial}\ntitle: {reason}\n\
         class: emergency\nurgency: urgent\nvalid: {{from: {now}, until: {until}}}\n\
         action: stop\nschedule: {{start: {start}, pace: {pace}}}\norder:\n  \
         - {{wave: everybody, nodes: [{nodes}]}}\nbudget: all\n"
    ))
}

fn shown(watcher: &Watcher, checked: &Checked, args: &Stop) -> Result<Preview, Failure> {
    let Document::Plan(plan) = checked.document() else {
        return Err(Failure::new("U000", "the draft holds no plan"));
    };
    let input = Input {
        plan,
        roster: watcher.roster()?,
        evidence: watcher.book.evidence(),
        again: keys(&watcher.trust, "hotfix"),
        everybody: args.nodes.is_empty(),
    };
    Ok(preview(input, watcher.trust.now(Timestamp::now())))
}

/// Signatures that the role needs, and how many people may give one.
fn keys(trust: &Trust, role: &str) -> (usize, usize) {
    let roles = trust.roles();
    let found = roles.iter().find(|view| view.name == role);
    found.map_or((0, 0), |view| (view.threshold, view.signers.len()))
}

fn question(context: &Context, checked: &Checked, args: &Stop) -> Result<String, Failure> {
    let merged = checked.merge(&[])?;
    let all = needs(&merged);
    let many: Vec<_> = all
        .iter()
        .map(|need| format!("{}, {} of {}", need.of, need.threshold, need.missing.len()))
        .collect();
    Ok(format!(
        "Type the network's name ({}) to sign with {} ({})",
        context.network,
        args.key.display(),
        many.join("; ")
    ))
}

fn serial(checked: &Checked) -> u64 {
    match checked.document() {
        Document::Plan(plan) => plan.serial,
        _ => 0,
    }
}

#[derive(Serialize)]
struct Fired {
    plan: String,
    at: Timestamp,
    preview: Preview,
    needs: Vec<Needed>,
    #[serde(flatten)]
    went: Went,
}

impl Fired {
    fn new(preview: Preview, went: Went, merged: &Merged) -> Self {
        let (plan, at) = (preview.plan.clone(), Timestamp::now());
        Self { plan, at, preview, needs: needs(merged), went }
    }
}

impl fmt::Display for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, time) = (&self.plan, self.at.strftime("%H:%M:%S UTC"));
        match self.went.state {
            State::DryRun => write!(f, "{}", self.preview)?,
            State::Waiting => writeln!(f, "plan {plan} is signed by you and NOT published")?,
            State::Published => writeln!(f, "published {time} as plan {plan}")?,
        }
        if self.went.state != State::Published {
            lines(f, &self.needs)?;
        }
        self.went.fmt(f)
    }
}
