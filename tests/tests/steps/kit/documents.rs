//! The documents of a plan for the one node of a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_agent::node::fleet::Fleet;
use muster_agent::steps::PlanContext;
use muster_proto::documents::canonical;
use muster_proto::documents::ids::{Class, Digest, NodeName, PlanId};
use muster_proto::documents::plan::*;
use muster_proto::documents::release::{self, ConfigChange, GenesisChange, Priority, Release};
use muster_proto::documents::roster::{self, Consensus, Role, Roster};
use muster_proto::rule::Permit;
use muster_proto::trust::keys::SecretKey;
use muster_tests::image::Image;

use super::Host;

pub(super) const NETWORK: &str = "testnet";

pub(super) fn me() -> NodeName {
    "node-1".parse().expect("a name")
}

pub(super) fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

/// A release of `image` from v2.4.4, and its genesis file if it brings one.
pub(crate) fn release_of(
    host: &Host,
    image: &Image,
    version: &str,
    genesis: Option<&[u8]>,
) -> Release {
    let change = |bytes: &[u8]| GenesisChange::Replaced {
        digest: Digest::of(bytes),
        length: bytes.len() as u64,
    };
    let signed = release::Image {
        repository: host.repository(),
        config: image.id.parse().expect("a digest"),
        manifest: None,
    };
    Release {
        muster: "release/v1".into(),
        version: version.into(),
        issued: Timestamp::now(),
        images: BTreeMap::from([("linux/amd64".into(), signed)]),
        from: vec!["v2.4.4".into()],
        compatible: true,
        activation_height: None,
        roles: BTreeMap::from([(Role::ConsensusDelegate, Priority::Must)]),
        config: ConfigChange::Unchanged,
        genesis: genesis.map_or(GenesisChange::Unchanged, change),
    }
}

/// An upgrade to `release`.
pub(crate) fn upgrade(serial: u64, release: &Release, genesis: Option<&[u8]>) -> PlanContext {
    let bytes = canonical::to_bytes(release).expect("canonical");
    let wanted = ReleaseRef { version: release.version.clone(), digest: Digest::of(&bytes) };
    let mut context = plan(serial, Action::Upgrade(wanted));
    context.release = Some((Arc::new(release.clone()), bytes.into()));
    context.genesis = genesis.map(Into::into);
    context
}

/// A plan for the one node, with every permission.
pub(crate) fn plan(serial: u64, action: Action) -> PlanContext {
    let now = Timestamp::now();
    let hour = SignedDuration::from_hours(1);
    let plan = Plan {
        muster: "plan/v1".into(),
        network: NETWORK.into(),
        class: Class::Hotfix,
        serial,
        title: "a test".into(),
        urgency: Urgency::Routine,
        issued: now,
        valid: Validity { from: now - hour, until: now + hour },
        after: Vec::new(),
        supersedes: Vec::new(),
        action,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Compatible,
        members: vec![Member { name: me(), key: Some(key().public()), seat: Some("s".into()) }],
        active: 1,
        waves: vec![Wave { name: "all".into(), nodes: vec![me()], done: 1, soak_ms: 0 }],
        budget: Budget::All,
        parallel: 1,
        unmanaged: Unmanaged::Away,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 500, stale_ms: 2_000, skew_ms: 5_000 },
        absent_after_ms: 60_000,
        health: HealthTerms {
            boot_ms: 4_000,
            ready_ms: 6_000,
            advance_blocks: 2,
            lag_blocks: 5,
            peers: 0,
            hold_ms: 500,
        },
        deadline: Deadline { per_node_ms: 8_000, before_height: None },
        drill: Drill::No,
    };
    let bytes = canonical::to_bytes(&plan).expect("canonical");
    let again: muster_agent::steps::Again =
        Arc::new(|| Ok(Permit { sum: Some(1), heads: BTreeMap::new() }));
    PlanContext {
        id: plan.id(&bytes),
        plan: Arc::new(plan),
        plan_bytes: bytes.into(),
        release: None,
        genesis: None,
        fleet: Fleet { median: None, tip: None, advancing: true, quorum: true },
        again,
    }
}

/// Changes a plan before it is signed.
pub(crate) fn changed(context: &PlanContext, change: impl FnOnce(&mut Plan)) -> PlanContext {
    let mut plan = (*context.plan).clone();
    change(&mut plan);
    let bytes = canonical::to_bytes(&plan).expect("canonical");
    let id: PlanId = plan.id(&bytes);
    PlanContext { id, plan: Arc::new(plan), plan_bytes: bytes.into(), ..context.clone() }
}

/// The one node.
pub(super) fn roster() -> Roster {
    let node = roster::Node {
        name: me(),
        operator: muster_tests::node::key::operator_address(&muster_tests::node::key::test_key(0))
            .expect("an address")
            .parse()
            .expect("an address"),
        key: Some(key().public()),
        endpoint: ([10, 77, 0, 10], 8_080).into(),
        contact: "nobody".into(),
        role: Role::ConsensusDelegate,
        seat: true,
        labels: BTreeMap::new(),
        group: None,
        bootstrap: false,
    };
    Roster {
        muster: "roster/v1".into(),
        network: NETWORK.into(),
        version: 1,
        issued: Timestamp::now(),
        consensus: Consensus { active: 1 },
        nodes: vec![node],
    }
}
