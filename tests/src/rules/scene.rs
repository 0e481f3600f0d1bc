//! What stands before anything happens: a fleet, two rosters, and up to three signed plans.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::ids::Class;
use muster_proto::documents::plan::*;
use muster_proto::documents::roster::{Consensus, Node, Role};
use muster_proto::documents::{Abort, Digest, NodeName, Plan, PlanId, PublicKey, Roster};

/// Seconds after which a beacon is stale.
pub const STALE_S: i64 = 10;
/// Seconds after which a silent node blocks nobody.
pub const ABSENT_S: i64 = 60;
/// Blocks behind the median that are still well.
pub const LAG_BLOCKS: u64 = 5;

/// Numbers that a scene is made of; every value is allowed, so that any of them may shrink.
#[derive(Debug, Clone)]
pub struct SceneDraw {
    /// Nodes, at least two.
    pub nodes: u8,
    /// Nodes at the end of the list without an agent.
    pub unmanaged: u8,
    /// The first two nodes share a seat.
    pub group: bool,
    /// The last node has no seat.
    pub seatless: bool,
    /// A newer roster lacks this node, or lists it with another key.
    pub leaver: Option<u8>,
    /// Clock errors in seconds, by node, within the skew.
    pub clocks: Vec<i8>,
    /// One to three plans, oldest first.
    pub plans: Vec<PlanDraw>,
}

/// Numbers that a plan is made of.
#[derive(Debug, Clone)]
pub struct PlanDraw {
    /// Stop, restart, upgrade or start.
    pub action: u8,
    /// Seats; 0 for `all`.
    pub budget: u8,
    /// At least 1.
    pub parallel: u8,
    /// Sort keys of the nodes; who has none stands in no wave.
    pub order: Vec<u8>,
    /// The first wave's length; the rest is the second.
    pub cut: u8,
    /// Nodes that a wave's gate does without.
    pub slack: u8,
    /// Seconds.
    pub soak_s: u8,
    /// Failures tolerated.
    pub tolerate: u8,
    /// Of another counter than the plans before it.
    pub emergency: bool,
    /// How it stands to the plan before it.
    pub relation: Relation,
}

/// How a plan stands to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It names it in neither list.
    Neither,
    /// It comes after it.
    After,
    /// It takes its place.
    Supersedes,
}

/// A fleet and its documents.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The first and the second roster; the second may lack a node or know it by a new key.
    pub rosters: [Roster; 2],
    /// Oldest first.
    pub plans: Vec<(PlanId, Plan)>,
    /// Seconds by which each node's clock is wrong.
    pub clocks: Vec<i64>,
    /// Nodes with an agent; they come first.
    pub managed: usize,
    /// Every set of the plans, by the bits of their indexes: made once, asked for at every step.
    sets: Vec<BTreeMap<PlanId, Plan>>,
}

/// 2026-11-22T12:00:00Z.
const NOON_S: i64 = 1_795_348_800;

/// The moment at which everything begins.
pub fn noon() -> Timestamp {
    Timestamp::constant(NOON_S, 0)
}

