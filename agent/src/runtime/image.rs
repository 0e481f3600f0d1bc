//! Images: found by digest, pulled by manifest digest, never believed by tag.

use muster_proto::documents::Digest;
use muster_proto::documents::release;
use serde::Deserialize;
use serde_json::Value;

use super::EngineError;

/// An image that the Engine has.
#[derive(Debug, Clone)]
pub struct Image {
    /// The Engine's id: the config digest in its classic store, the manifest digest in
    /// containerd's.
    pub id: Digest,
    /// `repository:tag`
    pub tags: Vec<String>,
    /// Its `Config`, as the Engine describes it.
    pub config: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspect {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    config: Value,
}

impl Image {
    /// Reads the answer of an image inspect.
    ///
    /// # Errors
    /// [`EngineError::Odd`].
    pub fn read(raw: &Value) -> Result<Self, EngineError> {
        let odd = |text: String| EngineError::Odd { call: "image", text };
        let seen = Inspect::deserialize(raw).map_err(|error| odd(error.to_string()))?;
        let id = seen.id.parse().map_err(|_| odd(format!("image id {:?}", seen.id)))?;
        Ok(Self { id, tags: seen.repo_tags.unwrap_or_default(), config: seen.config })
    }

    /// It is the image that was signed.
    pub fn is(&self, signed: &release::Image) -> bool {
        self.id == signed.config || Some(&self.id) == signed.manifest.as_ref()
    }
}
