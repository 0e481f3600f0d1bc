//! All verified receipts and beacons of one network, folded as they come.
//!
//! Whoever decides, explains or hands on evidence keeps one: agent, controller and watcher
//! alike. Order and number of deliveries do not matter; what does not verify changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::beacon::Beacon;
use super::chain::{Added, Chain, ChainError, Head};
use super::dsse::{Envelope, EnvelopeError};
use super::proof::Proof;
use super::receipt::Receipt;
use crate::documents::{NodeName, Plan, PlanId, PublicKey, Roster};
use crate::rule::facts::{Evidence, NodeFacts};
use crate::wire::limits;

/// Verified evidence, and the envelopes it rests on.
#[derive(Debug, Clone)]
pub struct Book {
    network: String,
    pages: BTreeMap<NodeName, Page>,
    /// Nodes that a plan knows by another key than the newest roster (rule 10).
    strangers: BTreeSet<(PlanId, NodeName)>,
    evidence: Evidence,
}

/// What one node has said under its present key.
#[derive(Debug, Clone)]
struct Page {
    chain: Chain,
    /// The chain's envelopes, link by link.
    receipts: Vec<Vec<u8>>,
    beacon: Option<Envelope>,
    heard: Option<Timestamp>,
    proof: Option<Proof>,
}

/// Why evidence was refused. Retrying helps only for a gap, once the links between are there.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The envelope itself.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It does not fit the chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// More bytes than any receipt or beacon has.
    #[error("V020: {bytes} bytes; a receipt or beacon has at most {}", limits::EVIDENCE_BYTES)]
    TooLarge {
        /// How many came.
        bytes: usize,
    },
    /// No key to check it with.
    #[error("V021: the newest roster lists no key for {0}; a new node counts once it is listed")]
    NotListed(NodeName),
    /// Said for another network.
    #[error("V022: signed by {node} for network {network}, not for this one")]
    OtherNetwork {
        /// Whose key signed it.
        node: NodeName,
        /// What it says.
        network: String,
    },
    /// A version of the payload that nobody here knows.
    #[error("V023: {0:?} is neither receipt/v1 nor beacon/v1 in its place; a newer agent wrote it")]
    Version(String),
    /// Nothing more is taken from this node.
    #[error("V024: {0} contradicted itself: quarantined until a new roster gives it a new key")]
    Quarantined(NodeName),
    /// It contradicts what this node signed before.
    #[error(
        "V025: {node} signed two contents for {what} {counter}: quarantined until a new roster gives it a new key"
    )]
    Contradiction {
        /// Whose.
        node: NodeName,
        /// `beacon` or `receipt`.
        what: &'static str,
        /// Which.
        counter: u64,
    },
    /// A chain as long as any may become.
    #[error("V027: the chain of {0} is full; enrol it anew, with a new key")]
    Full(NodeName),
    /// Two envelopes that exclude nothing.
    #[error("V026: these two envelopes do not prove that {0} contradicted itself")]
    NoProof(NodeName),
}

impl Book {
    /// An empty book: nobody's key counts before [`Book::admit`].
    pub fn new(network: impl Into<String>) -> Self {
        Self {
            network: network.into(),
            pages: BTreeMap::new(),
            strangers: BTreeSet::new(),
            evidence: Evidence::default(),
        }
    }

    /// Makes the keys of `roster` the ones that count. A node with a new key begins anew, one
    /// that is no longer listed is forgotten, and what a node says of a plan that knows it by
    /// another key is kept in its chain and not counted.
    pub fn admit(&mut self, roster: &Roster, plans: &BTreeMap<PlanId, Plan>) {
        let keys = roster.nodes.iter().filter_map(|node| Some((&node.name, node.key?)));
        let keys: BTreeMap<&NodeName, PublicKey> = keys.collect();
        let same = |page: &Page| keys.get(page.chain.node()) == Some(page.chain.key());
        self.pages.retain(|_, page| same(page));
        for (name, key) in &keys {
            let blank = || Page::new(&self.network, name, *key);
            self.pages.entry((*name).clone()).or_insert_with(blank);
        }
        self.strangers = strangers(&keys, plans);
        let strangers = &self.strangers;
        self.evidence.nodes.retain(|name, _| self.pages.contains_key(name));
        for (name, page) in &self.pages {
            let facts = self.evidence.nodes.entry(name.clone()).or_default();
            page.refold(facts, strangers);
        }
    }

