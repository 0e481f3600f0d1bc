//! Pace: who before a node still holds its turn (rules 1 and 4).

use super::reason::Reason;
use super::sight::{Row, Sight, millis};
use crate::documents::NodeName;

/// Fewer than `parallel` undone predecessors are present.
///
/// # Errors
/// [`Reason::Turn`] with those who are.
pub fn turn<'a>(
    sight: &Sight<'_>,
    before: impl Iterator<Item = &'a NodeName>,
) -> Result<(), Reason> {
    let parallel = sight.plan().parallel;
    let holding = before.filter(|node| sight.row(node).is_some_and(|row| holds(sight, row)));
    let nodes: Vec<NodeName> = holding.cloned().collect();
    if (nodes.len() as u32) < parallel { Ok(()) } else { Err(Reason::Turn { nodes, parallel }) }
}

/// Undone and present: it will act, or says that it is at work. Who is absent, asks for too
/// long, has failed or is not to be believed holds nobody up; he counts against the budget.
fn holds(sight: &Sight<'_>, row: &Row<'_>) -> bool {
    let believed = row.listed && row.facts.is_some_and(|facts| !facts.quarantined);
    if row.outcome().is_some() || !believed || !sight.is_present(row) {
        return false;
    }
    let Some(plan) = row.plan else { return true };
    let patience = millis(sight.plan().absent_after_ms);
    // Who prepared after asking has his answer. Who prepared before it was asked by a policy that
    // changed meanwhile, and his answer leaves no receipt: he holds nobody up for longer either.
    let answered = |asked| plan.prepared.is_some_and(|prepared| prepared >= asked);
    let asks = plan.asked.filter(|asked| plan.began.is_none() && !answered(*asked));
    let asks_for_long = asks.is_some_and(|at| sight.since(at) > patience);
    plan.failed.is_none() && !asks_for_long
}
