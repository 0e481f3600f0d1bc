//! Small documents that say what they must.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use muster_proto::documents::ids::{Class, Digest, NodeName, OperatorAddress};
use muster_proto::documents::plan::{
    Action, BeaconTerms, Budget, Compatibility, Deadline, Drill, Failures, HealthTerms, Member,
    Then, Unmanaged, Urgency, Validity, Wave,
};
use muster_proto::documents::release::{ConfigChange, GenesisChange, Image, Priority};
use muster_proto::documents::roster::{Consensus, Node, Role};
use muster_proto::documents::{Plan, Release, Roster};

use super::world::{NETWORK, at, key};

/// An operator address that follows from a number.
pub fn operator(number: u8) -> OperatorAddress {
    let hrp = bech32::Hrp::parse("io").expect("a prefix");
    let text = bech32::encode::<bech32::Bech32>(hrp, &[number; 20]).expect("an address");
    text.parse().expect("an address")
}

fn name(number: u8) -> NodeName {
    format!("robot-{number}").parse().expect("a name")
}

/// Four delegates with a seat each.
pub fn roster(version: u64) -> Roster {
    let node = |number: u8| Node {
        name: name(number),
        operator: operator(number),
        key: Some(key(&format!("robot-{number}")).public()),
        endpoint: format!("10.0.0.{number}:8080").parse().expect("an address"),
        contact: format!("robot-{number}@example.org"),
        role: Role::ConsensusDelegate,
        seat: true,
        labels: BTreeMap::new(),
        group: None,
        bootstrap: false,
    };
    Roster {
        muster: "roster/v1".into(),
        network: NETWORK.into(),
        version,
        issued: at(),
        consensus: Consensus { active: 4 },
        nodes: (1..=4).map(node).collect(),
    }
}

/// The genesis file of releases that replace it.
pub fn genesis() -> Vec<u8> {
    b"blockchain:\n  numDelegates: 4\n".to_vec()
}

/// A release that changes nothing but the image.
pub fn release(version: &str) -> Release {
    let image = Image {
        repository: "iotex/iotex-core".into(),
        config: Digest::of(version.as_bytes()),
        manifest: None,
    };
    Release {
        muster: "release/v1".into(),
        version: version.into(),
        issued: at(),
        images: BTreeMap::from([("linux/amd64".into(), image)]),
        from: vec!["v2.4.3".into()],
        compatible: true,
        activation_height: None,
        roles: BTreeMap::from([(Role::ConsensusDelegate, Priority::Must)]),
        config: ConfigChange::Unchanged,
        genesis: GenesisChange::Unchanged,
    }
}

/// A hotfix that restarts the four, one by one.
pub fn plan(serial: u64) -> Plan {
    let member = |node: &Node| Member {
        name: node.name.clone(),
        key: node.key,
        seat: Some(node.name.to_string()),
    };
    let minute = 60_000;
    Plan {
        muster: "plan/v1".into(),
        network: NETWORK.into(),
        class: Class::Hotfix,
        serial,
        title: format!("restart {serial}"),
        urgency: Urgency::Routine,
        issued: at(),
        valid: Validity { from: at(), until: at() + SignedDuration::from_hours(72) },
        after: Vec::new(),
        supersedes: Vec::new(),
        action: Action::Restart,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Compatible,
        members: roster(1).nodes.iter().map(member).collect(),
        active: 4,
        waves: vec![Wave {
            name: "all".into(),
            nodes: (1..=4).map(name).collect(),
            done: 4,
            soak_ms: 0,
        }],
        budget: Budget::Seats(1),
        parallel: 1,
        unmanaged: Unmanaged::Away,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2000, stale_ms: 10_000, skew_ms: 5000 },
        absent_after_ms: minute,
        health: HealthTerms {
            boot_ms: 2 * minute,
            ready_ms: 15 * minute,
            advance_blocks: 5,
            lag_blocks: 10,
            peers: 3,
            hold_ms: 2 * minute,
        },
        deadline: Deadline { per_node_ms: 20 * minute, before_height: None },
        drill: Drill::No,
    }
}
