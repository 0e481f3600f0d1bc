//! What an author's machine knows when it lints and freezes: verified documents, and the time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::documents::canonical;
use crate::documents::ids::{Counter, Digest, NodeName, PlanId};
use crate::documents::release::Release;
use crate::documents::{Plan, Roster};

/// Everything that lint reads besides the plan. Fill in what is known; empty is fine.
#[derive(Debug, Clone)]
pub struct Known {
    /// The newest verified roster.
    pub roster: Roster,
    /// Verified releases, by version.
    pub releases: BTreeMap<String, Release>,
    /// Verified plans of this network, open or over, of any class.
    pub plans: BTreeMap<PlanId, Plan>,
    /// Of these, the ones that are known to be over.
    pub over: BTreeSet<PlanId>,
    /// Serial floors of the root.
    pub floors: BTreeMap<Counter, u64>,
    /// When the metadata of each role expires: `root`, `targets`, `roster`, `release`, classes.
    pub expiries: Vec<(String, Timestamp)>,
    /// Nodes that may not answer, and why: absent, asks its operator, refuses.
    pub doubtful: BTreeMap<NodeName, String>,
    /// What nodes say they run.
    pub versions: BTreeMap<NodeName, String>,
    /// The time, no earlier than the newest signed document.
    pub now: Timestamp,
}

impl Known {
    /// A roster and the time, nothing else.
    pub fn new(roster: Roster, now: Timestamp) -> Self {
        Self {
            roster,
            releases: BTreeMap::new(),
            plans: BTreeMap::new(),
            over: BTreeSet::new(),
            floors: BTreeMap::new(),
            expiries: Vec::new(),
            doubtful: BTreeMap::new(),
            versions: BTreeMap::new(),
            now,
        }
    }

    /// The release of that version with its digest.
    pub fn release(&self, version: &str) -> Option<(&Release, Digest)> {
        let release = self.releases.get(version)?;
        let bytes = canonical::to_bytes(release).ok()?;
        Some((release, Digest::of(&bytes)))
    }

    /// Plans of one counter, lowest serial first.
    pub fn of_counter(&self, counter: Counter) -> Vec<(&PlanId, &Plan)> {
        let mut plans: Vec<_> =
            self.plans.iter().filter(|(id, _)| id.class.counter() == counter).collect();
        plans.sort_by_key(|(id, _)| id.serial);
        plans
    }

    /// The newest serial of a counter; 0 before the first.
    pub fn newest(&self, counter: Counter) -> u64 {
        let newest = self.of_counter(counter).last().map_or(0, |(id, _)| id.serial);
        newest.max(self.floors.get(&counter).copied().unwrap_or(0))
    }

    /// Whether somebody may still begin this plan: not run out, not over, in nobody's place.
    pub fn is_open(&self, id: &PlanId, plan: &Plan) -> bool {
        let superseded = || {
            let siblings = self.of_counter(id.class.counter());
            siblings.iter().any(|(_, other)| other.supersedes.contains(&id.serial))
        };
        plan.valid.until > self.now && !self.over.contains(id) && !superseded()
    }
}
