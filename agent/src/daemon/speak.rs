//! What this agent says: receipts as they are written, beacons at the pace of the newest plan.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::ids::Counter;
use muster_proto::documents::plan::Urgency;
use muster_proto::documents::{Class, PlanId};
use muster_proto::evidence::beacon::{self, Health};
use muster_proto::evidence::{Beacon, Envelope};

use super::core::{Core, LastSeen};
use crate::control::said;
use crate::decide::{pace, words};
use crate::journal::JournalError;
use crate::node::Seen;
use crate::policy::Rule;

/// A beacon tells no more plans than this.
const DOING: usize = 8;

/// Longest text about a plan in a beacon, in characters; a board refuses long evidence.
const DOING_CHARS: usize = 300;

/// Clocks may differ by this much where no plan is stricter.
const SKEW_MS: u64 = 5_000;

impl Core {
    /// The journal has new receipts: they are evidence, and boards should have them.
    pub(super) fn wrote(&mut self, head: u64) {
        self.own_receipts();
        self.outgoing.send_modify(|outgoing| outgoing.head = head);
        self.changed.notify_one();
        self.tell.notify_one();
    }

    /// The node was looked at: gives the sign of life.
    pub(super) fn saw(&mut self, seen: Seen) {
        let at = seen.at;
        let health = seen.health(self.clock_off(&seen));
        self.seen = Some(LastSeen { seen, health: health.clone() });
        match self.beacon(at, health) {
            Ok((counter, bytes)) => self.spread(counter, bytes),
            Err(error) => tracing::error!(error = said::chain(&error), "no beacon"),
        }
    }

    fn spread(&mut self, counter: u64, bytes: Vec<u8>) {
        if let Err(error) = self.book.beacon(&bytes, self.now()) {
            // Before a roster lists this agent nobody's book takes its beacons.
            tracing::debug!(%error, "the own beacon is no evidence");
        }
        let versions = self.state.trust.versions();
        self.outgoing.send_modify(|outgoing| {
            outgoing.versions = [versions.root, versions.timestamp, versions.snapshot];
            outgoing.beacon = Some((counter, bytes.into()));
        });
        self.changed.notify_one();
    }

    /// Judged by each block that just came; until the next one it stays as it was judged.
    fn clock_off(&self, seen: &Seen) -> bool {
        let Some(before) = &self.seen else { return false };
        let skews = self.plans.values().map(|plan| plan.beacon.skew_ms);
        let skew_ms = skews.min().unwrap_or(SKEW_MS).min(SKEW_MS);
        let skew = SignedDuration::from_millis(skew_ms as i64);
        let judged = seen.clock_off(&before.seen, self.fleet_height(seen.at), skew);
        judged.unwrap_or(before.health.clock_off)
    }

    fn beacon(&self, at: Timestamp, health: Health) -> Result<(u64, Vec<u8>), BeaconError> {
        let counter = self.journal.next_beacon()?;
        let beacon = Beacon {
            muster: "beacon/v1".into(),
            network: self.me.network.clone(),
            node: self.me.node.clone(),
            counter,
            at,
            health,
            head: self.journal.head()?,
            newest: self.newest(),
            doing: self.doings(),
            emergency: Some(self.on_emergency()),
        };
        let envelope = Envelope::sign(&beacon, self.me.key.signing_key())?;
        Ok((counter, envelope.to_bytes::<Beacon>()))
    }

    fn on_emergency(&self) -> beacon::OnEmergency {
        match self.policy.policy().rule(Class::Emergency, Urgency::Urgent) {
            Rule::Apply => beacon::OnEmergency::Apply,
            Rule::Ask => beacon::OnEmergency::Ask,
            Rule::Refuse => beacon::OnEmergency::Refuse,
        }
    }

    /// The newest plan per counter, so that nobody can hide it from those who hear us (rule 12).
    fn newest(&self) -> BTreeMap<Counter, PlanId> {
        let mut newest: BTreeMap<Counter, PlanId> = BTreeMap::new();
        for id in self.plans.keys() {
            let held = newest.entry(id.class.counter()).or_insert_with(|| id.clone());
            if id.serial > held.serial {
                *held = id.clone();
            }
        }
        newest
    }

    fn doings(&self) -> Vec<beacon::Doing> {
        let turns = self.turns();
        let one = |id: &PlanId| {
            let doing = self.doing(id)?;
            Some(beacon::Doing {
                plan: id.clone(),
                stage: words::stage(self.journal.fold(id).stage).into(),
                text: doing.text.chars().take(DOING_CHARS).collect(),
                since: doing.since,
            })
        };
        turns.iter().take(DOING).filter_map(one).collect()
    }

    /// Between two beacons.
    pub(super) fn beacon_pace(&self) -> Duration {
        pace::beacon(&self.plans, self.book.evidence(), self.now(), &self.config.intervals)
    }

    /// Between two rounds of the hands when nothing happens.
    pub(super) fn tick(&self) -> Duration {
        pace::tick(self.any_open(), &self.config.intervals)
    }

    /// Between two looks after the restart policy.
    pub(super) fn keep_pace(&self) -> Duration {
        if self.any_open() { self.tick() } else { self.config.intervals.beacon.get() }
    }

    fn any_open(&self) -> bool {
        let (evidence, now) = (self.book.evidence(), self.now());
        self.plans.iter().any(|(id, plan)| pace::open(id, plan, evidence, now))
    }
}

/// Why there is no sign of life.
#[derive(Debug, thiserror::Error)]
enum BeaconError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Form(#[from] muster_proto::documents::canonical::NotCanonical),
}
