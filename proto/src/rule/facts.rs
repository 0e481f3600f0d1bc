//! What is known, by verified documents, receipts and beacons only.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

pub use super::decision::Final;
use crate::documents::{Abort, Aborts, NodeName, Plan, PlanId, Roster};
use crate::evidence::{Beacon, Head};

/// The signed documents that a decision about `plan` reads.
#[derive(Debug, Clone, Copy)]
pub struct Documents<'a> {
    /// Which very plan.
    pub id: &'a PlanId,
    /// The plan.
    pub plan: &'a Plan,
    /// The newest roster; it can only take away (rule 10).
    pub roster: &'a Roster,
    /// All other plans of this network that are known, open or over, of any class.
    pub others: &'a BTreeMap<PlanId, Plan>,
    /// Every abort that ever verified here.
    pub aborts: &'a Aborts,
}

impl<'a> Documents<'a> {
    /// What ends this very plan for good, if anything does.
    pub fn abort(&self) -> Option<&'a Abort> {
        self.aborts.get(self.id)
    }
}

/// Everything verified that nodes have said.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// By node; a node that never said anything may be missing.
    pub nodes: BTreeMap<NodeName, NodeFacts>,
}

/// What one node has said.
#[derive(Debug, Clone, Default)]
pub struct NodeFacts {
    /// The newest verified beacon.
    pub beacon: Option<Beacon>,
    /// Date and height of its last beacons, oldest first, at most [`RECENT`].
    pub recent: VecDeque<(Timestamp, u64)>,
    /// The newest verified receipt.
    pub head: Option<Head>,
    /// Counter of its newest receipt that tells of an effect on the container.
    pub effect: Option<u64>,
    /// It signed two receipts with one counter.
    pub quarantined: bool,
    /// Its receipts, folded by plan.
    pub plans: BTreeMap<PlanId, PlanFacts>,
}

/// One node's receipts about one plan, folded. A field is set by the first such receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanFacts {
    /// The promise, and what was in hand when it was given.
    pub acknowledged: Option<Acknowledged>,
    /// Since when it asks its operator.
    pub asked: Option<Timestamp>,
    /// Everything before the effect is done.
    pub prepared: Option<Timestamp>,
    /// The effect began.
    pub began: Option<Timestamp>,
    /// The container was verified exited.
    pub stopped: Option<Timestamp>,
    /// The first failure.
    pub failed: Option<Timestamp>,
    /// Its last word.
    pub outcome: Option<(Final, Timestamp)>,
}

/// The promise of rule 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// When.
    pub at: Timestamp,
    /// What was begun and not final; its final receipt completes the promise.
    pub in_hand: Option<PlanId>,
}

/// Beacons that are remembered by date and height, to tell for how long a node has lagged.
pub const RECENT: usize = 32;

impl Evidence {
    /// What `node` has said about `plan`.
    pub fn plan(&self, node: &NodeName, plan: &PlanId) -> Option<&PlanFacts> {
        self.nodes.get(node)?.plans.get(plan)
    }
}
