//! Canonical JSON (OLPC, as TUF uses it): one value has one sequence of bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The value has no canonical form: a fraction, or a map with keys that are no strings.
#[derive(Debug, thiserror::Error)]
#[error("D001: this value has no canonical JSON form (whole numbers and string keys only)")]
pub struct NotCanonical(#[source] std::io::Error);

/// Why bytes that should be a signed document were refused.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not this document: unknown field, missing field, unknown value.
    #[error("D002: not a {kind} of a version that is understood here")]
    Parse {
        /// Which document was expected, such as `plan/v1`.
        kind: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Another document, or another version of it.
    #[error("D003: expected {kind}, found {found:?}")]
    Kind {
        /// Which document was expected.
        kind: &'static str,
        /// What its `muster` field says.
        found: String,
    },
    /// The same value, written in another way; its digest would be another.
    #[error("D004: this {kind} is not in canonical form")]
    NotCanonical {
        /// Which document was expected.
        kind: &'static str,
    },
}

/// A document with a tag `muster: kind/vN`.
pub trait Document: Serialize + DeserializeOwned {
    /// The tag, such as `plan/v1`.
    const KIND: &'static str;
    /// What the document itself says.
    fn kind(&self) -> &str;
}

impl Document for super::Abort {
    const KIND: &'static str = "abort/v1";
    fn kind(&self) -> &str {
        &self.muster
    }
}

impl Document for super::Plan {
    const KIND: &'static str = "plan/v1";
    fn kind(&self) -> &str {
        &self.muster
    }
}

impl Document for super::Release {
    const KIND: &'static str = "release/v1";
    fn kind(&self) -> &str {
        &self.muster
    }
}

impl Document for super::Roster {
    const KIND: &'static str = "roster/v1";
    fn kind(&self) -> &str {
        &self.muster
    }
}

/// The canonical bytes of `value`.
///
/// # Errors
/// [`NotCanonical`].
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    let mut bytes = Vec::new();
    let formatter = olpc_cjson::CanonicalFormatter::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(|error| NotCanonical(error.into()))?;
    Ok(bytes)
}

/// Parses a document whose bytes have verified, and insists on canonical form.
///
/// # Errors
/// [`DocumentError`].
pub fn from_bytes<D: Document>(bytes: &[u8]) -> Result<D, DocumentError> {
    let document: D = serde_json::from_slice(bytes)
        .map_err(|source| DocumentError::Parse { kind: D::KIND, source })?;
    if document.kind() != D::KIND {
        let found = document.kind().to_owned();
        return Err(DocumentError::Kind { kind: D::KIND, found });
    }
    match to_bytes(&document) {
        Ok(canonical) if canonical == bytes => Ok(document),
        _ => Err(DocumentError::NotCanonical { kind: D::KIND }),
    }
}
