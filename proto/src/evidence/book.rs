//! All evidence of one network: chains, beacons, and what they say about each plan.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::chain::{Added, Chain, ChainError, Head};
use super::{Beacon, Envelope, EnvelopeError, Event, Receipt};
use crate::documents::{NodeName, Plan, PlanId, PublicKey, Roster};
use crate::rule::Final;
use crate::rule::facts::{Acknowledged, Evidence};

/// Why evidence was refused.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The chain refuses it.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Nobody of that name has a key.
    #[error("V020: no roster lists an agent of {0}")]
    Unlisted(NodeName),
    /// It signed two receipts with one counter.
    #[error("V021: {0} is quarantined")]
    Quarantined(NodeName),
}

impl From<EnvelopeError> for BookError {
    fn from(error: EnvelopeError) -> Self {
        Self::Chain(error.into())
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Book {
    network: String,
    chains: BTreeMap<NodeName, (Chain, Vec<Vec<u8>>)>,
    doubles: BTreeMap<NodeName, (Vec<u8>, Vec<u8>)>,
    evidence: Evidence,
}

impl Book {
    /// An empty book.
    pub fn new(network: &str) -> Self {
        Self {
            network: network.into(),
            chains: BTreeMap::new(),
            doubles: BTreeMap::new(),
            evidence: Evidence::default(),
        }
    }

    /// Takes the keys that count from the newest roster.
    pub fn admit(&mut self, roster: &Roster, _plans: &BTreeMap<PlanId, Plan>) {
        let keys: BTreeMap<&NodeName, &PublicKey> =
            roster.nodes.iter().filter_map(|node| Some((&node.name, node.key.as_ref()?))).collect();
        self.chains.retain(|node, (chain, _)| keys.get(node) == Some(&chain.key()));
        for (node, key) in keys {
            if !self.chains.contains_key(node) {
                self.evidence.nodes.remove(node);
                self.doubles.remove(node);
                let chain = Chain::new(self.network.clone(), node.clone(), *key);
                self.chains.insert(node.clone(), (chain, Vec::new()));
            }
        }
    }

    /// Takes a receipt.
    pub fn receipt(&mut self, bytes: &[u8]) -> Result<Added, BookError> {
        let envelope = Envelope::parse::<Receipt>(bytes)?;
        let claimed: Receipt = envelope.claimed()?;
        let unlisted = || BookError::Unlisted(claimed.node.clone());
        let (chain, envelopes) = self.chains.get_mut(&claimed.node).ok_or_else(unlisted)?;
        if self.doubles.contains_key(&claimed.node) {
            return Err(BookError::Quarantined(claimed.node));
        }
        let facts = self.evidence.nodes.entry(claimed.node.clone()).or_default();
        match chain.add(&envelope) {
            Ok(Added::New) => {}
            Err(error @ ChainError::DoubleCounter { counter, .. }) => {
                let first = envelopes[counter as usize - 1].clone();
                self.doubles.insert(claimed.node.clone(), (first, bytes.to_vec()));
                facts.quarantined = true;
                return Err(error.into());
            }
            other => return Ok(other?),
        }
        envelopes.push(bytes.to_vec());
        facts.head = chain.head();
        let plan = facts.plans.entry(claimed.plan).or_default();
        let at = claimed.at;
        match claimed.event {
            Event::Acknowledged { in_hand } => {
                plan.acknowledged.get_or_insert(Acknowledged { at, in_hand });
            }
            Event::Asked => drop(plan.asked.get_or_insert(at)),
            Event::Prepared => drop(plan.prepared.get_or_insert(at)),
            Event::Began { .. } => drop(plan.began.get_or_insert(at)),
            Event::Stopped { .. } => drop(plan.stopped.get_or_insert(at)),
            Event::Failed { .. } => drop(plan.failed.get_or_insert(at)),
            Event::Done(_) => drop(plan.outcome.get_or_insert((Final::Done, at))),
            Event::RolledBack(_) => drop(plan.outcome.get_or_insert((Final::RolledBack, at))),
            Event::Declined { .. } => drop(plan.outcome.get_or_insert((Final::Declined, at))),
        }
        Ok(Added::New)
    }

    /// Takes a beacon; true when it is the newest of its node.
    pub fn beacon(&mut self, bytes: &[u8], _now: Timestamp) -> Result<bool, BookError> {
        let envelope = Envelope::parse::<Beacon>(bytes)?;
        let claimed: Beacon = envelope.claimed()?;
        let unlisted = || BookError::Unlisted(claimed.node.clone());
        let (chain, _) = self.chains.get(&claimed.node).ok_or_else(unlisted)?;
        let beacon: Beacon = envelope.open(chain.key())?;
        let facts = self.evidence.nodes.entry(beacon.node.clone()).or_default();
        if facts.beacon.as_ref().is_some_and(|held| held.counter >= beacon.counter) {
            return Ok(false);
        }
        facts.beacon = Some(beacon);
        Ok(true)
    }

    /// What is known.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The newest link of a node's chain.
    pub fn head(&self, node: &NodeName) -> Option<Head> {
        self.chains.get(node)?.0.head()
    }

    /// Proofs of double counters.
    pub fn quarantined(&self) -> &BTreeMap<NodeName, (Vec<u8>, Vec<u8>)> {
        &self.doubles
    }
}
