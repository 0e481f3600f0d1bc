//! Receipts and beacons: verified by the book, stored, then passed on.

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::NodeName;
use muster_proto::evidence::book::BookError;
use muster_proto::evidence::chain::{Added, ChainError};
use muster_proto::evidence::{Beacon, Envelope, EnvelopeError, Proof, Receipt};
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
                self.tell_own_chain(from, out);
            }
            Err(double @ BookError::Contradiction { .. }) => {
                error!(node = %from, error = %double, "quarantined");
                self.quarantine(from, out);
            }
            Err(error) => warn!(node = %from, %error, "receipt refused"),
        }
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

    pub(super) fn quarantine(&self, node: &NodeName, out: &mut Outcome) {
        let proof = self.book.quarantined().find(|(name, _)| *name == node);
        let Some((_, Proof { first, second })) = proof else { return };
        let Some(key) = self.key_of(node) else { return };
        let (node, first, second) = (node.clone(), first.clone(), second.clone());
        let (name, one, other) = (node.to_string(), first.clone(), second.clone());
        out.changes.push(Change::Double(DoubleCounter { node: name, first: one, second: other }));
        out.writes.push(Write::Double { node, key, first, second });
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
            Err(double @ BookError::Contradiction { .. }) => {
                error!(node = %from, error = %double, "quarantined");
                self.quarantine(from, out);
                return;
            }
            Err(error) => {
                warn!(node = %from, %error, "beacon refused");
                return;
            }
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
