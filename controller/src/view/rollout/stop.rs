//! A stop by the clock: who is down, who is late and whom to call, and when the chain halted.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::plan::Action;
use muster_proto::documents::{NodeName, Roster};
use muster_proto::rule::{Evidence, Final, PlanFacts};
use serde::Serialize;

use super::{Input, NodeLine, Place};
use crate::view::words::{age_ms, height, span};

/// Block intervals without a block after which the chain has halted.
const STILL: u64 = 4;
/// A block interval while none was seen, in milliseconds: the longest that IoTeX has had.
const INTERVAL_MS: u64 = 5_000;

/// How far a stop is.
#[derive(Debug, Clone, Serialize)]
pub struct Stopping {
    /// Nodes whose own receipts say that they are down.
    pub down: usize,
    /// Nodes that should be down and are not, in the order of their slots.
    pub late: Vec<Late>,
    /// Where the chain stands still, if it does.
    pub halted: Option<Halted>,
}

/// A node whose slot has passed and that is not down.
#[derive(Debug, Clone, Serialize)]
pub struct Late {
    /// Which.
    pub node: NodeName,
    /// When it should have gone at the latest.
    pub slot: Timestamp,
    /// What it does instead, or since when it is not heard.
    pub why: String,
    /// Whom to call.
    pub contact: String,
}

/// The last block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Halted {
    /// Its height.
    pub height: u64,
    /// Its own time.
    pub at: Timestamp,
    /// After the first slot, in milliseconds.
    pub after_ms: u64,
}

/// Judges a stop with a schedule; none for every other plan.
pub(super) fn stopping(input: Input<'_>, nodes: &[NodeLine], now: Timestamp) -> Option<Stopping> {
    let plan = input.documents.plan;
    let schedule = plan.schedule.filter(|_| matches!(plan.action, Action::Stop))?;
    let facts = |name: &NodeName| input.evidence.plan(name, input.documents.id);
    let is_down = |name: &NodeName| facts(name).is_some_and(down);
    let grace = SignedDuration::from_millis(i64::try_from(schedule.grace_ms).unwrap_or(i64::MAX));
    let late = |node: &NodeLine| {
        let slot = plan.slot(&node.name)?;
        // Clocks differ, and who was told to stop may take its grace.
        let skew = SignedDuration::from_millis(i64::try_from(plan.beacon.skew_ms).ok()?);
        let begun = facts(&node.name).and_then(|facts| facts.began);
        let due = begun.map_or(slot, |began| slot.max(began).saturating_add(grace).unwrap_or(slot));
        let passed = due.checked_add(skew).is_ok_and(|due| due < now);
        (passed && !is_down(&node.name)).then(|| Late {
            node: node.name.clone(),
            slot,
            why: why(node, input.evidence, now),
            contact: contact(input.documents.roster, &node.name),
        })
    };
    let many = nodes.iter().filter(|node| is_down(&node.name)).count();
    Some(Stopping {
        down: many,
        late: nodes.iter().filter_map(late).collect(),
        halted: halted(input, now).map(|(height, at)| Halted {
            height,
            at,
            after_ms: age_ms(schedule.start, at),
        }),
    })
}

/// Its own receipts say that the container is down.
fn down(facts: &PlanFacts) -> bool {
    match facts.outcome {
        Some((outcome, _)) => outcome == Final::Done,
        None => facts.stopped.is_some(),
    }
}

fn why(node: &NodeLine, evidence: &Evidence, now: Timestamp) -> String {
    let beacon = evidence.nodes.get(&node.name).and_then(|facts| facts.beacon.as_ref());
    match (node.place, beacon) {
        (Place::Away, None) => "unknown, never heard".into(),
        (Place::Away, Some(beacon)) if age_ms(beacon.at, now) > 60_000 => {
            let age = span(age_ms(beacon.at, now) / 60_000 * 60_000);
            format!("unknown, last seen {age} ago")
        }
        _ => node.text.clone(),
    }
}

fn contact(roster: &Roster, name: &NodeName) -> String {
    roster.node(name).map_or_else(|| "nobody in the roster".into(), |node| node.contact.clone())
}

