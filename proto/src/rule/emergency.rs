//! Emergencies fail forward: a stop that carries a schedule takes effect without anybody's leave,
//! and holds until a document of the full threshold ends it.
//!
//! Nothing is counted, no promise is waited for, and neither a board nor another agent need be
//! there: once delivered, the stop happens by each host's own clock. Evidence can only make it
//! sooner. What is stopped stays stopped: every other plan waits until the emergency is ended.

use jiff::Timestamp;

use super::decision::{Final, Observations, Permit};
use super::facts::{Documents, Evidence, PlanFacts};
use super::gates;
use super::permission::heads;
use super::reason::Reason;
use super::sight::{Row, Sight};
use crate::documents::ids::Class;
use crate::documents::plan::Schedule;
use crate::documents::{NodeName, Plan, PlanId};

/// The newest document known here that ends emergency `serial`.
pub fn ended_by<'a>(documents: &Documents<'a>, serial: u64) -> Option<(&'a PlanId, &'a Plan)> {
    let known = documents.others.iter().chain([(documents.id, documents.plan)]);
    let ends = |plan: &Plan| plan.ended_emergencies().is_some_and(|ends| ends.emergency >= serial);
    known.filter(|(_, plan)| ends(plan)).max_by_key(|(_, plan)| super::plans::rank(plan))
}

/// Nobody begins this emergency any more, as far as documents tell.
pub fn is_ended(documents: &Documents<'_>) -> bool {
    let id = documents.id;
    id.class == Class::Emergency && ended_by(documents, id.serial).is_some()
}

/// The emergency that holds this node against this plan, if one does: it took effect here and is
/// not ended. Another emergency is not held: a stop may follow a stop.
pub fn holds<'a>(
    documents: &Documents<'_>,
    evidence: &'a Evidence,
    me: &Observations,
) -> Option<&'a PlanId> {
    let holds = |(id, said): &(&PlanId, &PlanFacts)| {
        id.class == Class::Emergency
            && took_effect(said)
            && id.serial > me.ended
            && ended_by(documents, id.serial).is_none()
    };
    let facts = evidence.nodes.get(&me.me).filter(|_| documents.id.class != Class::Emergency);
    facts?.plans.iter().filter(holds).map(|(id, _)| id).max_by_key(|id| id.serial)
}

/// The document that ended what held this node, if it is still known and has a turn for it.
pub fn ending<'a>(
    documents: &Documents<'a>,
    evidence: &Evidence,
    me: &Observations,
) -> Option<(&'a PlanId, &'a Plan)> {
    let facts = evidence.nodes.get(&me.me)?;
    let held =
        facts.plans.iter().filter(|(id, said)| id.class == Class::Emergency && took_effect(said));
    let newest = held.map(|(id, _)| id.serial).max()?;
    let (id, plan) = ended_by(documents, newest)?;
    let over = facts.plans.get(id).is_some_and(|said| said.outcome.is_some());
    let ordered = plan.order().any(|(_, name)| *name == me.me);
    (ordered && !over).then_some((id, plan))
}

fn took_effect(said: &PlanFacts) -> bool {
    match said.outcome {
        Some((outcome, _)) => outcome == Final::Done,
        None => said.began.is_some(),
    }
}

/// May this node be stopped now?
///
/// # Errors
/// The reason to wait; [`Reason::Slot`] ends by itself.
pub(super) fn permission(
    sight: &Sight<'_>,
    row: &Row<'_>,
    schedule: &Schedule,
    me: &Observations,
) -> Result<Permit, Reason> {
    let plan = sight.plan();
    if let Some(reason) = super::plans::over(sight) {
        return Err(reason);
    }
    if sight.documents.id.serial <= me.ended {
        return Err(Reason::Ended(sight.documents.id.serial));
    }
    let node = &row.member.name;
    gates::place(sight, node).ok_or(Reason::NoPart)?;
    if sight.now < plan.valid.from.max(schedule.start) {
        return Err(Reason::NotYetValid(plan.valid.from.max(schedule.start)));
    }
    let slot = plan.slot(node).unwrap_or(Timestamp::MAX);
    let up = still_up(sight, node);
    if sight.now < slot && up.len() as u32 >= plan.parallel {
        return Err(Reason::Slot { at: slot, nodes: up });
    }
    Ok(Permit { sum: None, heads: heads(sight) })
}

/// Predecessors of whom no receipt says that they are down, or take no part.
fn still_up(sight: &Sight<'_>, node: &NodeName) -> Vec<NodeName> {
    let before = sight.plan().order().map(|(_, name)| name).take_while(|name| *name != node);
    let rows = before.filter_map(|name| sight.row(name));
    let down = |row: &Row<'_>| {
        row.plan.is_some_and(|said| said.stopped.is_some() || said.outcome.is_some())
    };
    rows.filter(|row| !down(row)).map(|row| row.member.name.clone()).collect()
}
