//! An [`Offer`] as it stands in files: JSON with base64 for whatever must stay byte for byte.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::offer::Offer;

/// Bytes, base64 in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Blob).map_err(D::Error::custom)
    }
}

/// See [`Offer`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredOffer {
    roots: Vec<Blob>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Blob>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<Blob>,
    roles: BTreeMap<String, Blob>,
    targets: BTreeMap<String, Blob>,
}

impl From<Offer> for StoredOffer {
    fn from(offer: Offer) -> Self {
        Self {
            roots: offer.roots.into_iter().map(Blob).collect(),
            timestamp: offer.timestamp.map(Blob),
            snapshot: offer.snapshot.map(Blob),
            roles: blobs(offer.roles),
            targets: blobs(offer.targets),
        }
    }
}

impl From<StoredOffer> for Offer {
    fn from(stored: StoredOffer) -> Self {
        Self {
            roots: stored.roots.into_iter().map(|it| it.0).collect(),
            timestamp: stored.timestamp.map(|it| it.0),
            snapshot: stored.snapshot.map(|it| it.0),
            roles: contents(stored.roles),
            targets: contents(stored.targets),
        }
    }
}

/// Wraps every value.
pub(super) fn blobs(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Blob> {
    files.into_iter().map(|(name, bytes)| (name, Blob(bytes))).collect()
}

/// Unwraps every value.
pub(super) fn contents(files: BTreeMap<String, Blob>) -> BTreeMap<String, Vec<u8>> {
    files.into_iter().map(|(name, blob)| (name, blob.0)).collect()
}