/// The newest block, when it is old enough and too few are left of whom nobody knows better: those
/// who are heard stand still there, others are down by their receipts. Silence proves nothing.
fn halted(input: Input<'_>, now: Timestamp) -> Option<(u64, Timestamp)> {
    let (height, at) = input.trend.tip?;
    let plan = input.documents.plan;
    let interval = input.trend.interval_ms().unwrap_or(INTERVAL_MS);
    let patience = interval.saturating_mul(STILL).saturating_add(2 * plan.beacon.every_ms);
    let fresh = |name: &NodeName| {
        let beacon = input.evidence.nodes.get(name).and_then(|facts| facts.beacon.as_ref());
        let health = beacon.filter(|beacon| age_ms(beacon.at, now) <= plan.beacon.stale_ms);
        health.map(|beacon| (beacon.health.running, beacon.health.height))
    };
    let saw_more = |name| matches!(fresh(name), Some((true, Some(seen))) if seen > height);
    if plan.members.iter().any(|member| saw_more(&member.name)) {
        return None;
    }
    let stands = |name| matches!(fresh(name), Some((false, _) | (true, Some(_))));
    let is_down = |name: &NodeName| input.evidence.plan(name, input.documents.id).is_some_and(down);
    // A seat makes blocks as long as one of its group may.
    let (mut idle, mut may) = (BTreeSet::new(), BTreeSet::new());
    for member in &plan.members {
        let seats =
            if stands(&member.name) || is_down(&member.name) { &mut idle } else { &mut may };
        seats.extend(member.seat.as_ref());
    }
    let quorum = 2 * plan.active / 3 + 1;
    let most = plan.active.saturating_sub(quorum) as usize;
    (age_ms(at, now) > patience && idle.difference(&may).count() > most).then_some((height, at))
}

impl Halted {
    /// `chain halted at 36 884 131, 03:12:51 UTC (7 s after the first slot)`.
    pub(super) fn words(&self) -> String {
        let Self { height: at, at: time, after_ms } = self;
        let time = time.strftime("%H:%M:%S UTC");
        format!(
            "chain halted at {}, {time} ({} after the first slot)",
            height(*at),
            span(*after_ms)
        )
    }
}

impl Late {
    /// `ratels: asks its operator, 41 s ago (call +49 …)`.
    pub(super) fn words(&self) -> String {
        format!("{}: {} (call {})", self.node, self.why, self.contact)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Rollout, Trend, rollout};
    use crate::view::fixture::{all_well, beacon, before, name, now, plan, roster};
    use crate::view::told::Told;
    use muster_proto::documents::plan::{Action, Budget, Plan, Schedule};
    use muster_proto::documents::{Class, PlanId};
    use muster_proto::rule::facts::Acknowledged;
    use muster_proto::rule::{Documents, Evidence, Final, PlanFacts};

    /// Nodes 1 to 6 of 7, 5 s apart, the first one a minute ago.
    fn stop() -> (PlanId, Plan) {
        let (id, plan) = plan(7);
        let schedule = Some(Schedule { start: before(60), pace_ms: 5_000, grace_ms: 60_000 });
        let (class, action) = (Class::Emergency, Action::Stop);
        let plan = Plan { class, serial: 7, action, schedule, budget: Budget::All, ..plan };
        (PlanId { class, serial: 7, ..id }, plan)
    }

    fn is_down(evidence: &mut Evidence, number: u8, id: &PlanId, age: i64) {
        let facts = evidence.nodes.get_mut(&name(number)).expect("a node");
        let (began, outcome) = (Some(before(age + 1)), Some((Final::Done, before(age))));
        let said = PlanFacts { began, stopped: Some(before(age)), outcome, ..Default::default() };
        facts.plans.insert(id.clone(), said);
        let health = &mut facts.beacon.as_mut().expect("a beacon").health;
        (health.running, health.height, health.block_time) = (false, None, None);
    }

    /// Four are down, one asks its operator, one is silent for long.
    fn half_way() -> (PlanId, Plan, Evidence) {
        let ((id, plan), mut evidence) = (stop(), all_well(7));
        for number in 1..=4 {
            is_down(&mut evidence, number, &id, 50);
        }
        let acknowledged = Some(Acknowledged { at: before(55), in_hand: None });
        let asks = PlanFacts { acknowledged, asked: Some(before(41)), ..Default::default() };
        evidence.nodes.get_mut(&name(5)).expect("node-05").plans.insert(id.clone(), asks);
        let silent = evidence.nodes.get_mut(&name(6)).expect("node-06");
        silent.beacon = Some(beacon(6, 6 * 3_600, 36_880_000));
        (id, plan, evidence)
    }

