//! What others can know of a node's own observations: enough to say why it waits.

use jiff::Timestamp;

use super::decision::{Answer, Observations, OwnChain, Serials, Stage, Test};
use super::facts::{Documents, Evidence, PlanFacts};
use super::promise;
use crate::documents::NodeName;

/// The observations of `node` as far as receipts and beacons tell them. What only its host
/// knows (holds, own chain, freshness) is taken at its best: an outsider cannot blame it.
pub fn from_outside(
    documents: &Documents<'_>,
    evidence: &Evidence,
    node: &NodeName,
) -> Observations {
    let facts = evidence.nodes.get(node);
    let plan = evidence.plan(node, documents.id);
    let asks = plan.filter(|plan| plan.prepared.is_none() && plan.began.is_none());
    let policy = match asks.and_then(|plan| plan.asked) {
        Some(since) => Answer::Ask { since: Some(since) },
        None => Answer::Apply,
    };
    Observations {
        me: node.clone(),
        stage: plan.map_or(Stage::Verified, stage),
        in_hand: promise::in_hand(evidence, node, documents.id),
        policy,
        test: Test::Unknown,
        failed: None,
        undoing: plan.is_some_and(|plan| plan.failed.is_some()),
        own_chain: OwnChain::Agrees,
        interrupted: false,
        ended: 0,
        admitted: Serials { ordinary: u64::MAX, emergency: u64::MAX },
        held: None,
        fresh_until: Some(Timestamp::MAX),
        height: facts.and_then(|facts| facts.beacon.as_ref()?.health.height),
    }
}

/// The last stage that a receipt proves.
pub fn stage(plan: &PlanFacts) -> Stage {
    if let Some((outcome, _)) = plan.outcome {
        return Stage::Over(outcome);
    }
    let reached = [
        (plan.stopped.is_some(), Stage::Stopped),
        (plan.began.is_some(), Stage::Begun),
        (plan.prepared.is_some(), Stage::Prepared),
        (plan.acknowledged.is_some(), Stage::Acknowledged),
    ];
    reached.into_iter().find(|(holds, _)| *holds).map_or(Stage::Verified, |(_, stage)| stage)
}
