//! The online side: pins what officers signed (snapshot) and says that it is the newest (timestamp).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sigstore_tuf::{Metadata, Root, Targets};

use super::driver::Trust;
use super::error::TrustError;
use super::keys::{SecretKey, key_id};
use super::limits;
use super::metadata::{self, DetachedSig, Pin};
use super::offer::{Offer, Publication, Refused};
use super::shape;
use super::tuf::bounded;
use crate::documents::keys::SigningRole;

/// A timestamp lasts this long; a new one is due each minute, so nine may get lost.
pub const TIMESTAMP_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// A snapshot lasts this long, and is signed anew at half of it.
pub const SNAPSHOT_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How often a new timestamp is due.
pub const STAMP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The keys of one root's publisher.
#[derive(Debug, Clone)]
pub struct Publisher {
    snapshot: SecretKey,
    timestamp: SecretKey,
}

/// Why something was not published. The board is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Somebody else published in between.
    #[error(
        "T060: {role} has moved on: version {held} is out, and this is version {offered}; freeze and \
         sign it again"
    )]
    Moved {
        /// Which role.
        role: String,
        /// The version that is out.
        held: u64,
        /// The version that was handed in.
        offered: u64,
    },
    /// This publisher may not publish under the (new) root.
    #[error("T061: the root does not name this publisher's key for {role}; make a root that does")]
    NotOurs {
        /// `snapshot` or `timestamp`.
        role: &'static str,
    },
    /// The role asks for more than one publisher.
    #[error("T062: the root asks for {threshold} signatures of {role}; a board publishes with one")]
    Quorum {
        /// `snapshot` or `timestamp`.
        role: &'static str,
        /// What the root asks.
        threshold: usize,
    },
    /// It would be refused by everybody.
    #[error(transparent)]
    Refused(#[from] TrustError),
}

impl PublishError {
    /// The stable code, such as `T060`.
    pub fn code(&self) -> &'static str {
        match self {
            PublishError::Moved { .. } => "T060",
            PublishError::NotOurs { .. } => "T061",
            PublishError::Quorum { .. } => "T062",
            PublishError::Refused(error) => error.code(),
        }
    }
}

impl Publisher {
    /// With its two keys, which may be one.
    pub fn new(snapshot: SecretKey, timestamp: SecretKey) -> Self {
        Self { snapshot, timestamp }
    }

    /// A fresh timestamp, and a fresh snapshot when the old one is past half its life or its key was
    /// replaced. Take the offer, then hand it on.
    ///
    /// # Errors
    /// [`PublishError::NotOurs`], and when there is nothing yet to stamp ([`TrustError::Withheld`]).
    pub fn stamp(&self, trust: &Trust, now: Timestamp) -> Result<Offer, PublishError> {
        let held = trust.tuf.trusted_snapshot();
        let due = held.is_none_or(|it| it.expires < now + SNAPSHOT_LIFE / 2);
        if due { self.pin(trust, BTreeMap::new(), now) } else { self.vouch(trust, None, now) }
    }

