//! How often to look, and how often to give a sign of life.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use muster_proto::documents::{NodeName, Plan, PlanId};
use muster_proto::rule::Evidence;

use crate::config::Intervals;

/// A plan's beacons stay fast for this long after the last node's last word, so that soak and
/// health after `done` can be proved.
const LINGER: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// Somebody may still begin or be at work under this plan.
pub fn open(id: &PlanId, plan: &Plan, evidence: &Evidence, now: Timestamp) -> bool {
    if now < plan.valid.from {
        return false;
    }
    let facts = |node: &NodeName| evidence.nodes.get(node)?.plans.get(id);
    let last_word = |node: &NodeName| facts(node).and_then(|facts| Some(facts.outcome?.1));
    let words: Option<Vec<_>> = plan.order().map(|(_, node)| last_word(node)).collect();
    if let Some(words) = words {
        return words.into_iter().max().is_some_and(|last| now.duration_since(last) < LINGER);
    }
    let at_work = plan.order().filter_map(|(_, node)| facts(node));
    now < plan.valid.until
        || at_work.into_iter().any(|facts| facts.began.is_some() && facts.outcome.is_none())
}

/// Between two beacons: the newest open plan's pace, never slower than a third of its `stale`;
/// at rest the host's own pace.
pub fn beacon(
    plans: &BTreeMap<PlanId, Plan>,
    evidence: &Evidence,
    now: Timestamp,
    intervals: &Intervals,
) -> Duration {
    let rest = intervals.beacon.get();
    let open = plans.iter().filter(|(id, plan)| open(id, plan, evidence, now));
    let paces = open.map(|(_, plan)| {
        Duration::from_millis(plan.beacon.every_ms.min(plan.beacon.stale_ms / 3).max(LEAST_MS))
    });
    // Two open plans: the faster pace serves both.
    paces.min().unwrap_or(rest).min(rest)
}

/// Boards take five beacons a second of one agent; some are left for changes.
const LEAST_MS: u64 = 250;

/// Between two looks at everything, when nothing happens in between.
pub fn tick(any_open: bool, intervals: &Intervals) -> Duration {
    if any_open { intervals.poll.get() } else { intervals.idle.get() }
}

#[cfg(test)]
mod tests {
    use muster_proto::rule::Final;
    use muster_proto::rule::{NodeFacts, PlanFacts};

    use super::super::example::{at, node, plan};
    use super::*;

    fn pace(evidence: &Evidence, now: i64) -> u128 {
        let plans = BTreeMap::from([plan(42)]);
        beacon(&plans, evidence, at(now), &Intervals::default()).as_millis()
    }

    fn outcomes(nodes: &[&str], second: i64) -> Evidence {
        let facts = PlanFacts { outcome: Some((Final::Done, at(second))), ..PlanFacts::default() };
        let plans = BTreeMap::from([(plan(42).0, facts)]);
        let said =
            |name: &&str| (node(name), NodeFacts { plans: plans.clone(), ..NodeFacts::default() });
        Evidence { nodes: nodes.iter().map(said).collect() }
    }

    #[test]
    fn an_open_plan_sets_the_pace() {
        assert_eq!(pace(&Evidence::default(), 999), 10_000);
        assert_eq!(pace(&Evidence::default(), 1_000), 2_000);
        assert_eq!(pace(&Evidence::default(), 2_000), 10_000);
    }

    #[test]
    fn a_third_of_stale_is_the_slowest_pace_of_an_open_plan() {
        let (id, mut slow) = plan(42);
        slow.beacon.every_ms = 9_000;
        let plans = BTreeMap::from([(id, slow)]);
        let pace = beacon(&plans, &Evidence::default(), at(1_500), &Intervals::default());
        assert_eq!(pace.as_millis(), 3_000);
    }

    #[test]
    fn a_plan_with_a_node_at_work_stays_open_past_its_validity() {
        let facts = PlanFacts { began: Some(at(1_999)), ..PlanFacts::default() };
        let plans = BTreeMap::from([(plan(42).0, facts)]);
        let nodes = [(node("node-2"), NodeFacts { plans, ..NodeFacts::default() })];
        assert_eq!(pace(&Evidence { nodes: nodes.into() }, 2_500), 2_000);
    }

    #[test]
    fn a_plan_closes_a_minute_after_the_last_word_of_everybody() {
        assert_eq!(pace(&outcomes(&["node-1"], 1_100), 1_500), 2_000);
        assert_eq!(pace(&outcomes(&["node-1", "node-2"], 1_100), 1_159), 2_000);
        assert_eq!(pace(&outcomes(&["node-1", "node-2"], 1_100), 1_160), 10_000);
    }
}
