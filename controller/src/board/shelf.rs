//! What lies on the board for everybody to read: verified, stored, numbered in the order it came.
//!
//! Plain data. One task changes it; every stream reads it at its own pace with a `Cursor`, so that
//! nothing is ever queued per reader: a slow one finds the newest state, not a backlog.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_proto::documents::{NodeName, PublicKey};
use muster_proto::wire::muster::{AgentRefusal, DoubleCounter, Hold};

use crate::audience::Audience;

/// Shared bytes, as they were signed.
pub type Bytes = Arc<[u8]>;

/// One thing that happened to the board, after it was verified and stored.
#[derive(Debug, Clone)]
pub enum Change {
    /// Metadata or targets are newer, or other nodes are listed.
    Documents(Box<Documents>),
    /// Plans or rosters changed whose evidence agents need.
    Audience(Audience),
    /// The next link of a chain; counter 1 begins a new chain.
    Receipt {
        /// Whose.
        node: NodeName,
        /// By which key.
        key: PublicKey,
        /// Of its payload (`sha256:…`).
        hash: String,
        /// As signed.
        envelope: Bytes,
    },
    /// A node's key changed: what the old one signed is not served any more.
    Forget(NodeName),
    /// A newer beacon.
    Beacon {
        /// Whose.
        node: NodeName,
        /// As signed.
        envelope: Bytes,
    },
    /// Two receipts with one counter.
    Double(DoubleCounter),
    /// The holds in force.
    Holds(Vec<Hold>),
    /// An agent came (with the number of its connection) or went.
    Attachment {
        /// Who.
        node: NodeName,
        /// None when it went.
        connection: Option<u64>,
        /// Unix seconds.
        since: i64,
    },
    /// What an agent said it refused.
    Refusal(AgentRefusal),
    /// This agent should hear what the board holds of its chain.
    TellOwnChain(NodeName),
}

/// Signed documents as they are served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    /// Version of the first root in `roots`.
    pub first_root: u64,
    /// Consecutive, oldest first.
    pub roots: Vec<Bytes>,
    /// Newest, if there is one.
    pub timestamp: Option<Bytes>,
    /// Newest, if there is one.
    pub snapshot: Option<Bytes>,
    /// `targets` and the delegated roles.
    pub roles: BTreeMap<String, Bytes>,
    /// By path.
    pub targets: BTreeMap<String, Bytes>,
    /// The agents' keys by the newest roster.
    pub keys: BTreeMap<NodeName, PublicKey>,
}

/// One agent's receipts as they are served.
#[derive(Debug, Clone)]
pub(super) struct ServedChain {
    pub(super) key: PublicKey,
    pub(super) hash: String,
    /// The receipt with counter n at n - 1.
    pub(super) envelopes: Vec<Bytes>,
}

/// Something with the number under which it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbered<T> {
    pub(super) seq: u64,
    pub(super) item: T,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Shelf {
    seq: u64,
    pub(super) documents: Documents,
    /// When the timestamp changed last.
    pub(super) timestamp_seq: u64,
    /// When each role or target changed last, and which it is.
    pub(super) parts: BTreeMap<u64, Part>,
    pub(super) audience: Audience,
    pub(super) chains: BTreeMap<NodeName, ServedChain>,
    pub(super) beacons: BTreeMap<u64, (NodeName, Bytes)>,
    beacon_seqs: BTreeMap<NodeName, u64>,
    pub(super) doubles: BTreeMap<u64, DoubleCounter>,
    pub(super) holds: Numbered<Vec<Hold>>,
    pub(super) attachments: BTreeMap<NodeName, Numbered<(Option<u64>, i64)>>,
    pub(super) refusals: BTreeMap<u64, AgentRefusal>,
    pub(super) tell_own: BTreeMap<NodeName, u64>,
}

/// A piece of a bulletin that is sent when it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Role(String),
    Target(String),
}

/// Refusals that are kept to be shown.
const REFUSALS: usize = 1_000;

impl Shelf {
    /// An empty board: everything that is sent once has number 1.
    pub fn new() -> Self {
        let documents = Documents { first_root: 1, ..Documents::default() };
        Self { seq: 1, documents, holds: Numbered { seq: 1, item: Vec::new() }, ..Self::default() }
    }

    /// The agent's key by the newest roster.
    pub fn key_of(&self, node: &NodeName) -> Option<&PublicKey> {
        self.documents.keys.get(node)
    }

