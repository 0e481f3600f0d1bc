//! The online keys: they say which documents are the newest, and that this was so a moment ago.
//! They give no right to anything.

use jiff::{SignedDuration, Timestamp};
use muster_proto::trust::Publisher;

use crate::config::PublisherConfig;
use crate::keys::{self, KeyFileError};

/// The keys with their terms.
pub struct Signer {
    pub(crate) keys: Publisher,
    every: SignedDuration,
    timestamp_life: SignedDuration,
    snapshot_life: SignedDuration,
    signed: Option<Timestamp>,
}

impl Signer {
    /// Reads the keys that `config` names.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(config: &PublisherConfig) -> Result<Self, KeyFileError> {
        let snapshot = keys::read(&config.snapshot_key)?;
        let timestamp = keys::read(&config.timestamp_key)?;
        Ok(Self {
            keys: Publisher { snapshot, timestamp },
            every: config.every,
            timestamp_life: config.timestamp_life,
            snapshot_life: config.snapshot_life,
            signed: None,
        })
    }

    /// When something signed now stops being fresh.
    pub(crate) fn timestamp_until(&self, now: Timestamp) -> Timestamp {
        now + self.timestamp_life
    }

    /// When a snapshot signed now stops being fresh.
    pub(crate) fn snapshot_until(&self, now: Timestamp) -> Timestamp {
        now + self.snapshot_life
    }

    /// A snapshot is signed again at half of its life.
    pub(crate) fn snapshot_is_old(&self, expires: Timestamp, now: Timestamp) -> bool {
        expires < now + self.snapshot_life / 2
    }

    /// A timestamp is due when `every` has passed, also when the clock went back.
    pub(crate) fn due(&self, now: Timestamp) -> bool {
        self.signed.is_none_or(|signed| now.duration_since(signed).abs() >= self.every)
    }

    pub(crate) fn signed(&mut self, now: Timestamp) {
        self.signed = Some(now);
    }
}
