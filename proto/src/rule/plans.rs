//! Plans among each other: which is older, which takes another's place, which is over.

use jiff::Timestamp;

use super::away::Away;
use super::decision::Final;
use super::emergency;
use super::facts::{Documents, Evidence, PlanFacts};
use super::reason::Reason;
use super::sight::Sight;
use crate::documents::ids::Class;
use crate::documents::{Plan, PlanId};

/// The order of all plans of a network, both counters together. It reads signed data only, so
/// it is the same for everybody: freezing dates a plan, and serials of one counter grow with it.
pub fn rank(plan: &Plan) -> (Timestamp, Class, u64) {
    (plan.issued, plan.class, plan.serial)
}

/// The known plan of this counter and serial.
pub fn by_serial<'a>(
    documents: &Documents<'a>,
    like: &Plan,
    serial: u64,
) -> Option<(&'a PlanId, &'a Plan)> {
    let counter = like.class.counter();
    documents.others.iter().find(|(id, _)| id.serial == serial && id.class.counter() == counter)
}

/// The plan that takes this one's place, if one is known.
pub fn superseded_by<'a>(documents: &Documents<'a>) -> Option<&'a PlanId> {
    let plan = documents.plan;
    let counter = plan.class.counter();
    let replaces = |other: &Plan| {
        other.class.counter() == counter
            && other.supersedes.contains(&plan.serial)
            && rank(other) > rank(plan)
    };
    documents.others.iter().find(|(_, other)| replaces(other)).map(|(id, _)| id)
}

/// Failures of the plan, its own nodes only (rule 7): who said `failed`, and who is bad after
/// his `done`, for as long as he is bad.
pub fn failures(sight: &Sight<'_>) -> u32 {
    let stays_up = !sight.plan().leaves_down();
    let failed = sight.rows.iter().filter(|row| {
        let Some(plan) = row.plan else { return false };
        let done = plan.outcome.is_some_and(|(outcome, _)| outcome == Final::Done);
        let bad = || done && stays_up && sight.away(row).is_some_and(Away::is_failure);
        has_failed(plan) || bad()
    });
    failed.count() as u32
}

/// It said `failed`, or put its old node back.
pub fn has_failed(plan: &PlanFacts) -> bool {
    let back = plan.outcome.is_some_and(|(outcome, _)| outcome == Final::RolledBack);
    plan.failed.is_some() || back
}

/// Why nobody may begin this plan any more; none while it is open.
pub fn over(sight: &Sight<'_>) -> Option<Reason> {
    ended(sight).or_else(|| past_tolerance(sight, failures(sight)))
}

/// Over for good: what nobody can take back says so. A node that is bad for a while after its
/// `done` closes a plan only for that while, and costs nobody his turn.
pub fn over_for_good(sight: &Sight<'_>) -> bool {
    let signed = sight.rows.iter().filter(|row| row.plan.is_some_and(has_failed));
    ended(sight).is_some() || past_tolerance(sight, signed.count() as u32).is_some()
}

fn ended(sight: &Sight<'_>) -> Option<Reason> {
    if let Some(abort) = sight.documents.abort() {
        return Some(Reason::Aborted(abort.reason.clone()));
    }
    if let Some(by) = superseded_by(sight.documents) {
        return Some(Reason::Superseded(by.clone()));
    }
    if emergency::is_ended(sight.documents) {
        return Some(Reason::Ended(sight.documents.id.serial));
    }
    let until = sight.plan().valid.until;
    (sight.now >= until).then_some(Reason::Expired(until))
}

fn past_tolerance(sight: &Sight<'_>, failures: u32) -> Option<Reason> {
    let tolerated = sight.plan().failures.tolerate;
    (failures > tolerated).then_some(Reason::Over { failures, tolerated })
}

/// The last gate of `plan` is met: every wave has its number of `done`. What counts are
/// receipts, which only grow, so that a plan that comes after does not close its own way.
pub fn is_complete(plan: &Plan, id: &PlanId, evidence: &Evidence) -> bool {
    plan.waves.iter().all(|wave| {
        let done = wave.nodes.iter().filter(|node| {
            let outcome = evidence.plan(node, id).and_then(|plan| plan.outcome);
            outcome.is_some_and(|(outcome, _)| outcome == Final::Done)
        });
        done.count() as u32 >= wave.done
    })
}

/// The first of `after` that is not complete; an unknown one is not.
pub fn waits_for(sight: &Sight<'_>) -> Option<u64> {
    let complete = |serial: u64| {
        let earlier = by_serial(sight.documents, sight.plan(), serial);
        earlier.is_some_and(|(id, plan)| is_complete(plan, id, sight.evidence))
    };
    sight.plan().after.iter().copied().find(|serial| !complete(*serial))
}
