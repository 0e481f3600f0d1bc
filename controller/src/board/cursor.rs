//! How far one reader has come, and what he is sent next.
//!
//! One message at a time and none larger than it must be: whatever a reader does not take, stays
//! on the shelf and costs nothing.

use std::collections::BTreeMap;

use muster_proto::documents::{NodeName, PublicKey};
use muster_proto::wire::muster::{
    Attachment, Attachments, BoardMessage, Bulletin, Evidence, Holds, OwnChain, RoleMetadata,
    TargetFile, board_message::Message,
};

use super::shelf::{Bytes, Part, Shelf};

/// Evidence in one message, in bytes: small enough that a stream of it never stalls others.
const EVIDENCE_CHUNK: usize = 256 * 1024;

/// Roles and targets in one bulletin, in bytes; half of the limit for a message, because one more
/// part (a genesis file of 1 MiB) may follow the last that fitted.
const BULLETIN_CHUNK: usize = 2 * 1024 * 1024;

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// An agent: what its decisions need.
    Agent(NodeName),
    /// An officer or watcher: everything.
    Watcher,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Cursor {
    reader: Reader,
    root: u64,
    timestamp: u64,
    parts: u64,
    doubles: u64,
    holds: u64,
    chains: BTreeMap<NodeName, (PublicKey, usize)>,
    beacons: u64,
    attachments: u64,
    refusals: u64,
    own: u64,
}

impl Cursor {
    /// A reader who holds the roots up to `root` and nothing else.
    pub fn new(reader: Reader, root: u64) -> Self {
        Self {
            reader,
            root,
            timestamp: 0,
            parts: 0,
            doubles: 0,
            holds: 0,
            chains: BTreeMap::new(),
            beacons: 0,
            attachments: 0,
            refusals: 0,
            own: 0,
        }
    }

    /// A reader who says that he holds the whole of this snapshot is not sent it again.
    pub fn holds_snapshot(&mut self, version: u64, shelf: &Shelf) {
        if version > 0 && version == shelf.documents.snapshot_version {
            self.parts = shelf.parts.keys().next_back().copied().unwrap_or(0);
        }
    }

    /// The next message for this reader; none when he has everything. Proofs of double counters
    /// stand between receipts and beacons, as after a restart: who reads them believes what was
    /// said before, and has heard of them before he holds a beacon to begin by.
    pub fn next(&mut self, shelf: &Shelf) -> Option<BoardMessage> {
        let message = self
            .bulletin(shelf)
            .map(Message::Bulletin)
            .or_else(|| self.own_chain(shelf))
            .or_else(|| self.holds(shelf))
            .or_else(|| self.receipts(shelf))
            .or_else(|| self.double(shelf))
            .or_else(|| self.beacons(shelf))
            .or_else(|| self.attachments(shelf))
            .or_else(|| self.refusal(shelf))?;
        Some(BoardMessage { message: Some(message) })
    }

    /// Documents that are newer than what this reader was sent; as many as fit.
    pub fn bulletin(&mut self, shelf: &Shelf) -> Option<Bulletin> {
        let documents = &shelf.documents;
        let known = (self.root + 1).saturating_sub(documents.first_root);
        let mut roots = documents.roots.iter().skip(known as usize).peekable();
        let mut parts = shelf.parts.range(self.parts + 1..).peekable();
        let fresh = self.timestamp >= shelf.timestamp_seq;
        if fresh && roots.peek().is_none() && parts.peek().is_none() {
            return None;
        }
        let mut bulletin = Bulletin {
            timestamp: bytes_or_empty(&documents.timestamp),
            snapshot: bytes_or_empty(&documents.snapshot),
            ..Bulletin::default()
        };
        self.timestamp = shelf.timestamp_seq;
        let mut size = 0;
        while let Some(root) = roots.next_if(|_| size < BULLETIN_CHUNK) {
            size += root.len();
            bulletin.roots.push(root.to_vec());
        }
        self.root = self.root.max(documents.first_root - 1) + bulletin.roots.len() as u64;
        // What these roots sign for follows when all of them are there.
        while let Some((seq, part)) = parts.next_if(|_| size < BULLETIN_CHUNK) {
            size += add(&mut bulletin, part, shelf);
            self.parts = *seq;
        }
        Some(bulletin)
    }

    fn double(&mut self, shelf: &Shelf) -> Option<Message> {
        let (seq, double) = shelf.doubles.range(self.doubles + 1..).next()?;
        self.doubles = *seq;
        Some(Message::DoubleCounter(double.clone()))
    }

