//! A plan's progress for people, from receipts and beacons alone.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::away::Away;
use super::decide::decide;
use super::decision::{Decision, Final, Stage};
use super::facts::{Documents, Evidence};
use super::gates::{self, Gate};
use super::outside::{self, from_outside};
use super::plans;
use super::reason::Reason;
use super::seats;
use super::sight::{Row, Sight};
use crate::documents::NodeName;

/// Where a plan stands.
#[derive(Debug, Clone)]
pub struct PlanProgress {
    /// In the plan's order.
    pub waves: Vec<WaveProgress>,
    /// Every node of the order, first to last.
    pub nodes: Vec<NodeProgress>,
    /// Seats that are there by their beacons.
    pub seats_online: u32,
    /// All seats of the plan.
    pub seats: u32,
    /// Members who count as away and whose seat or place in the order makes that matter, in the
    /// members' order: also those who stand in no wave.
    pub away: Vec<(NodeName, Away)>,
    /// Failures so far.
    pub failures: u32,
    /// Why nobody begins it any more; none while it is open.
    pub over: Option<Reason>,
    /// Every wave's gate is met.
    pub complete: bool,
}

/// Where a wave stands.
#[derive(Debug, Clone)]
pub struct WaveProgress {
    /// As in the plan.
    pub name: String,
    /// How many nodes it has.
    pub nodes: u32,
    /// Its gate.
    pub gate: Gate,
    /// As in the plan.
    pub soak_ms: u64,
}

/// Where a node stands.
#[derive(Debug, Clone)]
pub struct NodeProgress {
    /// Which.
    pub node: NodeName,
    /// Index of its wave.
    pub wave: usize,
    /// The last stage that a receipt proves.
    pub stage: Stage,
    /// It said `failed`.
    pub failed: bool,
    /// When the last receipt of this plan was written, by its host's clock.
    pub since: Option<Timestamp>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// Why it counts as away, if it does.
    pub away: Option<Away>,
    /// Why it has not begun, by the rule; none when it has, or when it may.
    pub waits: Option<Reason>,
}

impl NodeProgress {
    /// Begun and not final.
    pub fn is_at_work(&self) -> bool {
        self.stage >= Stage::Begun && self.outcome().is_none()
    }

    /// Its last word.
    pub fn outcome(&self) -> Option<Final> {
        match self.stage {
            Stage::Over(outcome) => Some(outcome),
            _ => None,
        }
    }
}

impl PlanProgress {
    /// The first node that has not begun, is present, and is not asking.
    pub fn next(&self) -> Option<&NodeProgress> {
        self.nodes.iter().find(|node| {
            let asks = matches!(node.waits, Some(Reason::Operator));
            let silent = matches!(node.away, Some(Away::NoBeacon | Away::Stale(_)));
            node.stage < Stage::Begun && !asks && !silent
        })
    }

    /// How many ended so.
    pub fn count(&self, outcome: Final) -> usize {
        self.nodes.iter().filter(|node| node.outcome() == Some(outcome)).count()
    }
}

/// Where the plan stands now.
pub fn progress(documents: &Documents<'_>, evidence: &Evidence, now: Timestamp) -> PlanProgress {
    let sight = Sight::new(documents, evidence, now);
    let (seats_online, seats) = seats::online(&sight);
    let waves = documents.plan.waves.iter().map(|wave| WaveProgress {
        name: wave.name.clone(),
        nodes: wave.nodes.len() as u32,
        gate: gates::gate(&sight, wave),
        soak_ms: wave.soak_ms,
    });
    let rows = documents.plan.order().filter_map(|(wave, name)| Some((wave, sight.row(name)?)));
    PlanProgress {
        waves: waves.collect(),
        nodes: rows.map(|(wave, row)| node(&sight, wave, row)).collect(),
        seats_online,
        seats,
        away: away(&sight),
        failures: plans::failures(&sight),
        over: plans::over(&sight),
        complete: plans::is_complete(documents.plan, documents.id, evidence),
    }
}

fn away(sight: &Sight<'_>) -> Vec<(NodeName, Away)> {
    let order: BTreeSet<_> = sight.plan().order().map(|(_, name)| name).collect();
    let matters = |row: &&Row<'_>| row.member.seat.is_some() || order.contains(&row.member.name);
    let rows = sight.rows.iter().filter(matters);
    rows.filter_map(|row| Some((row.member.name.clone(), sight.away(row)?))).collect()
}

fn node(sight: &Sight<'_>, wave: usize, row: &Row<'_>) -> NodeProgress {
    let stage = row.plan.map_or(Stage::Verified, outside::stage);
    NodeProgress {
        node: row.member.name.clone(),
        wave,
        stage,
        failed: row.plan.is_some_and(plans::has_failed),
        since: row.plan.and_then(last),
        began: row.plan.and_then(|plan| plan.began),
        away: sight.away(row),
        waits: if stage < Stage::Begun { waits(sight, row) } else { None },
    }
}

fn waits(sight: &Sight<'_>, row: &Row<'_>) -> Option<Reason> {
    let me = from_outside(sight.documents, sight.evidence, &row.member.name);
    match decide(sight.documents, sight.evidence, &me, sight.now) {
        Decision::Wait(reason) => Some(reason),
        _ => None,
    }
}

fn last(plan: &super::facts::PlanFacts) -> Option<Timestamp> {
    let acknowledged = plan.acknowledged.as_ref().map(|acknowledged| acknowledged.at);
    let outcome = plan.outcome.map(|(_, at)| at);
    let all =
        [acknowledged, plan.asked, plan.prepared, plan.began, plan.stopped, plan.failed, outcome];
    all.into_iter().flatten().max()
}