    /// Verifies a receipt, appends it to its chain and folds it in.
    ///
    /// # Errors
    /// [`BookError`]; the evidence is unchanged by every one but a contradiction, which
    /// quarantines the node.
    pub fn receipt(&mut self, bytes: &[u8]) -> Result<Added, BookError> {
        let envelope = Envelope::parse::<Receipt>(fits(bytes)?)?;
        let claimed: Receipt = envelope.claimed()?;
        let page = self.pages.get_mut(&claimed.node);
        let page = page.ok_or(BookError::NotListed(claimed.node.clone()))?;
        if page.proof.is_some() {
            return Err(BookError::Quarantined(claimed.node));
        }
        envelope.open::<Receipt>(page.chain.key())?;
        version(&claimed.muster, "receipt/v1")?;
        let facts = self.evidence.nodes.entry(claimed.node.clone()).or_default();
        let added = page.append(&envelope, facts.beacon.as_ref());
        if let Err(BookError::Chain(_) | BookError::Contradiction { .. }) = added {
            facts.quarantined = page.proof.is_some();
        }
        if added? == Added::New {
            facts.head = page.chain.head();
            let counts = !self.strangers.contains(&(claimed.plan.clone(), claimed.node.clone()));
            facts.fold(&claimed, counts);
            return Ok(Added::New);
        }
        Ok(Added::Known)
    }

