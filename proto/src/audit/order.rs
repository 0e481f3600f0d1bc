//! Whether each `began` was permitted: the rule itself, asked again over what its heads name.
//!
//! Receipts are exactly those that the node had seen. Beacons are not kept; each is taken at its
//! best: well, and dated as late as the skew allows, so that only what no beacon could have
//! excused is refused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Account;
use super::fault::Fault;
use crate::documents::ids::Class;
use crate::documents::plan::Budget;
use crate::documents::{NO_ABORTS, NodeName, Plan, PlanId, Roster};
use crate::evidence::beacon::Health;
use crate::evidence::{Beacon, Event, Head, Receipt};
use crate::rule::sight::millis;
use crate::rule::{Documents, Evidence, Final, NodeFacts, Reason, from_outside, permission, plans};

/// Judges everything that `node` said of the plan.
///
/// # Errors
/// [`Fault::Incoherent`], [`Fault::NotPermitted`], [`Fault::Miscounted`].
pub(super) fn node(account: &Account, node: &NodeName) -> Result<(), Fault> {
    coherent(account, node)?;
    account.said(node).try_for_each(|receipt| match &receipt.event {
        Event::Began { sum, heads } => began(account, receipt, *sum, heads),
        _ => Ok(()),
    })
}

/// Facts stand in an order in which an agent can have written them.
fn coherent(account: &Account, node: &NodeName) -> Result<(), Fault> {
    let (mut promised, mut begun, mut over) = (false, false, false);
    for receipt in account.said(node) {
        let when = match &receipt.event {
            Event::Began { .. } if over => Some("after its last word"),
            Event::Began { .. } if !promised => Some("before its promise"),
            Event::Stopped { .. } | Event::Done(_) if !begun => Some("before it began"),
            _ => None,
        };
        if let Some(when) = when {
            let (node, counter, what) = (node.clone(), receipt.counter, receipt.event.word());
            return Err(Fault::Incoherent { node, counter, what, when });
        }
        promised |= matches!(receipt.event, Event::Acknowledged { .. });
        begun |= matches!(receipt.event, Event::Began { .. });
        over |= receipt.event.is_final();
    }
    Ok(())
}

fn began(
    account: &Account,
    began: &Receipt,
    claimed: Option<u32>,
    heads: &BTreeMap<NodeName, Head>,
) -> Result<(), Fault> {
    let (node, counter) = (&began.node, began.counter);
    let moment = Moment::new(account, began, claimed.is_some(), heads);
    let permit = moment.permission().map_err(|reason| Fault::NotPermitted {
        node: node.clone(),
        counter,
        reason: Box::new(reason),
    })?;
    let Budget::Seats(budget) = account.plan.budget else { return Ok(()) };
    let least = permit.sum.unwrap_or(0);
    match claimed {
        Some(claimed) if claimed < least || claimed > budget => {
            Err(Fault::Miscounted { node: node.clone(), counter, claimed, least, budget })
        }
        _ => Ok(()),
    }
}

/// What a node knew when it began.
struct Moment<'a> {
    account: &'a Account,
    me: &'a NodeName,
    plan: Plan,
    roster: Roster,
    others: BTreeMap<PlanId, Plan>,
    evidence: Evidence,
    now: Timestamp,
}

impl<'a> Moment<'a> {
    fn new(
        account: &'a Account,
        began: &'a Receipt,
        counted: bool,
        heads: &BTreeMap<NodeName, Head>,
    ) -> Self {
        let me = &began.node;
        let mut evidence = Evidence::default();
        for member in &account.plan.members {
            let until = match member.name == *me {
                true => began.counter - 1,
                false => heads.get(&member.name).map_or(0, |head| head.counter),
            };
            evidence.nodes.insert(member.name.clone(), facts(account, &member.name, until));
        }
        // Documents carry the time of their signing, and no agent reckons with less.
        let now = began.at.max(account.plan.issued);
        let others = others(account, evidence.nodes.get(me));
        let mut plan = account.plan.clone();
        let known = |serial: &u64| others.keys().any(|id| id.serial == *serial);
        plan.after.retain(known);
        let roster = roster(account);
        let mut moment = Self { account, me, plan, roster, others, evidence, now };
        moment.light_beacons(counted);
        moment
    }

    fn permission(&self) -> Result<crate::rule::Permit, Reason> {
        let documents = Documents {
            id: &self.account.id,
            plan: &self.plan,
            roster: &self.roster,
            others: &self.others,
            // What was begun before an abort was heard was begun rightly.
            aborts: &NO_ABORTS,
        };
        let mut me = from_outside(&documents, &self.evidence, self.me);
        me.ended = self.ended();
        permission(&documents, &self.evidence, &me, self.now)
    }