    fn look(id: &PlanId, plan: &Plan, evidence: &Evidence, trend: &Trend) -> Rollout {
        let (roster, others, told) = (roster(7), Default::default(), Told::default());
        let documents = Documents {
            id,
            plan,
            roster: &roster,
            others: &others,
            aborts: &muster_proto::documents::NO_ABORTS,
        };
        rollout(super::Input { documents, evidence, told: &told, trend }, now())
    }

    fn halted(age: i64) -> Trend {
        Trend {
            tip: Some((36_884_100, before(age))),
            first: Some((36_884_090, before(age + 25))),
            ..Trend::default()
        }
    }

    #[test]
    fn who_is_down_and_late_and_when_the_chain_halted_is_said_first() {
        let (id, plan, evidence) = half_way();
        let look = look(&id, &plan, &evidence, &halted(53));
        let text = look.to_string();
        for line in [
            "  down       4   of 6; chain halted at 36 884 100, 11:59:07 UTC (7 s after the",
            "  late       2   node-05: asks its operator, 41 s ago (call ops5@example.org)",
            "                 node-06: unknown, last seen 6 h ago (call ops6@example.org)",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert!(!text.contains("asking"), "nobody is told twice\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn late_and_halted_are_news_once() {
        let (id, plan, evidence) = half_way();
        let (before, after) =
            (look(&id, &plan, &evidence, &halted(2)), look(&id, &plan, &evidence, &halted(53)));
        let first = before.news(None).join("\n");
        assert!(first.contains("late      node-05: asks its operator"), "{first}");
        assert!(!first.contains("chain halted"), "{first}");
        let news = after.news(Some(&before));
        assert_eq!(news.len(), 1, "{news:?}");
        assert!(news[0].contains("chain halted at 36 884 100"), "{news:?}");
        assert_eq!(after.news(Some(&after)), Vec::<String>::new());
    }

    #[test]
    fn a_chain_that_others_still_follow_has_not_halted() {
        let (id, plan, mut evidence) = half_way();
        let stands = |evidence: &Evidence, age| {
            look(&id, &plan, evidence, &halted(age)).stopping.expect("a stop").halted.is_some()
        };
        assert!(stands(&evidence, 15));
        assert!(!stands(&evidence, 13), "four intervals of 2.5 s, and two beacons, are not over");
        // Four seats of seven are down by their receipts; three of them by their beacons only.
        for number in 1..=3 {
            evidence.nodes.get_mut(&name(number)).expect("a node").plans.clear();
        }
        assert!(stands(&evidence, 53), "node-05 runs, and stands still");
        let higher = evidence.nodes.get_mut(&name(5)).expect("node-05");
        higher.beacon = Some(beacon(5, 1, 36_884_101));
        assert!(!stands(&evidence, 53), "it saw a block");
        for number in [1, 2, 3, 5] {
            let silent = Some(beacon(number, 60, 36_884_100));
            evidence.nodes.get_mut(&name(number)).expect("a node").beacon = silent;
        }
        assert!(!stands(&evidence, 53), "silence proves nothing");
    }

    #[test]
    fn who_was_told_to_stop_has_its_grace_and_who_has_time_left_is_not_late() {
        let ((id, mut plan), mut evidence) = (stop(), all_well(7));
        let late = |plan: &Plan, evidence: &Evidence| {
            let look = look(&id, plan, evidence, &Trend::default());
            let late = look.stopping.expect("a stop").late.into_iter();
            late.map(|late| late.node).collect::<Vec<_>>()
        };
        assert_eq!(late(&plan, &evidence).len(), 6);
        let began = PlanFacts { began: Some(before(10)), ..Default::default() };
        evidence.nodes.get_mut(&name(1)).expect("node-01").plans.insert(id.clone(), began);
        assert_eq!(late(&plan, &evidence).first(), Some(&name(2)), "node-01 is stopping");
        plan.schedule = Some(Schedule { start: before(11), pace_ms: 5_000, grace_ms: 60_000 });
        assert_eq!(late(&plan, &evidence), [name(2)], "clocks differ by 5 s");
    }

    #[test]
    fn other_plans_have_no_such_lines() {
        let (id, plan) = plan(7);
        let look = look(&id, &plan, &all_well(7), &halted(53));
        assert!(look.stopping.is_none());
        assert!(!look.to_string().contains("halted"), "{look}");
    }
}
