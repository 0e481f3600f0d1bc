//! The general part of TUF: one verified step at a time, floors that outlive expiry and restarts.
//!
//! Knows nothing of Muster; the client for the public conformance suite drives it too.

use jiff::Timestamp;
use sigstore_tuf::{Metadata, Root, Snapshot, TrustedMetadataSet};
pub use sigstore_tuf::{TargetFile, Targets};

use super::error::TrustError;
use super::limits;

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is what is trusted from here on.
    New,
    /// It was trusted already.
    Same,
}

/// A snapshot whose signatures hold under the present root. It may be expired, or no longer the
/// one that the timestamp pins: then it is a floor and nothing else.
#[derive(Debug, Clone)]
struct HeldSnapshot {
    bytes: Vec<u8>,
    signed: Snapshot,
}

/// Verified TUF metadata of one repository.
#[derive(Debug, Clone)]
pub struct Tuf {
    set: TrustedMetadataSet,
    timestamp: Option<Vec<u8>>,
    snapshot: Option<HeldSnapshot>,
}

impl Tuf {
    /// Begins with a root that is trusted because somebody pinned it.
    ///
    /// # Errors
    /// When it is too large, malformed, or not signed by itself.
    pub fn from_root(bytes: &[u8]) -> Result<Self, TrustError> {
        bounded("root", bytes, limits::ROOT_BYTES)?;
        let set = TrustedMetadataSet::from_root(bytes).map_err(|e| TrustError::of("root", e))?;
        Ok(Self { set, timestamp: None, snapshot: None })
    }

    /// Takes the next root. Floors stay unless the new root replaced the keys that signed them.
    ///
    /// Every loaded targets role is dropped: load them anew.
    ///
    /// # Errors
    /// When it is not the next one, or not signed to the old and the new threshold.
    pub fn root(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        bounded("root", bytes, limits::ROOT_BYTES)?;
        self.set.update_root(bytes).map_err(|e| TrustError::of("root", e))?;
        let timestamp = self.timestamp.take();
        let snapshot = self.snapshot.take();
        if let Some(bytes) = timestamp {
            // An error here means replaced keys, and that its floor falls.
            let _ = self.restore_timestamp(&bytes);
        }
        if let Some(held) = snapshot {
            let _ = self.restore_snapshot(&held.bytes);
        }
        Ok(())
    }

    /// Takes a timestamp that is fresh at `now`.
    ///
    /// # Errors
    /// [`TrustError::Rollback`] when it is older or pins something older,
    /// [`TrustError::TwoContents`] for the version held with other bytes, and the usual ones.
    pub fn timestamp(&mut self, bytes: &[u8], now: Timestamp) -> Result<Step, TrustError> {
        bounded("timestamp", bytes, limits::TIMESTAMP_BYTES)?;
        if self.timestamp.as_deref() == Some(bytes) {
            return Ok(Step::Same);
        }
        let mut set = self.set.clone();
        match set.update_timestamp(bytes, now) {
            Err(sigstore_tuf::Error::EqualVersion { .. }) if self.says_the_same(bytes) => {
                return Ok(Step::Same);
            }
            done => done.map_err(|e| TrustError::of("timestamp", e))?,
        }
        // The verifier compares with the timestamp before; this holds when there is none left.
        let pinned = set.timestamp().and_then(|it| it.snapshot_meta()).map(|pin| pin.version);
        if let (Some(held), Some(offered)) = (&self.snapshot, pinned) {
            rollback("snapshot (via timestamp)", held.signed.version, offered)?;
        }
        self.set = set;
        self.timestamp = Some(bytes.to_vec());
        Ok(Step::New)
    }

    /// Whether `bytes` sign the same as the held timestamp: the same words in another spelling.
    fn says_the_same(&self, bytes: &[u8]) -> bool {
        let signed = |bytes: &[u8]| {
            let metadata = Metadata::<sigstore_tuf::Timestamp>::from_slice(bytes).ok()?;
            Some(metadata.signed_canonical().to_vec())
        };
        let held = self.timestamp.as_deref().and_then(signed);
        held.is_some() && held == signed(bytes)
    }