    /// Pins newly signed metadata. Checks all that every receiver will check, so that a mistake is
    /// refused here by its code. Take the offer, then hand it on.
    ///
    /// What is out already gives an empty offer.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(
        &self,
        trust: &Trust,
        publication: &Publication,
        now: Timestamp,
    ) -> Result<Offer, PublishError> {
        let role = publication.role.as_str();
        let out = trust.pool.get(role) == Some(&publication.metadata)
            || trust.roots.values().any(|root| *root == publication.metadata);
        if out {
            return Ok(Offer::default());
        }
        let offer = match role {
            "root" => self.publish_root(trust, &publication.metadata, now)?,
            _ => self.publish_role(trust, publication, now)?,
        };
        try_out(trust, role, &offer, now)?;
        Ok(offer)
    }

    fn publish_root(
        &self,
        trust: &Trust,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<Offer, PublishError> {
        bounded("root", bytes, limits::ROOT_BYTES)?;
        let root = Metadata::<Root>::from_slice(bytes).map_err(|e| TrustError::of("root", e))?;
        next_in_line("root", trust.tuf.trusted_root().version, root.signed().version)?;
        let mut next = trust.clone();
        let offer = Offer { roots: vec![bytes.to_vec()], ..Offer::default() };
        if let Some(refused) = next.take_only_roots(&offer).refused.pop() {
            return Err(refused.error.into());
        }
        next.authenticate();
        let nothing_yet = next.pool.is_empty();
        let stamped = if nothing_yet { Offer::default() } else { self.stamp(&next, now)? };
        Ok(Offer { roots: offer.roots, ..stamped })
    }

    fn publish_role(
        &self,
        trust: &Trust,
        publication: &Publication,
        now: Timestamp,
    ) -> Result<Offer, PublishError> {
        let (role, bytes) = (publication.role.as_str(), &publication.metadata);
        let version = signed_by_its_keys(trust, role, bytes)?;
        next_in_line(role, trust.pinned_version(role), version)?;
        let pin = BTreeMap::from([(format!("{role}.json"), Pin::of(version, bytes))]);
        let mut offer = self.pin(trust, pin, now)?;
        offer.roles.insert(role.into(), bytes.clone());
        offer.targets = publication.targets.clone();
        Ok(offer)
    }

    /// The next snapshot: all that was pinned, with `changed` in place of what it names.
    fn pin(
        &self,
        trust: &Trust,
        changed: BTreeMap<String, Pin>,
        now: Timestamp,
    ) -> Result<Offer, PublishError> {
        let mut meta = trust.pins();
        meta.extend(changed);
        if meta.is_empty() {
            return Err(TrustError::Withheld { what: "targets".into() }.into());
        }
        let version = next_version(trust.snapshot_version(), now);
        let snapshot = self.next_snapshot(trust, version, now + SNAPSHOT_LIFE, &meta)?;
        self.vouch(trust, Some((version, snapshot)), now)
    }

    /// The next timestamp over a new snapshot, or the one that is held.
    fn vouch(
        &self,
        trust: &Trust,
        snapshot: Option<(u64, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<Offer, PublishError> {
        let withheld = || TrustError::Withheld { what: "snapshot".into() };
        let pin = match &snapshot {
            Some((version, bytes)) => Pin::of(*version, bytes),
            None => {
                let version = trust.snapshot_version().ok_or_else(withheld)?;
                Pin::of(version, trust.tuf.snapshot_bytes().ok_or_else(withheld)?)
            }
        };
        let version = next_version(trust.tuf.trusted_timestamp().map(|it| it.version), now);
        let timestamp = self.next_timestamp(trust, version, now + TIMESTAMP_LIFE, pin)?;
        let snapshot = snapshot.map(|(_, bytes)| bytes);
        Ok(Offer { timestamp: Some(timestamp), snapshot, ..Offer::default() })
    }

    /// Signs a snapshot over `meta`.
    ///
    /// # Errors
    /// [`PublishError::NotOurs`], [`PublishError::Quorum`].
    pub fn next_snapshot(
        &self,
        trust: &Trust,
        version: u64,
        expires: Timestamp,
        meta: &BTreeMap<String, Pin>,
    ) -> Result<Vec<u8>, PublishError> {
        self.signed(trust, "snapshot", &self.snapshot, version, expires, meta)
    }

    /// Signs a timestamp over the snapshot that `pin` describes.
    ///
    /// # Errors
    /// [`PublishError::NotOurs`], [`PublishError::Quorum`].
    pub fn next_timestamp(
        &self,
        trust: &Trust,
        version: u64,
        expires: Timestamp,
        pin: Pin,
    ) -> Result<Vec<u8>, PublishError> {
        let meta = BTreeMap::from([("snapshot.json".to_owned(), pin)]);
        self.signed(trust, "timestamp", &self.timestamp, version, expires, &meta)
    }

    fn signed(
        &self,
        trust: &Trust,
        role: &'static str,
        key: &SecretKey,
        version: u64,
        expires: Timestamp,
        meta: &BTreeMap<String, Pin>,
    ) -> Result<Vec<u8>, PublishError> {
        let keyid = key_id(&key.public());
        let keys = trust.tuf.trusted_root().role(role);
        match keys {
            Some(keys) if !keys.keyids.contains(&keyid) => {
                return Err(PublishError::NotOurs { role });
            }
            Some(keys) if keys.threshold > 1 => {
                return Err(PublishError::Quorum { role, threshold: keys.threshold });
            }
            Some(_) => {}
            None => return Err(PublishError::NotOurs { role }),
        }
        let signed = metadata::pins(role, version, expires, meta)
            .expect("names of roles and digests have a canonical form");
        let sig = hex::encode(key.sign(&signed));
        Ok(metadata::envelope(&signed, &[DetachedSig { keyid, sig }]))
    }
}

impl Trust {
    /// What the held snapshot pins; also what it pinned when it no longer counts as the newest.
    pub(super) fn pins(&self) -> BTreeMap<String, Pin> {
        let pool = self.tuf.trusted_snapshot().into_iter().flat_map(|it| &it.meta);
        let pin = |(name, pin): (&String, &sigstore_tuf::MetaFile)| {
            let hashes = pin.hashes.clone().unwrap_or_default();
            let pin = Pin { version: pin.version, length: pin.length?, hashes };
            Some((name.clone(), pin))
        };
        let mut pins: BTreeMap<_, _> = pool.filter_map(pin).collect();
        if pins.is_empty() {
            // The root replaced the snapshot's key: what is held is pinned anew.
            let held = self.pool.iter().filter_map(|(role, bytes)| {
                let parsed = Metadata::<Targets>::from_slice(bytes).ok()?;
                Some((format!("{role}.json"), Pin::of(parsed.signed().version, bytes)))
            });
            pins.extend(held);
        }
        pins
    }

    /// The version of `role` that is out, 0 for none.
    pub(super) fn pinned_version(&self, role: &str) -> u64 {
        self.pins().get(&format!("{role}.json")).map_or(0, |pin| pin.version)
    }

    fn snapshot_version(&self) -> Option<u64> {
        self.tuf.held_snapshot_version()
    }
}

/// One above the last; at least the seconds of the clock, so that a board restored from an old copy
/// is not behind what it signed before.
fn next_version(last: Option<u64>, now: Timestamp) -> u64 {
    let clock = u64::try_from(now.as_second()).unwrap_or(0);
    last.unwrap_or(0).saturating_add(1).max(clock)
}

fn next_in_line(role: &str, held: u64, offered: u64) -> Result<(), PublishError> {
    if held.checked_add(1) == Some(offered) {
        return Ok(());
    }
    Err(PublishError::Moved { role: role.into(), held, offered })
}

/// Checks signatures and shape of new metadata by the keys that are in force. Returns its version.
fn signed_by_its_keys(trust: &Trust, role: &str, bytes: &[u8]) -> Result<u64, TrustError> {
    bounded(role, bytes, limits::ROLE_BYTES)?;
    let metadata = Metadata::<Targets>::from_slice(bytes).map_err(|e| TrustError::of(role, e))?;
    let unknown = || TrustError::UnknownRole { role: role.into() };
    let root = trust.tuf.trusted_root();
    let verified = if role == "targets" {
        let keys = root.role("targets").ok_or_else(unknown)?;
        shape::top_level(metadata.signed())?;
        metadata.verify_threshold(&root.keys, keys, role)
    } else {
        let delegation = role.parse::<SigningRole>().ok().and_then(|it| trust.delegation(it));
        let delegation = delegation.ok_or_else(unknown)?;
        let targets = trust.tuf.role("targets").ok_or_else(unknown)?;
        let keys = &targets.delegations.as_ref().ok_or_else(unknown)?.keys;
        shape::delegated(role, metadata.signed())?;
        metadata.verify_threshold(keys, &delegation.role_keys(), role)
    };
    verified.map_err(|e| TrustError::of(role, e))?;
    Ok(metadata.signed().version)
}

/// Takes the offer into a copy: whatever a receiver would refuse of this role is refused here.
fn try_out(trust: &Trust, role: &str, offer: &Offer, now: Timestamp) -> Result<(), TrustError> {
    let taken = trust.clone().take(offer, now);
    let own = |it: &Refused| {
        let first = it.subject.split('/').next().unwrap_or_default();
        // A path outside of the role's own is named after whom it was taken from.
        let strays = matches!(&it.error, TrustError::PathOutside { role: by, .. } if by == role);
        strays || first == role || ["root", "timestamp", "snapshot"].contains(&first)
    };
    match taken.refused.into_iter().find(own) {
        Some(refused) => Err(refused.error),
        None => Ok(()),
    }
}