    /// Emergencies that may have been ended by then: by a document that is here, or by one that
    /// has left the board as the emergency itself has.
    fn ended(&self) -> u64 {
        if self.account.id.class == Class::Emergency {
            return 0;
        }
        let known = self.account.trust.plans();
        let ending = known.values().filter_map(|plan| plan.ended_emergencies());
        let ending = ending.map(|ends| ends.emergency);
        let said = self.evidence.nodes.get(self.me).into_iter().flat_map(|it| it.plans.keys());
        let gone = said.filter(|id| id.class == Class::Emergency && !known.contains_key(id));
        ending.chain(gone.map(|id| id.serial)).max().unwrap_or(0)
    }

    /// Gives everybody the best beacon that he can have sent. Who stands before this node, is not
    /// through, and was not heard of lately gets none: he counts anyway, and may have been absent.
    fn light_beacons(&mut self, counted: bool) {
        let skew = millis(self.plan.beacon.skew_ms);
        let at = self.now.checked_add(skew).unwrap_or(self.now);
        let silent = self.silent();
        for (name, facts) in &mut self.evidence.nodes {
            let mine = name == self.me;
            if silent.contains(name) && !mine {
                continue;
            }
            let over = facts.plans.get(&self.account.id).and_then(|said| said.outcome);
            let stopped =
                self.plan.leaves_down() && over.is_some_and(|(outcome, _)| outcome == Final::Done);
            // Who counted nothing was away himself, by his own word.
            let running = !stopped && (counted || !mine);
            let head = facts.head.clone();
            facts.take(Beacon {
                muster: "beacon/v1".into(),
                network: self.plan.network.clone(),
                node: name.clone(),
                counter: 1,
                at,
                health: Health { running, height: Some(1), ..Health::default() },
                head,
                newest: BTreeMap::new(),
                doing: Vec::new(),
                emergency: None,
            });
        }
    }

    /// Predecessors without a last word whose newest receipt is so old that they may have been
    /// absent. A beacon follows a receipt within `every`; one older than `stale` counts as away.
    fn silent(&self) -> BTreeSet<NodeName> {
        let patience = millis(self.plan.absent_after_ms) - millis(self.plan.beacon.stale_ms);
        let before = self.plan.order().map(|(_, name)| name).take_while(|name| *name != self.me);
        let silent = before.filter(|name| {
            let over =
                self.evidence.plan(name, &self.account.id).is_some_and(|it| it.outcome.is_some());
            let last = self.evidence.nodes.get(*name).and_then(|it| self.last(name, it));
            !over
                && last.is_none_or(|at| {
                    self.now.duration_since(at) > patience.max(SignedDuration::ZERO)
                })
        });
        silent.cloned().collect()
    }

    /// Date of the newest receipt that was seen of a node.
    fn last(&self, name: &NodeName, facts: &NodeFacts) -> Option<Timestamp> {
        let at = usize::try_from(facts.head.as_ref()?.counter - 1).ok()?;
        self.account.chains.get(name)?.receipts().nth(at).map(|receipt| receipt.at)
    }
}

/// The first `until` receipts of a node, folded.
fn facts(account: &Account, node: &NodeName, until: u64) -> NodeFacts {
    let mut facts = NodeFacts::default();
    let Some(chain) = account.chains.get(node) else { return facts };
    let many = usize::try_from(until).unwrap_or(usize::MAX);
    for receipt in chain.receipts().take(many) {
        facts.fold(receipt, true);
    }
    let hash = chain.hash(until).cloned();
    facts.head = hash.map(|hash| Head { counter: until, hash });
    facts
}

/// Plans that this node surely knew: older ones, and what it has acknowledged.
fn others(account: &Account, me: Option<&NodeFacts>) -> BTreeMap<PlanId, Plan> {
    let acknowledged = |id: &PlanId| {
        let said = me.and_then(|facts| facts.plans.get(id));
        said.is_some_and(|said| said.acknowledged.is_some())
    };
    let knew = |(id, plan): &(&PlanId, &Plan)| {
        **id != account.id && (plans::rank(plan) < plans::rank(&account.plan) || acknowledged(id))
    };
    let all = account.trust.plans().iter();
    all.filter(knew).map(|(id, plan)| (id.clone(), plan.clone())).collect()
}

/// The roster with the keys for which the plan was made: when a newer one took somebody away,
/// receipts do not tell.
fn roster(account: &Account) -> Roster {
    let mut roster = account.trust.roster().cloned().expect("an account has a roster");
    let Some(like) = roster.nodes.first().cloned() else { return roster };
    let node = |member: &crate::documents::plan::Member| {
        let known = roster.node(&member.name).cloned().unwrap_or_else(|| like.clone());
        crate::documents::roster::Node { name: member.name.clone(), key: member.key, ..known }
    };
    let nodes = account.plan.members.iter().map(node).collect();
    roster.nodes = nodes;
    roster
}