    /// Verifies a beacon and keeps it when its counter is the highest so far. True when it is
    /// news. A date in the future is kept: the rule calls the node bad for it.
    ///
    /// # Errors
    /// [`BookError`], as for receipts.
    pub fn beacon(&mut self, bytes: &[u8], now: Timestamp) -> Result<bool, BookError> {
        let envelope = Envelope::parse::<Beacon>(fits(bytes)?)?;
        let claimed: Beacon = envelope.claimed()?;
        let node = claimed.node.clone();
        let page = self.pages.get_mut(&node).ok_or(BookError::NotListed(node.clone()))?;
        if page.proof.is_some() {
            return Err(BookError::Quarantined(node));
        }
        envelope.open::<Beacon>(page.chain.key())?;
        version(&claimed.muster, "beacon/v1")?;
        if claimed.network != self.network {
            return Err(BookError::OtherNetwork { node, network: claimed.network });
        }
        let facts = self.evidence.nodes.entry(node).or_default();
        let last = facts.beacon.as_ref().map(|beacon| beacon.counter);
        let newer = page.compare(&envelope, &claimed, last);
        facts.quarantined = page.proof.is_some();
        if newer? {
            page.beacon = Some(envelope);
            page.heard = Some(now);
            facts.take(claimed);
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes a proof that somebody else found, when it holds. True when it is news.
    ///
    /// # Errors
    /// [`BookError::TooLarge`], [`BookError::NotListed`], [`BookError::NoProof`].
    pub fn proof(&mut self, node: &NodeName, proof: Proof) -> Result<bool, BookError> {
        fits(&proof.first).and(fits(&proof.second))?;
        let page = self.pages.get_mut(node).ok_or(BookError::NotListed(node.clone()))?;
        if !proof.holds(&self.network, node, page.chain.key()) {
            return Err(BookError::NoProof(node.clone()));
        }
        let news = page.proof.is_none();
        page.proof.get_or_insert(proof);
        self.evidence.nodes.entry(node.clone()).or_default().quarantined = true;
        Ok(news)
    }

    /// What the rule reads.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The newest receipt of a node.
    pub fn head(&self, node: &NodeName) -> Option<Head> {
        self.pages.get(node)?.chain.head()
    }

    /// The chain of a node, when its key counts.
    pub fn chain(&self, node: &NodeName) -> Option<&Chain> {
        self.pages.get(node).map(|page| &page.chain)
    }

    /// The envelopes of a node's receipts with a counter above `since`, in order, to hand on.
    pub fn envelopes(&self, node: &NodeName, since: u64) -> impl Iterator<Item = &[u8]> {
        let receipts = self.pages.get(node).map_or(&[][..], |page| &page.receipts);
        let known = usize::try_from(since).unwrap_or(usize::MAX).min(receipts.len());
        receipts[known..].iter().map(Vec::as_slice)
    }

    /// The envelope of a node's newest beacon, to hand on.
    pub fn beacon_envelope(&self, node: &NodeName) -> Option<Vec<u8>> {
        Some(self.pages.get(node)?.beacon.as_ref()?.to_bytes::<Beacon>())
    }

    /// When this book took a node's newest beacon, by the clock it was given.
    pub fn heard(&self, node: &NodeName) -> Option<Timestamp> {
        self.pages.get(node)?.heard
    }

    /// Who contradicted himself, with the proof.
    pub fn quarantined(&self) -> impl Iterator<Item = (&NodeName, &Proof)> {
        self.pages.iter().filter_map(|(name, page)| Some((name, page.proof.as_ref()?)))
    }

    /// True when a node's newest beacon names a receipt that has not arrived here.
    pub fn withheld(&self, node: &NodeName) -> bool {
        let beacon = self.evidence.nodes.get(node).and_then(|facts| facts.beacon.as_ref());
        let told = beacon.and_then(|beacon| beacon.head.as_ref()).map_or(0, |head| head.counter);
        told > self.head(node).map_or(0, |head| head.counter)
    }
}

impl Page {
    fn new(network: &str, node: &NodeName, key: PublicKey) -> Self {
        let chain = Chain::new(network, node.clone(), key);
        Self { chain, receipts: Vec::new(), beacon: None, heard: None, proof: None }
    }

    /// Facts from the chain, counted afresh; what beacons told stays as it is.
    fn refold(&self, facts: &mut NodeFacts, strangers: &BTreeSet<(PlanId, NodeName)>) {
        if self.receipts.is_empty() && self.beacon.is_none() {
            *facts = NodeFacts::default();
        }
        facts.head = self.chain.head();
        facts.quarantined = self.proof.is_some();
        facts.plans.clear();
        for receipt in self.chain.receipts() {
            let stranger = strangers.contains(&(receipt.plan.clone(), receipt.node.clone()));
            facts.fold(receipt, !stranger);
        }
    }

    fn append(&mut self, envelope: &Envelope, beacon: Option<&Beacon>) -> Result<Added, BookError> {
        self.room()?;
        let bytes = envelope.to_bytes::<Receipt>();
        let added = match self.chain.add(envelope) {
            Err(error @ ChainError::DoubleCounter { counter, .. }) => {
                self.prove(counter, bytes);
                return Err(error.into());
            }
            Err(error @ ChainError::Broken { counter, .. }) => {
                self.prove(counter.saturating_sub(1), bytes);
                return Err(error.into());
            }
            added => added?,
        };
        if added == Added::Known {
            return Ok(added);
        }
        self.receipts.push(bytes);
        // A beacon may have told another hash for this link before it came.
        if let Some(counter) = beacon.and_then(|beacon| self.denied(beacon))
            && let Some(envelope) = &self.beacon
        {
            let second = envelope.to_bytes::<Beacon>();
            self.prove(counter, second);
            return Err(self.contradiction("receipt", counter));
        }
        Ok(added)
    }

    fn room(&self) -> Result<(), BookError> {
        let fine = self.receipts.len() < limits::RECEIPTS_PER_NODE;
        if fine { Ok(()) } else { Err(BookError::Full(self.chain.node().clone())) }
    }

    /// True when the beacon is newer than the last one.
    fn compare(
        &mut self,
        envelope: &Envelope,
        beacon: &Beacon,
        last: Option<u64>,
    ) -> Result<bool, BookError> {
        if let Some(counter) = self.denied(beacon) {
            self.prove(counter, envelope.to_bytes::<Beacon>());
            return Err(self.contradiction("receipt", counter));
        }
        let other = self.beacon.as_ref().filter(|known| known.payload() != envelope.payload());
        if last == Some(beacon.counter)
            && let Some(known) = other
        {
            let (first, second) = (known.to_bytes::<Beacon>(), envelope.to_bytes::<Beacon>());
            self.proof = Some(Proof { first, second });
            return Err(self.contradiction("beacon", beacon.counter));
        }
        Ok(last.is_none_or(|last| beacon.counter > last))
    }

    /// The link for which the beacon's head names another hash than the chain.
    fn denied(&self, beacon: &Beacon) -> Option<u64> {
        let head = beacon.head.as_ref()?;
        let known = self.chain.hash(head.counter)?;
        (*known != head.hash).then_some(head.counter)
    }

    /// Keeps link `counter` and what contradicts it, when they do.
    fn prove(&mut self, counter: u64, second: Vec<u8>) {
        let at = usize::try_from(counter).ok().and_then(|counter| counter.checked_sub(1));
        let Some(first) = at.and_then(|at| self.receipts.get(at)) else { return };
        let proof = Proof { first: first.clone(), second };
        let network = self.chain.network();
        if proof.holds(network, self.chain.node(), self.chain.key()) {
            self.proof = Some(proof);
        }
    }

    fn contradiction(&self, what: &'static str, counter: u64) -> BookError {
        BookError::Contradiction { node: self.chain.node().clone(), what, counter }
    }
}

fn strangers(
    keys: &BTreeMap<&NodeName, PublicKey>,
    plans: &BTreeMap<PlanId, Plan>,
) -> BTreeSet<(PlanId, NodeName)> {
    let of = |(id, plan): (&PlanId, &Plan)| -> Vec<(PlanId, NodeName)> {
        let other = plan.members.iter().filter(|m| m.key.as_ref() != keys.get(&m.name));
        other.map(|member| (id.clone(), member.name.clone())).collect()
    };
    plans.iter().flat_map(of).collect()
}

fn fits(bytes: &[u8]) -> Result<&[u8], BookError> {
    let fine = bytes.len() <= limits::EVIDENCE_BYTES;
    if fine { Ok(bytes) } else { Err(BookError::TooLarge { bytes: bytes.len() }) }
}

fn version(found: &str, known: &str) -> Result<(), BookError> {
    if found == known { Ok(()) } else { Err(BookError::Version(found.into())) }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
