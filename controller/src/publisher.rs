//! The online keys: they say which documents are the newest, and that this was so a moment ago.
//! They give no right to anything.

use jiff::{SignedDuration, Timestamp};
use muster_proto::trust::publisher::PublishError;
use muster_proto::trust::{Publisher, Trust, TrustError};

use crate::config::PublisherConfig;
use crate::keys::{self, KeyFileError};

/// The keys with their terms.
pub struct Signer {
    pub(crate) keys: Publisher,
    every: SignedDuration,
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
        Ok(Self { keys: Publisher::new(snapshot, timestamp), every: config.every, signed: None })
    }

    /// A timestamp is due when `every` has passed, also when the clock went back.
    pub(crate) fn due(&self, now: Timestamp) -> bool {
        self.signed.is_none_or(|signed| now.duration_since(signed).abs() >= self.every)
    }

    /// Why nothing could be signed now, if that is so. An empty board has nothing to sign.
    pub(crate) fn trouble(&self, trust: &Trust, now: Timestamp) -> Option<String> {
        match self.keys.stamp(trust, now) {
            Err(PublishError::Refused(TrustError::Withheld { .. })) | Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    pub(crate) fn signed(&mut self, now: Timestamp) {
        self.signed = Some(now);
    }
}
