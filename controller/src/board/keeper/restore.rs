//! A start is a fast replay: what was stored comes in by the path that it came by first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::documents::{Digest, PlanId};
use muster_proto::evidence::{Book, Proof};
use muster_proto::trust::{Ledger, Offer, Trust, TrustError};
use muster_proto::wire::muster::{AgentRefusal, Hold, Refusal};
use tracing::{info, warn};

use super::{Keeper, Outcome};
use crate::board::shelf::Change;
use crate::config::Config;
use crate::mark::Mark;
use crate::publisher::Signer;
use crate::store::Loaded;

/// The root or what the store says beside it is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The first root.
    #[error("C019: the first root, or a root in the store, does not verify")]
    Root(#[source] TrustError),
}

impl Keeper {
    /// Rebuilds the board from its pinned first root and its store.
    ///
    /// # Errors
    /// [`RestoreError`] when the roots do not verify. Anything else that does not is left out and
    /// said in the log: the board can do without it, and agents bring their receipts again.
    pub fn restore(
        config: &Config,
        (root, pin): (&[u8], &Digest),
        signer: Option<Signer>,
        mark: Mark,
        loaded: Loaded,
        now: Timestamp,
    ) -> Result<(Self, Vec<Change>), RestoreError> {
        let trust = Trust::pin(root, pin, &config.network).map_err(RestoreError::Root)?;
        let mut keeper = Self {
            network: config.network.clone(),
            book: Book::new(&config.network),
            ledger: Ledger::default(),
            signer,
            mark,
            keys: BTreeMap::new(),
            holds: BTreeMap::new(),
            attached: BTreeMap::new(),
            connections: 0,
            attachments_per_minute: config.limits.attachments_per_minute,
            attach_rates: BTreeMap::new(),
            beacons_stored: BTreeMap::new(),
            refusals: BTreeMap::new(),
            trust,
        };
        let mut out = Outcome::default();
        keeper.restore_documents(&loaded, now, &mut out)?;
        keeper.restore_evidence(&loaded, now, &mut out);
        keeper.restore_words(loaded, now, &mut out);
        for (role, marked, held) in keeper.mark.missing(&keeper.versions()) {
            warn!(
                code = "C018",
                role,
                marked,
                held,
                "this store is an old copy: publish again what it lacks; until then nothing is \
                 signed"
            );
        }
        Ok((keeper, out.changes))
    }

    fn restore_documents(
        &mut self,
        loaded: &Loaded,
        now: Timestamp,
        out: &mut Outcome,
    ) -> Result<(), RestoreError> {
        let plan = |row: &(String, u64, String)| {
            let (class, serial, digest) = row;
            let (class, digest) = (class.parse().ok()?, digest.parse().ok()?);
            Some(PlanId { class, serial: *serial, digest })
        };
        let known: Vec<PlanId> = loaded.plans.iter().filter_map(plan).collect();
        let floor = |counter| self.trust.serial_floor(counter);
        self.ledger.admit_all(&self.network, &known, floor);
        let mut roles = loaded.metadata.clone();
        let offer = Offer {
            roots: loaded.roots.clone(),
            timestamp: roles.remove("timestamp"),
            snapshot: roles.remove("snapshot"),
            roles,
            targets: loaded.targets.clone(),
        };
        // What was fresh when it was stored counts, then what has expired since is looked at.
        let then =
            offer.timestamp.as_deref().and_then(expiry).map_or(now, |expiry| expiry.min(now));
        for piece in roots_first(offer) {
            for refused in self.trust.take(&piece, then).refused {
                if refused.subject == "root" {
                    return Err(RestoreError::Root(refused.error));
                }
                warn!(subject = refused.subject, error = %refused.error, "stored, and not believed");
            }
        }
        self.trust.take(&Offer::default(), now);
        self.mark.raise(&self.versions());
        self.documents_changed(now, out);
        info!(versions = ?self.versions(), plans = self.trust.plans().len(), "documents");
        Ok(())
    }

    fn restore_evidence(&mut self, loaded: &Loaded, now: Timestamp, out: &mut Outcome) {
        let keys: BTreeMap<&str, String> =
            self.agents().map(|(node, key)| (node.as_str(), key.to_string())).collect();
        let current = |node: &str, key: &str| keys.get(node).is_some_and(|listed| listed == key);
        let receipts: Vec<_> = loaded
            .receipts
            .iter()
            .filter(|row| current(&row.node, &row.key))
            .map(|row| (row.node.clone(), row.envelope.clone()))
            .collect();
        let doubles = loaded.doubles.iter().filter(|(node, key, ..)| current(node, key));
        let proofs: Vec<_> = doubles
            .filter_map(|(node, _, first, second)| {
                Some((node.parse().ok()?, Proof { first: first.clone(), second: second.clone() }))
            })
            .collect();
        info!(receipts = receipts.len(), beacons = loaded.beacons.len(), "evidence");
        for (node, envelope) in receipts {
            if let Ok(node) = node.parse() {
                self.receipt(&node, envelope, now, out);
            }
        }
        for (node, proof) in proofs {
            match self.book.proof(&node, proof) {
                Ok(_) => self.quarantine(&node, out),
                Err(error) => warn!(%node, %error, "stored, and no proof"),
            }
        }
        for (node, envelope) in &loaded.beacons {
            if let Ok(node) = node.parse() {
                self.beacon(&node, envelope.clone(), now, out);
            }
        }
    }

    fn restore_words(&mut self, loaded: Loaded, now: Timestamp, out: &mut Outcome) {
        for (class, serial, by, reason, until) in loaded.holds {
            if let Ok(parsed) = class.parse()
                && until > now.as_second()
            {
                self.holds.insert((parsed, serial), Hold { class, serial, by, reason, until });
            }
        }
        out.changes.push(Change::Holds(self.holds.values().cloned().collect()));
        for (node, at, code, text, subject) in loaded.refusals {
            let refusal = Some(Refusal { code, text, subject });
            out.changes.push(Change::Refusal(AgentRefusal { node, refusal, at }));
        }
        for row in loaded.attachments {
            if let Ok(node) = row.node.parse() {
                out.changes.push(Change::Attachment { node, connection: None, since: row.at });
            }
        }
    }
}

/// An offer carries a bounded number of roots; the rest comes before everything else.
fn roots_first(offer: Offer) -> Vec<Offer> {
    let limit = muster_proto::trust::limits::ROOTS_PER_OFFER;
    let chunks = offer.roots.chunks(limit);
    let roots = chunks.map(|roots| Offer { roots: roots.to_vec(), ..Offer::default() });
    let mut pieces: Vec<Offer> = roots.collect();
    pieces.push(Offer { roots: Vec::new(), ..offer });
    pieces
}

/// When a stored timestamp expires; not believed, only used to look at it while it was fresh.
fn expiry(timestamp: &[u8]) -> Option<Timestamp> {
    let value: serde_json::Value = serde_json::from_slice(timestamp).ok()?;
    value.pointer("/signed/expires")?.as_str()?.parse().ok()
}
