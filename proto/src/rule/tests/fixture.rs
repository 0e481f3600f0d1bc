//! A small fleet and what it said, made readable.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::documents::plan::*;
use crate::documents::roster::{Consensus, Node, Role};
use crate::documents::{Aborts, Class, Digest, NodeName, Plan, PlanId, PublicKey, Roster};
use crate::evidence::{Beacon, beacon};
use crate::rule::decision::{Answer, Observations, OwnChain, Serials, Test};
use crate::rule::facts::{Acknowledged, NodeFacts, PlanFacts};
use crate::rule::{
    Decision, Documents, Evidence, Final, Permit, Reason, Stage, decide, permission,
};

/// Noon of the day on which everything happens.
pub(in crate::rule) fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(in crate::rule) fn at(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

pub(in crate::rule) fn name(index: usize) -> NodeName {
    format!("n{index}").parse().unwrap()
}

fn key(index: usize) -> PublicKey {
    let secret = ed25519_dalek::SigningKey::from_bytes(&[index as u8 + 1; 32]);
    PublicKey::try_from(secret.verifying_key().to_bytes()).unwrap()
}

/// Documents, evidence and the moment of one test.
pub(in crate::rule) struct Field {
    pub plan: Plan,
    pub roster: Roster,
    pub others: BTreeMap<PlanId, Plan>,
    pub aborts: Aborts,
    pub evidence: Evidence,
    pub now: Timestamp,
}

pub(in crate::rule) fn id(plan: &Plan) -> PlanId {
    PlanId {
        class: plan.class,
        serial: plan.serial,
        digest: Digest::of(&plan.serial.to_be_bytes()),
    }
}

/// A restart of `n0 … n(size-1)`, one by one in a single wave, seven seats' usual budget of 2.
pub(in crate::rule) fn plan(size: usize, serial: u64) -> Plan {
    let member = |i| Member { name: name(i), key: Some(key(i)), seat: Some(format!("n{i}")) };
    let wave = Wave {
        name: "all".into(),
        nodes: (0..size).map(name).collect(),
        done: size as u32,
        soak_ms: 0,
    };
    Plan {
        muster: "plan/v1".into(),
        network: "testnet".into(),
        class: Class::Hotfix,
        serial,
        title: "a restart".into(),
        urgency: Urgency::Routine,
        issued: at(serial as i64 - 3600),
        valid: Validity { from: at(-600), until: at(3600) },
        after: vec![],
        supersedes: vec![],
        action: Action::Restart,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Compatible,
        members: (0..size).map(member).collect(),
        active: size as u32,
        waves: vec![wave],
        budget: Budget::Seats(2),
        parallel: 1,
        unmanaged: Unmanaged::Away,
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
    }
}

impl Field {
    /// `size` nodes, all well, all with their promise for plan 42.
    pub(in crate::rule) fn well(size: usize) -> Self {
        let plan = plan(size, 42);
        let node = |i| Node {
            name: name(i),
            operator: "io1mflp9m6hcgm2qcghchsdqj3z3eccrnekx9p0ms".parse().unwrap(),
            key: Some(key(i)),
            endpoint: "203.0.113.1:8080".parse().unwrap(),
            contact: "ops".into(),
            role: Role::ConsensusDelegate,
            seat: true,
            labels: BTreeMap::new(),
            group: None,
            bootstrap: false,
        };
        let roster = Roster {
            muster: "roster/v1".into(),
            network: "testnet".into(),
            version: 1,
            issued: at(-7200),
            consensus: Consensus { active: size as u32 },
            nodes: (0..size).map(node).collect(),
        };
        let mut field = Self {
            plan,
            roster,
            others: BTreeMap::new(),
            aborts: Aborts::new(),
            evidence: Evidence::default(),
            now: noon(),
        };
        for i in 0..size {
            field.beacon(i, noon(), |_| ());
            field.said(i).acknowledged = Some(Acknowledged { at: at(-60), in_hand: None });
        }
        field
    }

    pub(in crate::rule) fn facts(&mut self, node: usize) -> &mut NodeFacts {
        self.evidence.nodes.entry(name(node)).or_default()
    }

    /// What a node said about the plan.
    pub(in crate::rule) fn said(&mut self, node: usize) -> &mut PlanFacts {
        let id = id(&self.plan);
        self.facts(node).plans.entry(id).or_default()
    }

    /// What a node said about another plan.
    pub(in crate::rule) fn said_of(&mut self, node: usize, plan: &Plan) -> &mut PlanFacts {
        let id = id(plan);
        self.facts(node).plans.entry(id).or_default()
    }

    pub(in crate::rule) fn ended(&mut self, node: usize, outcome: Final) {
        self.said(node).outcome = Some((outcome, at(-30)));
    }

    pub(in crate::rule) fn beacon(
        &mut self,
        node: usize,
        date: Timestamp,
        change: impl FnOnce(&mut beacon::Health),
    ) {
        let mut health =
            beacon::Health { running: true, height: Some(1_000), ..Default::default() };
        change(&mut health);
        let facts = self.facts(node);
        facts.recent.push_back((date, health.height.unwrap_or_default()));
        facts.beacon = Some(Beacon {
            muster: "beacon/v1".into(),
            network: "testnet".into(),
            node: name(node),
            counter: 1,
            at: date,
            health,
            head: None,
            newest: BTreeMap::new(),
            doing: vec![],
            emergency: None,
        });
    }

    pub(in crate::rule) fn knows(&mut self, other: Plan) {
        self.others.insert(id(&other), other);
    }

    pub(in crate::rule) fn may(&self, node: usize) -> Result<Permit, Reason> {
        self.may_by(&prepared(node))
    }

    pub(in crate::rule) fn may_by(&self, me: &Observations) -> Result<Permit, Reason> {
        let id = id(&self.plan);
        permission(&self.documents(&id), &self.evidence, me, self.now)
    }

    pub(in crate::rule) fn decide(&self, me: &Observations) -> Decision {
        let id = id(&self.plan);
        decide(&self.documents(&id), &self.evidence, me, self.now)
    }

    pub(in crate::rule) fn documents<'a>(&'a self, id: &'a PlanId) -> Documents<'a> {
        Documents {
            id,
            plan: &self.plan,
            roster: &self.roster,
            others: &self.others,
            aborts: &self.aborts,
        }
    }
}

/// A node that has prepared and is free to go.
pub(in crate::rule) fn prepared(node: usize) -> Observations {
    Observations {
        me: name(node),
        stage: Stage::Prepared,
        in_hand: None,
        policy: Answer::Apply,
        test: Test::Unknown,
        failed: None,
        undoing: false,
        own_chain: OwnChain::Agrees,
        interrupted: false,
        ended: 0,
        admitted: Serials::default(),
        held: None,
        fresh_until: Some(at(600)),
        height: Some(1_000),
    }
}
