//! Receipts and beacons: verified by the book, stored, then passed on.

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::NodeName;
use muster_proto::evidence::book::BookError;
use muster_proto::evidence::chain::{Added, ChainError};
use muster_proto::evidence::proof::Proof;
use muster_proto::evidence::{Beacon, Envelope, EnvelopeError, Receipt};
use muster_proto::wire::muster::DoubleCounter;
use tracing::{debug, error, warn};

use super::{Keeper, Outcome};
use crate::board::shelf::Change;
use crate::store::Write;

/// Only the newest beacon counts, and the next is a second away: this often one is stored, so that
/// a board that restarts knows roughly how everybody was.
const STORE_BEACON_EVERY: SignedDuration = SignedDuration::from_secs(5);

impl Keeper {
    /// `from` is whose stream brought it: nobody speaks for others.
    pub(super) fn receipt(
        &mut self,
        from: &NodeName,
        bytes: Vec<u8>,
        now: Timestamp,
        out: &mut Outcome,
    ) {
        let claimed = match claimed_receipt(&bytes) {
            Ok(claimed) if claimed.node == *from => claimed,
            Ok(claimed) => {
                warn!(node = %from, of = %claimed.node, "a receipt of another node is not taken");
                return;
            }
            Err(error) => {
                warn!(node = %from, %error, "receipt refused");
                return;
            }
        };
        match self.book.receipt(&bytes) {
            Ok(Added::New) => self.receipt_taken(claimed, bytes, now, out),
            Ok(Added::Known) => {}
            Err(BookError::Chain(gap @ ChainError::Gap { .. })) => {
                debug!(node = %from, %gap, "asking for what lies between");
                self.ask_for_gap(from, out);
            }
            Err(error) => self.refuse_evidence(from, &error, out),
        }
    }

    /// Once for each head: an agent that is far ahead sends many receipts before it hears this.
    fn ask_for_gap(&mut self, node: &NodeName, out: &mut Outcome) {
        let held = self.book.head(node).map_or(0, |head| head.counter);
        if self.gaps.insert(node.clone(), held) != Some(held) {
            self.tell_own_chain(node, out);
        }
    }

    fn refuse_evidence(&mut self, node: &NodeName, error: &BookError, out: &mut Outcome) {
        warn!(%node, %error, "evidence refused");
        self.quarantine(node, out);
    }

    fn receipt_taken(&self, receipt: Receipt, bytes: Vec<u8>, now: Timestamp, out: &mut Outcome) {
        let Some((key, head)) = self.key_of(&receipt.node).zip(self.book.head(&receipt.node))
        else {
            return;
        };
        let finished = receipt.event.is_final();
        out.changes.push(Change::Receipt {
            node: receipt.node.clone(),
            key,
            hash: head.hash.to_string(),
            envelope: bytes.as_slice().into(),
        });
        out.writes.push(Write::Receipt {
            node: receipt.node,
            key,
            counter: receipt.counter,
            plan: receipt.plan,
            taken: now.as_second(),
            envelope: bytes,
        });
        if finished {
            self.audience_changed(now, out);
        }
    }

    /// Shows and keeps the proof when the book has found one.
    pub(super) fn quarantine(&mut self, node: &NodeName, out: &mut Outcome) {
        let found = self.book.quarantined().find(|(name, _)| *name == node);
        let Some(Proof { first, second }) = found.map(|(_, proof)| proof.clone()) else { return };
        let Some(key) = self.key_of(node) else { return };
        if !self.proved.insert(node.clone()) {
            return;
        }
        error!(%node, "contradicted itself: quarantined until a roster gives it a new key");
        let double =
            DoubleCounter { node: node.to_string(), first: first.clone(), second: second.clone() };
        out.changes.push(Change::Double(double));
        out.writes.push(Write::Double { node: node.clone(), key, first, second });
    }

    /// As [`Keeper::receipt`].
    pub(super) fn beacon(
        &mut self,
        from: &NodeName,
        bytes: Vec<u8>,
        now: Timestamp,
        out: &mut Outcome,
    ) {
        match Envelope::parse::<Beacon>(&bytes).and_then(|it| it.claimed::<Beacon>()) {
            Ok(claimed) if claimed.node == *from => {}
            _ => {
                warn!(node = %from, "a beacon that is not its own is not taken");
                return;
            }
        }
        match self.book.beacon(&bytes, now) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.refuse_evidence(from, &error, out),
        }
        out.changes.push(Change::Beacon { node: from.clone(), envelope: bytes.as_slice().into() });
        let stored = self.beacons_stored.get(from);
        let due = stored.is_none_or(|at| now.duration_since(*at).abs() >= STORE_BEACON_EVERY);
        if let Some(key) = self.key_of(from).filter(|_| due) {
            self.beacons_stored.insert(from.clone(), now);
            out.writes.push(Write::Beacon { node: from.clone(), key, envelope: bytes });
        }
    }
}

fn claimed_receipt(bytes: &[u8]) -> Result<Receipt, EnvelopeError> {
    Envelope::parse::<Receipt>(bytes)?.claimed()
}
