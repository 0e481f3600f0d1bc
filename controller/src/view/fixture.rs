//! A small fleet for the tests of the views.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::plan::{
    Action, BeaconTerms, Budget, Compatibility, Deadline, Drill, Failures, HealthTerms, Member,
    Plan, Then, Unmanaged, Urgency, Validity, Wave,
};
use muster_proto::documents::roster::{Consensus, Node, Role};
use muster_proto::documents::{
    Class, Digest, NodeName, OperatorAddress, PlanId, PublicKey, Roster,
};
use muster_proto::evidence::Beacon;
use muster_proto::evidence::beacon::Health;
use muster_proto::rule::{Evidence, NodeFacts};

/// The moment at which the tests look.
pub(crate) fn now() -> Timestamp {
    "2026-07-23T12:00:00Z".parse().expect("a time")
}

/// So many seconds before [`now`].
pub(crate) fn before(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn name(number: u8) -> NodeName {
    format!("node-{number:02}").parse().expect("a name")
}

fn key(number: u8) -> PublicKey {
    let secret = ed25519_key(number);
    PublicKey::try_from(secret).expect("a key")
}

/// Public halves of the secret keys `[number; 32]` would need the signing crate; the identity of
/// a key does not matter to the views, so small valid points are enough.
fn ed25519_key(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    (0..=u8::MAX)
        .map(|last| {
            bytes[0] = number;
            bytes[1] = last;
            bytes
        })
        .find(|bytes| PublicKey::try_from(*bytes).is_ok())
        .expect("half of all encodings are points")
}

fn operator(number: u8) -> OperatorAddress {
    const TWO: [&str; 2] =
        ["io10e2e90zvrwcvggmj5x8dxgg43eef9ca9ea8k9n", "io126e8lcld9ucl6nxm55s6hxmq9velxw9u9t8ps5"];
    TWO[usize::from(number) % 2].parse().expect("an address")
}

/// Nodes 1 to `many`, all with seats and agents but the last, which has no agent.
pub(crate) fn roster(many: u8) -> Roster {
    let node = |number| Node {
        name: name(number),
        operator: operator(number),
        key: (number < many).then(|| key(number)),
        endpoint: "127.0.0.1:8080".parse().expect("an address"),
        contact: format!("ops{number}@example.org"),
        role: Role::ConsensusDelegate,
        seat: true,
        labels: BTreeMap::new(),
        group: None,
        bootstrap: false,
    };
    Roster {
        muster: "roster/v1".into(),
        network: "testnet".into(),
        version: 3,
        issued: before(3_600),
        consensus: Consensus { active: u32::from(many) },
        nodes: (1..=many).map(node).collect(),
    }
}

/// A restart of nodes 1 and 2, then all others that have an agent.
pub(crate) fn plan(many: u8) -> (PlanId, Plan) {
    let roster = roster(many);
    let member = |node: &Node| Member {
        name: node.name.clone(),
        key: node.key,
        seat: Some(node.name.to_string()),
    };
    let wave = |name_: &str, from: u8, to: u8, soak_ms| Wave {
        name: name_.into(),
        nodes: (from..=to).map(name).collect(),
        done: u32::from(to - from + 1),
        soak_ms,
    };
    let plan = Plan {
        muster: "plan/v1".into(),
        network: "testnet".into(),
        class: Class::Hotfix,
        serial: 42,
        title: "restart everybody".into(),
        urgency: Urgency::Routine,
        issued: before(1_200),
        valid: Validity { from: before(1_000), until: now() + SignedDuration::from_hours(72) },
        after: Vec::new(),
        supersedes: Vec::new(),
        action: Action::Restart,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Compatible,
        members: roster.nodes.iter().map(member).collect(),
        active: roster.consensus.active,
        waves: vec![wave("canary", 1, 2, 600_000), wave("rest", 3, many - 1, 0)],
        budget: Budget::Seats(2),
        parallel: 1,
        unmanaged: Unmanaged::AssumeUp,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2_000, stale_ms: 10_000, skew_ms: 5_000 },
        absent_after_ms: 60_000,
        health: HealthTerms {
            boot_ms: 120_000,
            ready_ms: 900_000,
            advance_blocks: 5,
            lag_blocks: 10,
            peers: 3,
            hold_ms: 120_000,
        },
        deadline: Deadline { per_node_ms: 1_200_000, before_height: None },
        drill: Drill::No,
    };
    let id = PlanId { class: plan.class, serial: plan.serial, digest: Digest::of(b"plan") };
    (id, plan)
}

/// A beacon of a running node, `age` seconds old.
pub(crate) fn beacon(number: u8, age: i64, height: u64) -> Beacon {
    Beacon {
        muster: "beacon/v1".into(),
        network: "testnet".into(),
        node: name(number),
        counter: 7,
        at: before(age),
        health: Health {
            running: true,
            height: Some(height),
            version: Some("v2.4.4".into()),
            ..Health::default()
        },
        head: None,
        newest: BTreeMap::new(),
        doing: Vec::new(),
        emergency: None,
    }
}

/// Everybody who has an agent is well and fresh.
pub(crate) fn all_well(many: u8) -> Evidence {
    let facts = |number| {
        let facts = NodeFacts { beacon: Some(beacon(number, 2, 36_884_100)), ..Default::default() };
        (name(number), facts)
    };
    Evidence { nodes: (1..many).map(facts).collect() }
}