    /// Whether any listed agent has that key.
    pub fn lists(&self, key: &PublicKey) -> bool {
        self.documents.keys.values().any(|listed| listed == key)
    }

    /// The connection that counts for `node`.
    pub fn connection_of(&self, node: &NodeName) -> Option<u64> {
        self.attachments.get(node).and_then(|entry| entry.item.0)
    }

    /// Whether agents other than the one concerned are sent anything because of `change`.
    pub fn concerns_agents(&self, change: &Change) -> bool {
        match change {
            Change::Documents(_) | Change::Audience(_) | Change::Forget(_) => true,
            Change::Double(_) | Change::Holds(_) => true,
            Change::Receipt { node, .. } => self.audience.receipts.contains(node),
            Change::Beacon { node, .. } => self.audience.beacons.contains(node),
            Change::Attachment { .. } | Change::Refusal(_) | Change::TellOwnChain(_) => false,
        }
    }

    /// Takes one change.
    pub fn apply(&mut self, change: Change) {
        self.seq += 1;
        let seq = self.seq;
        match change {
            Change::Documents(documents) => self.replace_documents(*documents),
            Change::Audience(audience) => self.audience = audience,
            Change::Receipt { node, key, hash, envelope } => self.append(node, key, hash, envelope),
            Change::Forget(node) => {
                self.chains.remove(&node);
                self.drop_beacon(&node);
            }
            Change::Beacon { node, envelope } => {
                self.drop_beacon(&node);
                self.beacon_seqs.insert(node.clone(), seq);
                self.beacons.insert(seq, (node, envelope));
            }
            Change::Double(double) => {
                self.doubles.insert(seq, double);
            }
            Change::Holds(item) => self.holds = Numbered { seq, item },
            Change::Attachment { node, connection, since } => {
                self.attachments.insert(node, Numbered { seq, item: (connection, since) });
            }
            Change::Refusal(refusal) => self.refuse(refusal),
            Change::TellOwnChain(node) => {
                self.tell_own.insert(node, seq);
            }
        }
    }

    fn append(&mut self, node: NodeName, key: PublicKey, hash: String, envelope: Bytes) {
        let empty = || ServedChain { key, hash: String::new(), envelopes: Vec::new() };
        let chain = self.chains.entry(node).or_insert_with(empty);
        if chain.key != key {
            *chain = empty();
        }
        chain.hash = hash;
        chain.envelopes.push(envelope);
    }

    fn drop_beacon(&mut self, node: &NodeName) {
        if let Some(old) = self.beacon_seqs.remove(node) {
            self.beacons.remove(&old);
        }
    }

    fn refuse(&mut self, refusal: AgentRefusal) {
        let same = |old: &AgentRefusal| {
            let of = |refusal: &AgentRefusal| {
                refusal.refusal.as_ref().map(|r| (r.code.clone(), r.subject.clone()))
            };
            old.node == refusal.node && of(old) == of(&refusal)
        };
        self.refusals.retain(|_, old| !same(old));
        self.refusals.insert(self.seq, refusal);
        if self.refusals.len() > REFUSALS {
            self.refusals.pop_first();
        }
    }

    fn replace_documents(&mut self, new: Documents) {
        let old = std::mem::replace(&mut self.documents, new);
        if old.timestamp != self.documents.timestamp || old.roots != self.documents.roots {
            self.timestamp_seq = self.seq;
        }
        let new = &self.documents;
        let roles = changed(&old.roles, &new.roles).map(Part::Role);
        let targets = changed(&old.targets, &new.targets).map(Part::Target);
        let parts: Vec<Part> = roles.chain(targets).collect();
        self.parts.retain(|_, part| match part {
            Part::Role(role) => new.roles.contains_key(role) && !parts.contains(part),
            Part::Target(path) => new.targets.contains_key(path) && !parts.contains(part),
        });
        for part in parts {
            self.seq += 1;
            self.parts.insert(self.seq, part);
        }
    }
}

fn changed<'a>(
    old: &'a BTreeMap<String, Bytes>,
    new: &'a BTreeMap<String, Bytes>,
) -> impl Iterator<Item = String> + 'a {
    new.iter().filter(|(name, bytes)| old.get(*name) != Some(bytes)).map(|(name, _)| name.clone())
}
