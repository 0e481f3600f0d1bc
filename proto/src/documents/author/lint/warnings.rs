//! What officers should know before they sign, and may sign all the same.

use super::{Context, some};
use crate::documents::author::codes::Code;
use crate::documents::author::estimate::{Estimate, rough};
use crate::documents::author::finding::Finding;
use crate::documents::plan::{Action, Budget, Unmanaged};

/// Longer than this, an abort could be hidden for longer than people keep watch.
const VALID_MS: u64 = 7 * 86_400_000;
/// A fleet of fewer nodes has no use for a canary.
const FLEET_NODES: usize = 3;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    silent_seats(context, found);
    pace(context, found);
    canary(context, found);
    times(context, found);
    halt(context, found);
    assumed_up(context, found);
}

fn silent_seats(context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(down) = context.counted() else { return };
    let unmanaged = context.unmanaged_seats();
    let doubtful: Vec<_> = (context.known.doubtful.iter())
        .filter(|(name, _)| context.seat(name).is_some_and(|seat| !unmanaged.contains(seat)))
        .collect();
    let silent = unmanaged.len() + doubtful.len();
    if doubtful.is_empty() || (silent as u32) < down {
        return;
    }
    let note = format!("{silent} of {down}: {}", some(doubtful.iter().map(|(name, _)| *name)));
    let why = doubtful.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>();
    let finding = Finding::new(Code::P201, "budget.down").note(note).why(why.join(" · "));
    found.push(finding.fix("bring them back first, or reach their operators"));
}

fn pace(context: &Context<'_>, found: &mut Vec<Finding>) {
    let Some(down) = context.counted() else { return };
    if context.plan.parallel > down && down > 0 && !context.order_seats().is_empty() {
        let note = format!("{} at a time, {down} may be away", context.plan.parallel);
        let fix = format!("`parallel: {down}`");
        found.push(Finding::new(Code::P202, "parallel").note(note).fix(fix));
    }
}

fn canary(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    if let (Action::Upgrade(_), [only]) = (&plan.action, plan.waves.as_slice())
        && only.nodes.len() >= FLEET_NODES
    {
        let fix = "a first wave of one or two nodes, with a soak";
        found.push(Finding::new(Code::P205, "order[0].wave").fix(fix));
    }
}

fn times(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let valid = plan.valid.until.duration_since(plan.valid.from).as_millis();
    let valid = u64::try_from(valid).unwrap_or(0);
    let estimate = Estimate::of(plan);
    if valid > 0 && estimate.expected_ms > valid {
        let note = format!("about {}, valid for {}", estimate.expected(), rough(valid));
        let fix = "a later `until`, a shorter soak or a higher `parallel`";
        found.push(Finding::new(Code::P206, "valid.until").note(note).fix(fix));
    }
    if valid > VALID_MS {
        let note = format!("for {}", rough(valid));
        found.push(Finding::new(Code::P207, "valid.until").note(note).fix("7 days at most"));
    }
}

fn halt(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let quorum = super::quorum(plan.active);
    let seats = match plan.budget {
        _ if plan.action.only_gives() => return,
        Budget::All => context.order_seats().len() as u32,
        Budget::Seats(down) => down,
    };
    // More seats than active ones may stand in a roster; which of them are active changes.
    let halting = plan.compatibility == crate::documents::plan::Compatibility::Halting;
    if halting && plan.active.saturating_sub(seats) < quorum {
        let note = format!("{seats} seats away at once are allowed");
        found.push(Finding::new(Code::P208, "budget").note(note).fix("sign it only if meant"));
    }
}

fn assumed_up(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    if plan.unmanaged != Unmanaged::AssumeUp || plan.action.only_gives() {
        return;
    }
    let seats = plan.members.iter().filter(|member| member.key.is_none() && member.seat.is_some());
    let names: Vec<_> = seats.map(|member| &member.name).collect();
    if !names.is_empty() {
        let fix = "`unmanaged: away` counts them against the budget";
        found.push(Finding::new(Code::P209, "unmanaged").note(some(names)).fix(fix));
    }
}
