//! Real books beside the world's own account: everything is truly signed, and whatever a node is
//! shown goes through the verifier that agents and controllers use, once or again, in its order
//! or not.

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use muster_proto::documents::{Digest, NodeName};
use muster_proto::evidence::{Beacon, Book, BookError, ChainError, Envelope, Receipt};
use muster_proto::rule::Evidence;
use muster_proto::rule::facts::NodeFacts;

use super::scene::{Scene, secret};

/// What every node has signed, and what every node holds.
#[derive(Debug, Clone)]
pub(super) struct Books {
    own: Vec<Own>,
}

#[derive(Debug, Clone)]
struct Own {
    key: SigningKey,
    receipts: Vec<Vec<u8>>,
    /// Digest of the newest receipt.
    head: Option<Digest>,
    beacons: Vec<Vec<u8>>,
    roster: usize,
    book: Book,
}

impl Books {
    /// Nobody has signed anything.
    pub(super) fn new(scene: &Scene) -> Self {
        let own = |index| Own {
            key: secret(index as u8 + 1),
            receipts: Vec::new(),
            head: None,
            beacons: Vec::new(),
            roster: 0,
            book: blank(scene, 0),
        };
        Self { own: (0..scene.managed).map(own).collect() }
    }

    /// What a node may believe.
    pub(super) fn evidence(&self, node: usize) -> &Evidence {
        self.own[node].book.evidence()
    }

    /// A node signs; its own book holds it at once.
    pub(super) fn says(&mut self, node: usize, receipt: &Receipt) {
        let own = &mut self.own[node];
        let receipt = Receipt { previous: own.head.take(), ..receipt.clone() };
        let envelope = Envelope::sign(&receipt, &own.key).expect("a receipt is canonical");
        own.head = Some(Digest::of(envelope.payload()));
        own.receipts.push(envelope.to_bytes::<Receipt>());
        self.show_receipt(node, node, self.own[node].receipts.len() - 1);
    }

    /// A node signs a beacon; its own book holds it at once.
    pub(super) fn beacon(&mut self, node: usize, beacon: &Beacon) {
        let own = &mut self.own[node];
        let mut beacon = beacon.clone();
        if let (Some(head), Some(hash)) = (&mut beacon.head, &own.head) {
            head.hash = hash.clone();
        }
        let envelope = Envelope::sign(&beacon, &own.key).expect("a beacon is canonical");
        own.beacons.push(envelope.to_bytes::<Beacon>());
        self.show_beacon(node, node, self.own[node].beacons.len() - 1);
    }

    /// `to` is shown one receipt of `of`, whether it had it before or lacks those between.
    pub(super) fn show_receipt(&mut self, to: usize, of: usize, which: usize) {
        let bytes = self.own[of].receipts[which].clone();
        match self.own[to].book.receipt(&bytes) {
            // A key that its own roster does not list any more, or links that are missing.
            Ok(_)
            | Err(BookError::NotListed(_) | BookError::Envelope(_))
            | Err(BookError::Chain(ChainError::Gap { .. })) => {}
            Err(error) => panic!("an honest receipt was refused: {error}"),
        }
    }

    /// `to` is shown one beacon of `of`.
    pub(super) fn show_beacon(&mut self, to: usize, of: usize, which: usize) {
        let bytes = self.own[of].beacons[which].clone();
        match self.own[to].book.beacon(&bytes, Timestamp::UNIX_EPOCH) {
            Ok(_) | Err(BookError::NotListed(_) | BookError::Envelope(_)) => {}
            Err(error) => panic!("an honest beacon was refused: {error}"),
        }
    }

    /// What it was shown is forgotten; its own chain stands in its journal.
    pub(super) fn crash(&mut self, scene: &Scene, node: usize) {
        let own = &mut self.own[node];
        own.book = blank(scene, own.roster);
        (0..self.own[node].receipts.len()).for_each(|which| self.show_receipt(node, node, which));
        (0..self.own[node].beacons.len()).for_each(|which| self.show_beacon(node, node, which));
    }

    /// The second roster's keys count from now on.
    pub(super) fn newer_roster(&mut self, scene: &Scene, node: usize) {
        let own = &mut self.own[node];
        own.roster = 1;
        own.book.admit(&scene.rosters[1], &scene.plans.iter().cloned().collect());
    }

    /// Whether a node's book and the world's account of the same tell the rule the same of `of`.
    pub(super) fn agrees(&self, node: usize, of: &NodeName, told: Option<&NodeFacts>) -> bool {
        let blank = NodeFacts::default();
        let held = self.evidence(node).nodes.get(of).unwrap_or(&blank);
        let told = told.unwrap_or(&blank);
        let words = |beacon: &Beacon| {
            let head = beacon.head.as_ref().map(|head| head.counter);
            (beacon.counter, beacon.at, head, beacon.health.clone(), beacon.newest.clone())
        };
        held.plans == told.plans
            && held.effect == told.effect
            && held.recent == told.recent
            && held.beacon.as_ref().map(words) == told.beacon.as_ref().map(words)
            && !held.quarantined
    }
}

fn blank(scene: &Scene, roster: usize) -> Book {
    let mut book = Book::new("testnet");
    book.admit(&scene.rosters[roster], &scene.plans.iter().cloned().collect());
    book
}
