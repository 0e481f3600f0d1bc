//! Whether the chain survives, and whether anybody may ever begin.

use std::collections::BTreeSet;

use super::{Context, quorum};
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::author::values::Share;
use crate::documents::plan::{Action, Budget, Compatibility, Unmanaged};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    active(context, found);
    if plan.compatibility == Compatibility::Compatible && !plan.action.only_gives() {
        halts(context, found);
    }
    let Some(down) = context.counted() else { return };
    let order = context.order_seats();
    let unmanaged = context.unmanaged_seats();
    if plan.action == Action::Stop {
        let away = most_away(context);
        if away > down {
            let note = format!("{away} seats would be away, {down} may be");
            let finding = Finding::new(Code::P016, "budget.down").note(note);
            found.push(finding.fix("`budget: all` to halt the chain, or fewer nodes"));
        }
    } else if order.is_empty() {
        // Nodes without a seat take nobody away.
    } else if down == 0 {
        let finding = Finding::new(Code::P037, "budget.down");
        found.push(finding.note("0 seats may be away").fix("1 at least"));
    } else if unmanaged.len() as u32 + 1 > down {
        let note = format!("{} without an agent, {down} may be away", unmanaged.len());
        let finding = Finding::new(Code::P038, "budget.down").note(note);
        found.push(finding.fix("a larger budget, agents there, or `unmanaged: assume-up`"));
    }
}

/// Seats that are away when the last node of a stop begins, its own included.
fn most_away(context: &Context<'_>) -> u32 {
    let plan = context.plan;
    let ordered: BTreeSet<_> = plan.order().map(|(_, name)| name).collect();
    let assumed_up = plan.unmanaged == Unmanaged::AssumeUp;
    let gone = context.seats_of_only(|member| match member.key {
        Some(_) => ordered.contains(&member.name),
        None => !assumed_up,
    });
    // A node of a group takes its seat away for a moment, although the others of it stay.
    let own = context.order_seats().iter().any(|seat| !gone.contains(seat));
    gone.len() as u32 + u32::from(own)
}

fn active(context: &Context<'_>, found: &mut Vec<Finding>) {
    let roster = context.known.roster.consensus.active;
    let meant = match context.yaml.map(|yaml| yaml.budget) {
        Some(Share::Of { active, .. }) => active,
        _ => context.plan.active,
    };
    if meant != roster {
        let note = format!("the roster says {roster} are active");
        let finding = Finding::new(Code::P036, "budget.down").note(note);
        found.push(finding.fix(format!("`… of {roster}`")));
    }
}

fn halts(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, active) = (context.plan, context.plan.active);
    let down = match plan.budget {
        Budget::All => {
            let fix = "`budget: {down: … of …}`, or `compatibility: halting` if a halt is meant";
            found.push(Finding::new(Code::P041, "budget").fix(fix));
            return;
        }
        Budget::Seats(down) => down,
    };
    let left = active.saturating_sub(down);
    if 3 * u64::from(left) <= 2 * u64::from(active) {
        let most = active.saturating_sub(quorum(active));
        let note = format!(
            "{down} of {active} away leaves {left}; a block needs more than 2/3 ({})",
            quorum(active)
        );
        let finding = Finding::new(Code::P014, "budget.down").note(note);
        let why = format!("a compatible {} must keep consensus alive", plan.action.word());
        let fix = format!("at most `{most} of {active}`, or `compatibility: halting` if meant");
        found.push(finding.why(why).fix(fix));
    }
}