    /// Loads a timestamp that was verified before; expired, it still is a floor.
    ///
    /// # Errors
    /// When its signatures do not hold under the present root.
    pub fn restore_timestamp(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        self.timestamp(bytes, Timestamp::MIN).map(|_| ())
    }

    /// Takes the snapshot that the timestamp pins, fresh at `now`.
    ///
    /// # Errors
    /// When it is not the pinned one, or takes any role back or away, and the usual ones.
    pub fn snapshot(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), TrustError> {
        bounded("snapshot", bytes, limits::SNAPSHOT_BYTES)?;
        let mut set = self.set.clone();
        set.update_snapshot(bytes, now).map_err(|e| TrustError::of("snapshot", e))?;
        let signed = set.snapshot().cloned().expect("an updated snapshot is there");
        if let Some(held) = &self.snapshot {
            not_below(&held.signed, &signed)?;
        }
        self.set = set;
        self.snapshot = Some(HeldSnapshot { bytes: bytes.to_vec(), signed });
        Ok(())
    }

    /// Loads a snapshot that was verified before; expired or no longer pinned, it still is a floor.
    ///
    /// # Errors
    /// When its signatures do not hold under the present root.
    pub fn restore_snapshot(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let malformed = |e| TrustError::of("snapshot", e);
        let metadata = Metadata::<Snapshot>::from_slice(bytes).map_err(malformed)?;
        let root = self.set.root();
        let unknown = || TrustError::UnknownRole { role: "snapshot".into() };
        let signers = root.role("snapshot").ok_or_else(unknown)?;
        metadata.verify_threshold(&root.keys, signers, "snapshot").map_err(malformed)?;
        // Not pinned (any more) is no error here.
        let _ = self.set.update_snapshot(bytes, Timestamp::MIN);
        self.snapshot =
            Some(HeldSnapshot { bytes: bytes.to_vec(), signed: metadata.into_signed() });
        Ok(())
    }

    /// Whether the held snapshot is the one that the held timestamp pins.
    pub fn snapshot_is_pinned(&self) -> bool {
        let pin = self.set.timestamp().and_then(|it| it.snapshot_meta());
        let (Some(pin), Some(held)) = (pin, &self.snapshot) else { return false };
        pin.version == held.signed.version
            && pin.length.is_none_or(|length| length == held.bytes.len() as u64)
            && pin.hashes.as_ref().is_none_or(|hashes| {
                let digest = crate::documents::Digest::of(&held.bytes);
                hashes.get("sha256").is_none_or(|hex| hex == digest.hex())
            })
    }

    /// Takes the top-level targets that the snapshot pins, fresh at `now`.
    ///
    /// # Errors
    /// The usual ones.
    pub fn targets(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), TrustError> {
        bounded("targets", bytes, limits::ROLE_BYTES)?;
        let done = self.set.update_targets(bytes, now);
        done.map(|_| ()).map_err(|e| TrustError::of("targets", e))
    }

    /// Takes `role` as `delegator` names its keys, fresh at `now`.
    ///
    /// # Errors
    /// The usual ones.
    pub fn delegated(
        &mut self,
        role: &str,
        delegator: &str,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), TrustError> {
        bounded(role, bytes, limits::ROLE_BYTES)?;
        let done = self.set.update_delegated_targets(bytes, role, delegator, now);
        done.map(|_| ()).map_err(|e| TrustError::of(role, e))
    }

    /// Whether `role`, loaded through one delegator, also counts for this one: each names keys of his
    /// own. For clients that search; Muster addresses roles directly.
    ///
    /// # Errors
    /// The usual ones.
    pub fn delegated_also_by(
        &self,
        role: &str,
        delegator: &str,
        now: Timestamp,
    ) -> Result<(), TrustError> {
        let done = self.set.verify_delegated_targets(role, delegator, now);
        done.map(|_| ()).map_err(|e| TrustError::of(role, e))
    }

