//! The draft as one JSON file. What is signed stands in it readable.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Document, Draft, DraftError, Kind};
use crate::documents::canonical;
use crate::trust::limits;
use crate::trust::stored::{Blob, StoredOffer, blobs, contents};

const TAG: &str = "draft/v1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stored {
    muster: String,
    kind: Kind,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    frozen_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<Value>,
    signed: Value,
    targets: BTreeMap<String, Blob>,
    board: StoredOffer,
}

/// Root and keys have no target file: they travel as they were written.
pub(super) fn spec_of(document: &Document) -> Option<Value> {
    match document {
        Document::Root(spec) => serde_json::to_value(spec).ok(),
        Document::Keys(spec) => serde_json::to_value(spec).ok(),
        _ => None,
    }
}

impl Draft {
    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            muster: TAG.into(),
            kind: self.kind,
            role: self.role.clone(),
            path: self.path.clone(),
            frozen_at: self.frozen_at,
            spec: self.spec.clone(),
            signed: serde_json::from_slice(&self.signed).expect("it was derived from JSON"),
            targets: blobs(self.targets.clone()),
            board: self.board.clone().into(),
        };
        let mut bytes = serde_json::to_vec_pretty(&stored).expect("strings always serialize");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a file. Nothing in it is believed before [`Draft::verify`].
    ///
    /// # Errors
    /// [`DraftError::NotADraft`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DraftError> {
        let bad = |why: String| DraftError::NotADraft { why };
        if bytes.len() > limits::DRAFT_BYTES {
            return Err(bad(format!("it has {} bytes", bytes.len())));
        }
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        if stored.muster != TAG {
            return Err(bad(format!("it says {:?}, not {TAG:?}", stored.muster)));
        }
        let signed = canonical::to_bytes(&stored.signed).map_err(|error| bad(error.to_string()))?;
        Ok(Self {
            kind: stored.kind,
            role: stored.role,
            path: stored.path,
            frozen_at: stored.frozen_at,
            signed,
            targets: contents(stored.targets),
            spec: stored.spec,
            board: stored.board.into(),
        })
    }

    /// The document in it, typed; not believed yet.
    ///
    /// # Errors
    /// [`DraftError::NotADraft`], [`DraftError::Document`].
    pub fn document(&self) -> Result<Document, DraftError> {
        Ok(match self.kind {
            Kind::Root => Document::Root(self.spec_as()?),
            Kind::Keys => Document::Keys(self.spec_as()?),
            Kind::Roster => Document::Roster(self.target_as()?),
            Kind::Plan => Document::Plan(Box::new(self.target_as()?)),
            Kind::Abort => Document::Abort(self.target_as()?),
            Kind::Release => {
                let release: crate::documents::Release = self.target_as()?;
                let genesis = self.targets.get(&release.genesis_path()).cloned();
                Document::Release(release, genesis)
            }
        })
    }

    fn spec_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, DraftError> {
        let bad = |why: String| DraftError::NotADraft { why };
        let spec = self.spec.clone().ok_or_else(|| bad("it holds no spec".into()))?;
        serde_json::from_value(spec).map_err(|error| bad(error.to_string()))
    }

    fn target_as<D: canonical::Document>(&self) -> Result<D, DraftError> {
        let missing = || DraftError::NotADraft { why: "it does not hold its document".into() };
        let path = self.path.clone().ok_or_else(missing)?;
        let bytes = self.targets.get(&path).ok_or_else(missing)?;
        canonical::from_bytes(bytes).map_err(|source| DraftError::Document { path, source })
    }
}