/// Seconds after [`noon`].
pub fn at(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

/// The node of that index; at most ten, so that names sort as indexes do.
pub fn name(index: usize) -> NodeName {
    format!("n{index}").parse().expect("a node name")
}

/// The key that a node signs with, where a world signs anything.
pub(super) fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn key(seed: u8) -> PublicKey {
    secret(seed).verifying_key().to_bytes().try_into().expect("a strong key")
}

impl Scene {
    /// Builds the scene; numbers out of range are cut to it.
    pub fn new(draw: &SceneDraw) -> Self {
        let nodes = usize::from(draw.nodes.clamp(2, 8));
        let managed = nodes - usize::from(draw.unmanaged).min(nodes - 2);
        let first = roster(nodes, managed, draw);
        let mut second = Roster { version: 2, ..first.clone() };
        if let Some(leaver) = draw.leaver {
            let leaver = usize::from(leaver) % managed;
            match draw.group {
                true => second.nodes[leaver].key = Some(key(200 + leaver as u8)),
                false => drop(second.nodes.remove(leaver)),
            }
        }
        let mut plans: Vec<(PlanId, Plan)> = Vec::new();
        for (index, plan) in draw.plans.iter().take(3).enumerate() {
            let plan = build(&first, managed, index, plan, &plans, draw);
            let digest = Digest::of(format!("plan {index}").as_bytes());
            plans.push((PlanId { class: plan.class, serial: plan.serial, digest }, plan));
        }
        let clock = |i| draw.clocks.get(i).map_or(0, |error| i64::from(*error).clamp(-2, 2));
        let clocks = (0..nodes).map(clock).collect();
        let set = |bits: usize| {
            let chosen = plans.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
            chosen.map(|(_, plan)| plan.clone()).collect()
        };
        let sets = (0..1 << plans.len()).map(set).collect();
        Self { rosters: [first, second], plans, clocks, managed, sets }
    }

    /// All known plans but one, as a decision wants them.
    pub fn others(
        &self,
        known: impl IntoIterator<Item = usize>,
        but: usize,
    ) -> &BTreeMap<PlanId, Plan> {
        let others = known.into_iter().filter(|index| *index != but);
        &self.sets[others.fold(0, |bits, index| bits | 1 << index)]
    }
}

/// The abort of a plan.
pub fn abort(id: &PlanId, plan: &Plan) -> Abort {
    Abort::of(id, plan, at(0), "enough")
}

fn roster(nodes: usize, managed: usize, draw: &SceneDraw) -> Roster {
    let node = |i: usize| Node {
        name: name(i),
        // The rule never reads it.
        operator: "io1mflp9m6hcgm2qcghchsdqj3z3eccrnekx9p0ms".parse().expect("an address"),
        key: (i < managed).then(|| key(i as u8 + 1)),
        endpoint: "203.0.113.1:8080".parse().expect("an endpoint"),
        contact: "ops".into(),
        role: Role::ConsensusDelegate,
        seat: !(draw.seatless && i + 1 == nodes),
        labels: BTreeMap::new(),
        group: (draw.group && i < 2).then(|| "pair".into()),
        bootstrap: false,
    };
    Roster {
        muster: "roster/v1".into(),
        network: "testnet".into(),
        version: 1,
        issued: at(-7200),
        consensus: Consensus { active: nodes as u32 },
        nodes: (0..nodes).map(node).collect(),
    }
}

fn seat(node: &Node) -> Option<String> {
    node.seat.then(|| node.group.clone().unwrap_or_else(|| node.name.to_string()))
}

fn build(
    roster: &Roster,
    managed: usize,
    index: usize,
    draw: &PlanDraw,
    before: &[(PlanId, Plan)],
    scene: &SceneDraw,
) -> Plan {
    let class = if draw.emergency { Class::Emergency } else { Class::Hotfix };
    let last = before.last().filter(|(id, _)| id.class == class).map(|(id, _)| id.serial);
    let named = |relation| match (draw.relation == relation, last) {
        (true, Some(serial)) => vec![serial],
        _ => vec![],
    };
    let mut order: Vec<_> = draw.order.iter().take(managed).enumerate().collect();
    order.sort_by_key(|(_, sort)| **sort);
    let order: Vec<NodeName> = order.into_iter().map(|(i, _)| name(i)).collect();
    let member = |node: &Node| Member { name: node.name.clone(), key: node.key, seat: seat(node) };
    let action = match draw.action % 4 {
        // All that an emergency can do.
        _ if draw.emergency => Action::Stop,
        0 => Action::Restart,
        1 => Action::Stop,
        2 => Action::Upgrade(ReleaseRef { version: "v2".into(), digest: Digest::of(b"v2") }),
        _ => Action::Start,
    };
    Plan {
        muster: "plan/v1".into(),
        network: roster.network.clone(),
        class,
        serial: 40 + index as u64,
        title: String::new(),
        urgency: Urgency::Routine,
        issued: at(index as i64 - 60),
        valid: Validity { from: at(-60), until: at(7_200) },
        after: named(Relation::After),
        supersedes: named(Relation::Supersedes),
        action,
        schedule: draw.emergency.then_some(SCHEDULE),
        ends: ends(draw, before),
        compatibility: Compatibility::Compatible,
        members: roster.nodes.iter().map(member).collect(),
        active: roster.consensus.active,
        waves: waves(&order, draw),
        budget: if draw.budget == 0 || draw.emergency {
            Budget::All
        } else {
            Budget::Seats(draw.budget.into())
        },
        parallel: u32::from(draw.parallel.max(1)),
        unmanaged: if scene.seatless { Unmanaged::Away } else { Unmanaged::AssumeUp },
        failures: Failures { tolerate: draw.tolerate.into(), then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2_000, stale_ms: STALE_S as u64 * 1_000, skew_ms: 5_000 },
        absent_after_ms: ABSENT_S as u64 * 1_000,
        health: HealthTerms {
            boot_ms: 1_000,
            ready_ms: 60_000,
            advance_blocks: 1,
            lag_blocks: LAG_BLOCKS,
            peers: 1,
            hold_ms: 5_000,
        },
        deadline: Deadline { per_node_ms: 600_000, before_height: None },
        drill: Drill::No,
    }
}

/// Slots begin with everything else.
const SCHEDULE: Schedule =
    Schedule { start: Timestamp::constant(NOON_S, 0), pace_ms: 8_000, grace_ms: 60_000 };

/// A plan that stands to an emergency before it ends that one.
fn ends(draw: &PlanDraw, before: &[(PlanId, Plan)]) -> Option<Ends> {
    let stops = before.iter().filter(|(id, _)| id.class == Class::Emergency);
    let newest = stops.map(|(id, _)| id.serial).max()?;
    let interrupted = match draw.slack {
        0 => Interrupted::GoOn,
        _ => Interrupted::RollBack,
    };
    let ends = draw.relation != Relation::Neither && !draw.emergency;
    ends.then_some(Ends { emergency: newest, interrupted })
}

fn waves(order: &[NodeName], draw: &PlanDraw) -> Vec<Wave> {
    let cut = usize::from(draw.cut).min(order.len());
    let parts = [&order[..cut], &order[cut..]].into_iter().filter(|part| !part.is_empty());
    let wave = |(index, part): (usize, &[NodeName])| Wave {
        name: format!("w{index}"),
        nodes: part.to_vec(),
        done: (part.len() as u32).saturating_sub(draw.slack.into()),
        soak_ms: u64::from(draw.soak_s) * 1_000,
    };
    parts.enumerate().map(wave).collect()
}
