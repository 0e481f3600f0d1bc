//! `muster abort PLAN`: one command, one emergency key. It shows what becomes of everybody, asks
//! once, signs, hands it to every board, and stays until whoever was in the middle is through.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use muster_proto::documents::{Abort, PlanId};
use muster_proto::rule::Documents;
use muster_proto::trust::draft::{Draft, Merged, freeze_abort};
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::freeze::whole;
use super::key;
use super::named::PlanName;
use super::one_go::{Going, State, Went, as_file};
use super::shell::{Secrecy, Shell, create};
use super::sign::verified;
use super::watcher::Watcher;
use crate::view::abort::{Preview, preview};
use crate::view::draft::{Needed, lines, needs};

/// Longest reason, in characters: it stands in tables.
const REASON: usize = 200;

/// `muster abort`
#[derive(Debug, Args)]
pub struct AbortPlan {
    /// Such as 42, hotfix/42 or emergency/7
    #[arg(value_parser = super::named::plan)]
    plan: PlanName,
    /// Why, for everybody who looks
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Your signing key, of the role abort
    #[arg(long, value_name = "PEM", required_unless_present_any = ["output", "dry_run"])]
    key: Option<PathBuf>,
    /// Only write a draft for others to sign; never over an existing file
    #[arg(short, long, conflicts_with = "key")]
    output: Option<PathBuf>,
    #[command(flatten)]
    going: Going,
}

/// Runs the command.
///
/// # Errors
/// Whatever refuses the abort, the key or the publication.
pub fn run(shell: &Shell, args: &AbortPlan) -> Result<Exit, Failure> {
    let context = Context::load(shell)?;
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let (id, _) = args.plan.find(watcher.plans())?;
    let draft = made(&watcher, args, id)?;
    let (checked, _) = verified(shell, &draft)?;
    let shown = shown(&watcher, args, id)?;
    let unsigned = checked.merge(&[])?;
    if args.going.dry_run {
        shell.say(&Aborted::new(shown, Went::nowhere(State::DryRun), &unsigned))?;
        return Ok(Exit::Done);
    }
    let Some(path) = &args.key else { return written(shell, args, &draft, shown, &unsigned) };
    shell.remark(&shown);
    let question = format!("Type the network's name ({}) to abort {id}", context.network);
    shell.confirm_by(&question, &context.network, args.going.yes)?;
    let key = key::open(path, &args.going.passphrase)?;
    let name = format!("abort-{}-{}", id.class, id.serial);
    let (merged, went) = Went::out(shell, &name, (path, &key), &draft, &checked)?;
    let aborted = Aborted::new(shown, went, &merged);
    shell.say(&aborted)?;
    // That the plan did not come to its own end is what was asked for.
    Ok(match aborted.went.then_watch(shell, args.plan, &args.going)? {
        Exit::Failed => Exit::Done,
        other => other,
    })
}

/// The abort, frozen on what the boards hold now.
fn made(watcher: &Watcher, args: &AbortPlan, id: &PlanId) -> Result<Draft, Failure> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON || reason.chars().any(char::is_control)
    {
        let what = format!("--reason takes 1 to {REASON} characters on one line");
        return Err(Failure::new("U007", what));
    }
    let now = watcher.trust.now(Timestamp::now());
    let abort = Abort::of(id, &watcher.plans()[id], whole(now), reason);
    as_file(&freeze_abort(&abort, &watcher.trust, now)?)
}

fn shown(watcher: &Watcher, args: &AbortPlan, id: &PlanId) -> Result<Preview, Failure> {
    let (roster, aborts) = (watcher.roster()?, watcher.trust.aborts());
    let mut others = watcher.plans().clone();
    others.remove(id);
    let plan = &watcher.plans()[id];
    let documents = Documents { id, plan, roster, others: &others, aborts };
    let now = watcher.trust.now(Timestamp::now());
    Ok(preview(&documents, watcher.book.evidence(), args.reason.trim(), now))
}

/// For several officers in different places: the draft alone.
fn written(
    shell: &Shell,
    args: &AbortPlan,
    draft: &Draft,
    shown: Preview,
    unsigned: &Merged,
) -> Result<Exit, Failure> {
    let Some(path) = &args.output else {
        return Err(Failure::new("U007", "neither --key nor --output"));
    };
    create(path, &draft.to_bytes(), Secrecy::Public)?;
    let output = Some(path.display().to_string());
    let went = Went::nowhere(State::Waiting);
    shell.say(&Aborted { output, ..Aborted::new(shown, went, unsigned) })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Aborted {
    plan: String,
    at: Timestamp,
    preview: Preview,
    needs: Vec<Needed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(flatten)]
    went: Went,
}

impl Aborted {
    fn new(preview: Preview, went: Went, merged: &Merged) -> Self {
        let (plan, at, needs) = (preview.plan.clone(), Timestamp::now(), needs(merged));
        Self { plan, at, preview, needs, output: None, went }
    }

    fn headline(&self) -> String {
        let plan = &self.plan;
        match (self.went.state, &self.output) {
            (State::DryRun, _) => self.preview.to_string(),
            (State::Waiting, Some(draft)) => {
                format!("{}Wrote {draft}. Next: muster sign {draft}\n", self.preview)
            }
            (State::Waiting, None) => {
                format!("the abort of {plan} is signed by you and NOT published\n")
            }
            (State::Published, _) => {
                format!("{} aborted {plan}\n", self.at.strftime("%H:%M:%S UTC"))
            }
        }
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if self.went.state != State::Published {
            lines(f, &self.needs)?;
        }
        self.went.fmt(f)
    }
}
