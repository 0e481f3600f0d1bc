//! The audit: who took part in a plan, when, how and in which order, recomputed from documents
//! and receipts alone, by anybody, offline.
//!
//! A [`Bundle`] carries what officers and agents signed and nothing else. [`Account::open`] checks
//! every signature and every link from a first root; [`Account::check`] then judges by the heads
//! that each `began` names: they give the causal order, where clocks can lie. [`Account::attendance`]
//! says who did what.
//!
//! **At which time it is verified.** All metadata is looked at as of the plan's own `issued`, which
//! its officers signed. What has expired since makes an old bundle no worse; what had expired by
//! then makes it void. So a bundle proves what was signed by the keys that counted for the roots in
//! it, and not when: whoever gets hold of enough keys later, of officers, publisher *and* agents,
//! can write a past that never was, and a root that revoked a key after the bundle was written is
//! not in it. Who needs more keeps the bundle's digest in a place that he trusts.
//!
//! **What receipts cannot tell.** Beacons are not kept, so who was away without a word is not
//! known afterwards: every judgement takes beacons at their best. What is refused here was wrong
//! whatever they said. Dates are each host's own; they may differ by the plan's `skew`.

mod attendance;
mod bundle;
mod chains;
mod fault;
mod heads;
mod order;
mod papers;

pub use attendance::{Aborted, Attendance, How, Line, Order, Total};
pub use bundle::{BUNDLE_BYTES, Bundle};
pub use fault::Fault;

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{NodeName, Plan, PlanId};
use crate::evidence::{Chain, Receipt};
use crate::trust::Trust;

/// A bundle whose every signature and every link has been checked.
pub struct Account {
    trust: Trust,
    id: PlanId,
    plan: Plan,
    chains: BTreeMap<NodeName, Chain>,
    /// The newest link that a node's own beacon names.
    told: BTreeMap<NodeName, crate::evidence::Head>,
    /// Who contradicted himself, by proof.
    contradicted: BTreeSet<NodeName>,
    /// Members whom the newest roster knows by another key, or not at all: what they said under the
    /// plan's key is served no more.
    rekeyed: BTreeSet<NodeName>,
}

impl Account {
    /// Checks documents, signatures and links, from `first_root` on.
    ///
    /// # Errors
    /// The first thing that does not hold: [`Fault`] V031 to V039, V047.
    pub fn open(bundle: &Bundle, first_root: &[u8]) -> Result<Self, Fault> {
        let papers::Papers { trust, id, plan } = papers::papers(bundle, first_root)?;
        let roster = trust.roster().ok_or(Fault::NoRoster)?;
        let other = |member: &&crate::documents::plan::Member| {
            roster.node(&member.name).is_none_or(|node| node.key != member.key)
        };
        let rekeyed = plan.members.iter().filter(other).map(|it| it.name.clone()).collect();
        let chains = chains::chains(bundle, &plan)?;
        let told = chains::beacons(bundle, &plan)?;
        let contradicted = chains::proofs(bundle, &plan)?;
        Ok(Self { trust, id, plan, chains, told, contradicted, rekeyed })
    }

    /// Judges times, heads and order.
    ///
    /// # Errors
    /// The first thing that does not hold: [`Fault`] V040 to V046.
    pub fn check(&self) -> Result<(), Fault> {
        heads::times(self)?;
        heads::heads(self)?;
        self.nodes().try_for_each(|node| order::node(self, node))
    }

    /// Who did what, whether or not everything holds.
    pub fn attendance(&self) -> Attendance {
        attendance::attendance(self)
    }

    /// The plan.
    pub fn plan(&self) -> (&PlanId, &Plan) {
        (&self.id, &self.plan)
    }

    /// Every member: first the plan's order, then who stands in no wave.
    fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        let ordered = self.plan.order().map(|(_, node)| node);
        let rest = self.plan.members.iter().map(|member| &member.name);
        let rest = rest.filter(|name| !self.plan.order().any(|(_, node)| node == *name));
        ordered.chain(rest)
    }

    /// What a node said of this plan, oldest first.
    fn said(&self, node: &NodeName) -> impl Iterator<Item = &Receipt> {
        let all = self.chains.get(node).into_iter().flat_map(|chain| chain.receipts());
        all.filter(|receipt| receipt.plan == self.id)
    }
}

#[cfg(test)]
mod tests;
