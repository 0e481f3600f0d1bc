//! Rules with one thing wrong each. The properties must catch every one of them.
//!
//! Each asks the true rule first. Only where that one refuses for the reason in question, it
//! looks again at a picture in which the fault has been made.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::documents::plan::Budget;
use muster_proto::documents::{NO_ABORTS, NodeName, Plan, PlanId};
use muster_proto::rule::decision::Observations;
use muster_proto::rule::facts::{Acknowledged, NodeFacts};
use muster_proto::rule::sight::Sight;
use muster_proto::rule::{Documents, Evidence, Final, Permit, Reason, permission};

use super::Rule;

/// Every broken rule with its name.
pub const ALL: [(&str, Rule); 12] = [
    ("nobody owes a promise (no C)", without_promises),
    ("undone predecessors are not counted (no A)", without_predecessors),
    ("final receipts of any plan count for this one", final_of_another_plan),
    ("the budget is off by one", one_seat_more),
    ("a permission outlives a crash", kept_across_a_crash),
    ("a stale beacon is as good as a fresh one", stale_is_fresh),
    ("an absent predecessor is not counted", without_the_absent),
    ("gates are not asked", without_gates),
    ("a promise does not bind", promises_do_not_bind),
    ("an emergency does not wait for its slot", before_its_slot),
    ("what an emergency stopped may begin", emergencies_do_not_hold),
    ("an abort is not heeded", aborts_are_not_heeded),
];

type Asked = Result<Permit, Reason>;

/// Looks again with other evidence when only the sum stood in the way.
fn again(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
    change: impl FnOnce(&mut Evidence),
) -> Asked {
    match permission(documents, evidence, me, now) {
        Err(Reason::Budget { .. }) => {
            let mut changed = evidence.clone();
            change(&mut changed);
            permission(documents, &changed, me, now)
        }
        asked => asked,
    }
}

fn facts<'e>(evidence: &'e mut Evidence, node: &NodeName) -> &'e mut NodeFacts {
    evidence.nodes.entry(node.clone()).or_default()
}

fn without_promises(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    again(documents, evidence, me, now, |evidence| {
        for member in &documents.plan.members {
            let plan = facts(evidence, &member.name).plans.entry(documents.id.clone());
            plan.or_default().acknowledged = Some(Acknowledged { at: now, in_hand: None });
        }
    })
}

/// Makes these predecessors of `me` look as if their part were over.
fn ended(
    documents: &Documents<'_>,
    evidence: &mut Evidence,
    me: &Observations,
    now: Timestamp,
    who: impl Fn(&NodeName) -> bool,
) {
    let before = documents.plan.order().map(|(_, node)| node).take_while(|node| **node != me.me);
    for node in before.filter(|node| who(node)) {
        let plan = facts(evidence, node).plans.entry(documents.id.clone()).or_default();
        plan.outcome.get_or_insert((Final::Declined, now));
    }
}

fn without_predecessors(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    again(documents, evidence, me, now, |evidence| {
        ended(documents, evidence, me, now, |_| true);
    })
}

fn without_the_absent(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    let sight = Sight::new(documents, evidence, now);
    let absent = |node: &NodeName| sight.row(node).is_some_and(|row| !sight.is_present(row));
    again(documents, evidence, me, now, |changed| {
        ended(documents, changed, me, now, absent);
        // Neither its silence nor the promise that it owes is counted.
        for member in documents.plan.members.iter().filter(|member| absent(&member.name)) {
            let facts = facts(changed, &member.name);
            let plan = facts.plans.entry(documents.id.clone()).or_default();
            plan.acknowledged = Some(Acknowledged { at: now, in_hand: None });
            if let Some(beacon) = &mut facts.beacon {
                beacon.at = now;
            }
        }
    })
}

fn final_of_another_plan(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    again(documents, evidence, me, now, |evidence| {
        for facts in evidence.nodes.values_mut() {
            let any = facts.plans.values().find_map(|plan| plan.outcome);
            if let Some(plan) = facts.plans.get_mut(documents.id) {
                plan.outcome = plan.outcome.or(any);
            }
        }
    })
}

/// Looks again at the moment of the slot.
fn before_its_slot(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    match permission(documents, evidence, me, now) {
        Err(Reason::Slot { at, .. }) => permission(documents, evidence, me, at),
        asked => asked,
    }
}

fn emergencies_do_not_hold(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    match permission(documents, evidence, me, now) {
        Err(Reason::Emergency(stop)) => {
            let mut changed = evidence.clone();
            facts(&mut changed, &me.me).plans.remove(&stop);
            permission(documents, &changed, me, now)
        }
        asked => asked,
    }
}

fn aborts_are_not_heeded(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    permission(&Documents { aborts: &NO_ABORTS, ..*documents }, evidence, me, now)
}

fn one_seat_more(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    let budget = match documents.plan.budget {
        Budget::Seats(seats) => Budget::Seats(seats + 1),
        Budget::All => Budget::All,
    };
    let plan = Plan { budget, ..documents.plan.clone() };
    permission(&Documents { plan: &plan, ..*documents }, evidence, me, now)
}

fn stale_is_fresh(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    again(documents, evidence, me, now, |evidence| {
        for facts in evidence.nodes.values_mut() {
            facts.effect = None;
            if let Some(beacon) = &mut facts.beacon {
                beacon.at = now;
            }
        }
    })
}

fn without_gates(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    let mut plan = documents.plan.clone();
    plan.waves.iter_mut().for_each(|wave| wave.done = 0);
    permission(&Documents { plan: &plan, ..*documents }, evidence, me, now)
}

fn promises_do_not_bind(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    match permission(documents, evidence, me, now) {
        Err(Reason::Promised(_)) => {
            let mut changed = evidence.clone();
            for (id, plan) in &mut facts(&mut changed, &me.me).plans {
                plan.acknowledged.take_if(|_| id != documents.id);
            }
            permission(documents, &changed, me, now)
        }
        asked => asked,
    }
}

thread_local! {
    /// The journal of a broken agent: what it was once permitted.
    static KEPT: RefCell<BTreeMap<(NodeName, PlanId), Permit>> = const { RefCell::new(BTreeMap::new()) };
}

/// A new world begins: the broken agent's journal is empty.
pub fn forget() {
    KEPT.with_borrow_mut(BTreeMap::clear);
}

fn kept_across_a_crash(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Asked {
    let key = (me.me.clone(), documents.id.clone());
    if let Some(permit) = KEPT.with_borrow(|kept| kept.get(&key).cloned()) {
        return Ok(permit);
    }
    let asked = permission(documents, evidence, me, now)?;
    KEPT.with_borrow_mut(|kept| kept.insert(key, asked.clone()));
    Ok(asked)
}