    /// Whether `content` is the target that `listed` describes: its length, every digest that is
    /// understood here (SHA-256, SHA-512), and at least one of them.
    pub fn is_target(listed: &TargetFile, content: &[u8]) -> bool {
        use sha2::Digest as _;
        let digest = |algorithm: &str| match algorithm {
            "sha256" => Some(hex::encode(sha2::Sha256::digest(content))),
            "sha512" => Some(hex::encode(sha2::Sha512::digest(content))),
            _ => None,
        };
        let mut checked =
            listed.hashes.iter().filter_map(|(algorithm, hex)| Some((digest(algorithm)?, hex)));
        let known = listed.hashes.keys().any(|algorithm| digest(algorithm).is_some());
        listed.length == content.len() as u64
            && known
            && checked.all(|(found, hex)| found.eq_ignore_ascii_case(hex))
    }

    /// Whether the trusted root is still good at `now`.
    ///
    /// # Errors
    /// [`TrustError::Expired`].
    pub fn check_root(&self, now: Timestamp) -> Result<(), TrustError> {
        self.set.check_root_expired(now).map_err(|e| TrustError::of("root", e))
    }

    /// Whether timestamp and snapshot are there, belong together and are fresh at `now`.
    ///
    /// # Errors
    /// [`TrustError::Expired`], or [`TrustError::NotFresh`] when one is missing.
    pub fn check_fresh(&self, now: Timestamp) -> Result<(), TrustError> {
        if !self.snapshot_is_pinned() || self.set.snapshot().is_none() {
            return Err(TrustError::NotFresh { what: "anything new".into() });
        }
        let expired = |what: &'static str| move |e| TrustError::of(what, e);
        self.set.check_timestamp_expired(now).map_err(expired("timestamp"))?;
        self.set.check_snapshot_expired(now).map_err(expired("snapshot"))
    }

    /// The trusted root.
    pub fn trusted_root(&self) -> &Root {
        self.set.root()
    }

    /// The trusted root's bytes.
    pub fn root_bytes(&self) -> &[u8] {
        self.set.root_bytes()
    }

    /// The newest timestamp.
    pub fn trusted_timestamp(&self) -> Option<&sigstore_tuf::Timestamp> {
        self.set.timestamp()
    }

    /// The newest timestamp's bytes.
    pub fn timestamp_bytes(&self) -> Option<&[u8]> {
        self.timestamp.as_deref()
    }

    /// The snapshot that roles are checked against.
    pub fn trusted_snapshot(&self) -> Option<&Snapshot> {
        self.set.snapshot()
    }

    /// The newest snapshot's bytes; it may be a floor and nothing else.
    pub fn snapshot_bytes(&self) -> Option<&[u8]> {
        self.snapshot.as_ref().map(|held| held.bytes.as_slice())
    }

    /// Its version.
    pub fn held_snapshot_version(&self) -> Option<u64> {
        self.snapshot.as_ref().map(|held| held.signed.version)
    }

    /// A loaded targets role, `targets` itself included.
    pub fn role(&self, name: &str) -> Option<&Targets> {
        self.set.targets_role(name)
    }
}

/// Refuses what is longer than `limit` bytes before it is read.
pub(super) fn bounded(what: &str, bytes: &[u8], limit: usize) -> Result<(), TrustError> {
    if bytes.len() <= limit {
        return Ok(());
    }
    Err(TrustError::TooLarge { what: what.into(), bytes: bytes.len(), limit })
}

fn rollback(role: &str, held: u64, offered: u64) -> Result<(), TrustError> {
    if offered >= held {
        return Ok(());
    }
    Err(TrustError::Rollback { role: role.into(), held, offered })
}

/// No role may go back or vanish while the snapshot's keys stay.
fn not_below(held: &Snapshot, offered: &Snapshot) -> Result<(), TrustError> {
    rollback("snapshot", held.version, offered.version)?;
    for (name, pin) in &held.meta {
        let now = offered.meta.get(name).map_or(0, |pin| pin.version);
        rollback(&format!("{name} (via snapshot)"), pin.version, now)?;
    }
    Ok(())
}