    fn own_chain(&mut self, shelf: &Shelf) -> Option<Message> {
        let Reader::Agent(me) = &self.reader else { return None };
        let seq = shelf.tell_own.get(me).copied().filter(|seq| *seq > self.own)?;
        self.own = seq;
        let own = shelf.chains.get(me).map_or_else(OwnChain::default, |chain| OwnChain {
            counter: chain.envelopes.len() as u64,
            hash: chain.hash.clone(),
            receipt: chain.envelopes.last().map(|bytes| bytes.to_vec()).unwrap_or_default(),
        });
        Some(Message::OwnChain(own))
    }

    fn holds(&mut self, shelf: &Shelf) -> Option<Message> {
        if self.holds >= shelf.holds.seq {
            return None;
        }
        self.holds = shelf.holds.seq;
        Some(Message::Holds(Holds { holds: shelf.holds.item.clone() }))
    }

    fn receipts(&mut self, shelf: &Shelf) -> Option<Message> {
        let mut evidence = Evidence::default();
        let mut size = 0;
        let wanted: Box<dyn Iterator<Item = &NodeName>> = match self.reader {
            Reader::Agent(_) => Box::new(shelf.audience.receipts.iter()),
            Reader::Watcher => Box::new(shelf.chains.keys()),
        };
        for (node, chain) in wanted.filter_map(|node| shelf.chains.get_key_value(node)) {
            let sent = self.chains.entry(node.clone()).or_insert((chain.key, 0));
            if sent.0 != chain.key {
                *sent = (chain.key, 0);
            }
            for envelope in chain.envelopes.iter().skip(sent.1) {
                if size > EVIDENCE_CHUNK {
                    break;
                }
                size += envelope.len();
                sent.1 += 1;
                evidence.receipts.push(envelope.to_vec());
            }
        }
        (!evidence.receipts.is_empty()).then_some(Message::Evidence(evidence))
    }

    fn beacons(&mut self, shelf: &Shelf) -> Option<Message> {
        let mut evidence = Evidence::default();
        let mut size = 0;
        for (seq, (node, envelope)) in shelf.beacons.range(self.beacons + 1..) {
            if size > EVIDENCE_CHUNK {
                break;
            }
            self.beacons = *seq;
            let own = self.reader == Reader::Agent(node.clone());
            if !own && wanted(&self.reader, &shelf.audience.beacons, node) {
                size += envelope.len();
                evidence.beacons.push(envelope.to_vec());
            }
        }
        (!evidence.beacons.is_empty()).then_some(Message::Evidence(evidence))
    }

    fn attachments(&mut self, shelf: &Shelf) -> Option<Message> {
        let Reader::Watcher = self.reader else { return None };
        let newer = shelf.attachments.iter().filter(|(_, entry)| entry.seq > self.attachments);
        let attachments: Vec<_> = newer
            .map(|(node, entry)| Attachment {
                node: node.to_string(),
                attached: entry.item.0.is_some(),
                since: entry.item.1,
            })
            .collect();
        let newest = shelf.attachments.values().map(|entry| entry.seq).max();
        self.attachments = newest.unwrap_or(0);
        (!attachments.is_empty()).then_some(Message::Attachments(Attachments { attachments }))
    }

    fn refusal(&mut self, shelf: &Shelf) -> Option<Message> {
        let Reader::Watcher = self.reader else { return None };
        let (seq, refusal) = shelf.refusals.range(self.refusals + 1..).next()?;
        self.refusals = *seq;
        Some(Message::Refusal(refusal.clone()))
    }
}

fn wanted(
    reader: &Reader,
    audience: &std::collections::BTreeSet<NodeName>,
    node: &NodeName,
) -> bool {
    match reader {
        Reader::Agent(_) => audience.contains(node),
        Reader::Watcher => true,
    }
}

fn bytes_or_empty(bytes: &Option<Bytes>) -> Vec<u8> {
    bytes.as_ref().map(|bytes| bytes.to_vec()).unwrap_or_default()
}

fn add(bulletin: &mut Bulletin, part: &Part, shelf: &Shelf) -> usize {
    match part {
        Part::Role(role) => {
            let metadata = shelf.documents.roles[role].to_vec();
            let size = metadata.len();
            bulletin.roles.push(RoleMetadata { role: role.clone(), metadata });
            size
        }
        Part::Target(path) => {
            let content = shelf.documents.targets[path].to_vec();
            let size = content.len();
            bulletin.targets.push(TargetFile { path: path.clone(), content });
            size
        }
    }
}
