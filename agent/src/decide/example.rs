//! A small plan for the tests of this folder.

use jiff::Timestamp;
use muster_proto::documents::plan::{
    Action, BeaconTerms, Budget, Compatibility, Deadline, Drill, Failures, HealthTerms, Member,
    Then, Unmanaged, Urgency, Validity, Wave,
};
use muster_proto::documents::{Class, NodeName, Plan, PlanId, canonical};

/// A name.
pub(crate) fn node(name: &str) -> NodeName {
    name.parse().expect("a name")
}

/// `seconds` after the epoch.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

/// A stop of node-1 and node-2 in one wave, valid from 1,000 s to 2,000 s.
pub(crate) fn plan(serial: u64) -> (PlanId, Plan) {
    let member = |name| Member { name: node(name), key: None, seat: Some(name.to_owned()) };
    let plan = Plan {
        muster: "plan/v1".into(),
        network: "demo".into(),
        class: Class::Hotfix,
        serial,
        title: "an example".into(),
        urgency: Urgency::Routine,
        issued: at(900),
        valid: Validity { from: at(1_000), until: at(2_000) },
        after: Vec::new(),
        supersedes: Vec::new(),
        action: Action::Stop,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Halting,
        members: vec![member("node-1"), member("node-2"), member("node-3")],
        active: 3,
        waves: vec![Wave {
            name: "all".into(),
            nodes: vec![node("node-1"), node("node-2")],
            done: 2,
            soak_ms: 0,
        }],
        budget: Budget::All,
        parallel: 1,
        unmanaged: Unmanaged::Away,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2_000, stale_ms: 9_000, skew_ms: 5_000 },
        absent_after_ms: 60_000,
        health: HealthTerms {
            boot_ms: 1,
            ready_ms: 1,
            advance_blocks: 1,
            lag_blocks: 1,
            peers: 1,
            hold_ms: 1,
        },
        deadline: Deadline { per_node_ms: 60_000, before_height: None },
        drill: Drill::No,
    };
    let bytes = canonical::to_bytes(&plan).expect("canonical");
    (plan.id(&bytes), plan)
}
