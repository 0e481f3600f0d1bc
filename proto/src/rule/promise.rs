//! One plan at a time: the promise of rule 2, and the set C of those who have not given it.
//!
//! `acknowledged(plan, in hand)` says: from here on I begin nothing older, and I begin this
//! plan only when nothing older is in hand. What was in hand ends with its final receipt.

use super::facts::{Documents, Evidence, PlanFacts};
use super::plans::{by_serial, over_for_good, rank};
use super::reason::Reason;
use super::sight::{Row, Sight};
use crate::documents::ids::Counter;
use crate::documents::plan::Member;
use crate::documents::{NodeName, Plan, PlanId};

/// The promise is given, and nothing older is in hand any more.
pub fn is_complete_for(row: &Row<'_>) -> bool {
    let Some(acknowledged) = row.plan.and_then(|plan| plan.acknowledged.as_ref()) else {
        return false;
    };
    let is_final = |plan: &PlanId| {
        let facts = row.facts.and_then(|facts| facts.plans.get(plan));
        facts.is_some_and(|plan| plan.outcome.is_some())
    };
    acknowledged.in_hand.as_ref().is_none_or(is_final)
}

/// Counts in C: has an agent that could act on an older plan, and has not promised.
pub fn is_owed_by(row: &Row<'_>) -> bool {
    row.member.key.is_some() && !is_complete_for(row)
}

/// A newer plan that this node has acknowledged; it begins nothing older.
pub fn promised_newer<'a>(documents: &Documents<'a>, facts: Promises<'_>) -> Option<&'a PlanId> {
    let this = rank(documents.plan);
    let newer = documents.others.iter().filter(|(_, other)| rank(other) > this);
    newer.map(|(id, _)| id).find(|id| facts.acknowledged(id))
}

/// The promises of one node.
#[derive(Clone, Copy)]
pub struct Promises<'a>(pub Option<&'a super::facts::NodeFacts>);

impl Promises<'_> {
    fn acknowledged(self, plan: &PlanId) -> bool {
        let facts = self.0.and_then(|facts| facts.plans.get(plan));
        facts.is_some_and(|plan| plan.acknowledged.is_some())
    }
}

/// Whether `me` may promise now: no older plan that is open still has a turn to give him,
/// unless this one takes its place.
///
/// # Errors
/// The older plan that comes first.
pub fn may_acknowledge(sight: &Sight<'_>, me: &NodeName) -> Result<(), Reason> {
    let plan = sight.plan();
    // A stop waits for nobody, not even for another stop.
    if plan.schedule.is_some() {
        return Ok(());
    }
    let older = sight.documents.others.iter().filter(|(_, other)| rank(other) < rank(plan));
    for (id, other) in older {
        if !gives_way(other, plan) && has_a_turn(sight, me, id, other) {
            return Err(Reason::After(other.serial));
        }
    }
    // A plan that is named and not known here may still be on its way to us.
    let unknown = |serial: &&u64| by_serial(sight.documents, plan, **serial).is_none();
    match plan.after.iter().find(unknown) {
        Some(serial) => Err(Reason::After(*serial)),
        None => Ok(()),
    }
}

/// The older plan gives way to the newer one: it is named as superseded or ended, or it is
/// ordinary and the newer one an emergency, which waits for nobody's turn.
pub fn gives_way(older: &Plan, newer: &Plan) -> bool {
    match (older.class.counter(), newer.class.counter()) {
        (one, other) if one == other => newer.supersedes.contains(&older.serial),
        (Counter::Emergency, _) => {
            newer.ended_emergencies().is_some_and(|ends| ends.emergency >= older.serial)
        }
        (Counter::Ordinary, _) => true,
    }
}

/// The older plan may still want something of `me`.
fn has_a_turn(sight: &Sight<'_>, me: &NodeName, id: &PlanId, other: &Plan) -> bool {
    let ordered = other.order().any(|(_, node)| node == me);
    let mine = sight.evidence.plan(me, id);
    let is_final = mine.is_some_and(|facts: &PlanFacts| facts.outcome.is_some());
    ordered && !is_final && !is_past(sight, me, id, other)
}

/// The older plan is over, or `me` has promised a newer one than it.
fn is_past(sight: &Sight<'_>, me: &NodeName, id: &PlanId, other: &Plan) -> bool {
    let documents = Documents {
        id,
        plan: other,
        roster: sight.documents.roster,
        // This plan is not among them: it would not be asked for otherwise.
        others: sight.documents.others,
        aborts: sight.documents.aborts,
    };
    let then = Sight::new(&documents, sight.evidence, sight.now);
    let promises = Promises(sight.evidence.nodes.get(me));
    over_for_good(&then) || promised_newer(&documents, promises).is_some()
}

/// A member whose promise is missing, for people.
pub fn owing<'a>(sight: &'a Sight<'_>) -> impl Iterator<Item = &'a Member> {
    sight.rows.iter().filter(|row| is_owed_by(row)).map(|row| row.member)
}

/// What is begun by `me` and not final, other than `this`.
pub fn in_hand(evidence: &Evidence, me: &NodeName, this: &PlanId) -> Option<PlanId> {
    let facts = evidence.nodes.get(me)?;
    let open = |(id, plan): &(&PlanId, &PlanFacts)| {
        *id != this && plan.began.is_some() && plan.outcome.is_none()
    };
    facts.plans.iter().find(open).map(|(id, _)| id.clone())
}
