//! One plan as it looks from the evidence at one moment: a row for every member.

use std::cell::OnceCell;

use jiff::{SignedDuration, Timestamp};

use super::away::{Away, Clockwork};
use super::decision::Final;
use super::facts::{Documents, Evidence, NodeFacts, PlanFacts};
use crate::documents::plan::Member;
use crate::documents::{NodeName, Plan};

/// Documents, evidence and a moment, joined by member.
pub struct Sight<'a> {
    /// The signed documents.
    pub documents: &'a Documents<'a>,
    /// Everything verified.
    pub evidence: &'a Evidence,
    /// The moment.
    pub now: Timestamp,
    /// One for each member of the plan, in the members' order (by name).
    pub rows: Vec<Row<'a>>,
    clockwork: OnceCell<Clockwork>,
}

/// One member and what is known of it.
pub struct Row<'a> {
    /// As frozen in the plan.
    pub member: &'a Member,
    /// Everything it has said.
    pub facts: Option<&'a NodeFacts>,
    /// What it has said about this plan.
    pub plan: Option<&'a PlanFacts>,
    /// The newest roster lists it with the key that the plan was made for (rule 10).
    pub listed: bool,
}

impl<'a> Sight<'a> {
    /// Joins what is known.
    pub fn new(documents: &'a Documents<'a>, evidence: &'a Evidence, now: Timestamp) -> Self {
        let row = |member: &'a Member| {
            let facts = evidence.nodes.get(&member.name);
            let listed = documents.roster.node(&member.name).is_some_and(|n| n.key == member.key);
            Row { member, facts, plan: facts.and_then(|f| f.plans.get(documents.id)), listed }
        };
        let rows = documents.plan.members.iter().map(row).collect();
        Self { documents, evidence, now, rows, clockwork: OnceCell::new() }
    }

    /// The plan.
    pub fn plan(&self) -> &'a Plan {
        self.documents.plan
    }

    /// The row of that name.
    pub fn row(&self, name: &NodeName) -> Option<&Row<'a>> {
        let at = self.rows.binary_search_by(|row| row.member.name.cmp(name));
        at.ok().map(|at| &self.rows[at])
    }

    /// Why a member counts as away; none when it is well.
    pub fn away(&self, row: &Row<'_>) -> Option<Away> {
        let clockwork = self.clockwork.get_or_init(|| Clockwork::new(self));
        clockwork.away(self, row)
    }

    /// How long ago `then` was; negative for the future.
    pub fn since(&self, then: Timestamp) -> SignedDuration {
        self.now.duration_since(then)
    }

    /// Its newest beacon came within `absent-after`.
    pub fn is_present(&self, row: &Row<'_>) -> bool {
        let Some(beacon) = row.facts.and_then(|facts| facts.beacon.as_ref()) else { return false };
        self.since(beacon.at) <= millis(self.plan().absent_after_ms)
    }
}

impl Row<'_> {
    /// Its last word about this plan.
    pub fn outcome(&self) -> Option<Final> {
        self.plan.and_then(|plan| plan.outcome).map(|(outcome, _)| outcome)
    }
}

/// A span of a document as a duration. Spans beyond 292 million years are cut.
pub(crate) fn millis(ms: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}
