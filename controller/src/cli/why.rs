//! `muster why NODE|PLAN`.

use clap::Args;
use muster_proto::documents::PlanId;

use super::exit::Exit;
use super::failure::Failure;
use super::named::{PlanName, node};
use super::shell::Shell;
use super::watch::look;
use super::watcher::Watcher;
use crate::view::rollout::{Rollout, State, Trend};
use crate::view::why::{why_node, why_plan};

/// `muster why`
#[derive(Debug, Args)]
pub struct Why {
    /// A node of the roster, or a plan such as 42, hotfix/42 or emergency/7
    what: String,
    /// Of a node: under this plan; by default under every plan that is not over
    #[arg(long, value_parser = super::named::plan)]
    plan: Option<PlanName>,
}

/// Runs the command.
///
/// # Errors
/// `U010` to `U012`.
pub fn run(shell: &Shell, args: &Why) -> Result<Exit, Failure> {
    let watcher = shell.block_on(Watcher::refreshed(shell))?;
    let named_node = watcher.roster()?.nodes.iter().any(|one| one.name.as_str() == args.what);
    match (named_node, args.what.parse::<PlanName>()) {
        (false, Ok(name)) => {
            let (id, _) = name.find(watcher.plans())?;
            shell.say(&why_plan(look(&watcher, id, &mut Trend::default())?))?;
        }
        _ => node_under_plans(shell, &watcher, args)?,
    }
    Ok(Exit::Done)
}

fn node_under_plans(shell: &Shell, watcher: &Watcher, args: &Why) -> Result<(), Failure> {
    let name = node(watcher.roster()?, &args.what)?;
    let (plans, evidence) = (watcher.plans(), watcher.book.evidence());
    let looks = plans.keys().map(|id| Ok((id, look(watcher, id, &mut Trend::default())?)));
    let looks: Vec<(&PlanId, Rollout)> = looks.collect::<Result<_, Failure>>()?;
    let meant = |(id, rollout): &&(&PlanId, Rollout)| match &args.plan {
        Some(plan) => plan.fits(id.class, id.serial),
        None => {
            let part = rollout.nodes.iter().find(|line| line.name == name);
            let open = part.is_some_and(|line| !line.place.is_final());
            open && matches!(rollout.state, State::NotYetValid(_) | State::Waiting | State::Running)
        }
    };
    let found: Vec<_> = looks.iter().filter(meant).collect();
    if let (true, Some(plan)) = (found.is_empty(), &args.plan) {
        return Err(Failure::new("U010", format!("no verified plan is named {plan}")));
    }
    // Nothing open: then what was last is the answer.
    let last = looks.iter().max_by_key(|(id, _)| plans[*id].issued);
    let shown = if found.is_empty() { last.into_iter().collect() } else { found };
    if shown.is_empty() {
        return Err(Failure::new("U010", "no plan has been published yet"));
    }
    let mut reports =
        shown.into_iter().map(|(id, look)| why_node(look, &plans[*id], evidence, &name));
    reports.try_for_each(|report| shell.say(&report))
}
