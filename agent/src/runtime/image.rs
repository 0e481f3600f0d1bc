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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn signed(config: &str, manifest: Option<&str>) -> release::Image {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let repository = "iotex/iotex-core".into();
        release::Image { repository, config: digest(config), manifest: manifest.map(digest) }
    }

    fn found(id: &str) -> Image {
        let id = Digest::of(id.as_bytes());
        Image::read(&json!({ "Id": id.to_string() })).expect("an inspect")
    }

    #[test]
    fn an_image_is_known_by_what_either_store_calls_its_id() {
        assert!(found("config").is(&signed("config", None)));
        assert!(found("config").is(&signed("config", Some("manifest"))));
        assert!(found("manifest").is(&signed("config", Some("manifest"))));
    }

    #[test]
    fn another_id_is_another_image_whatever_its_tag_says() {
        assert!(!found("other").is(&signed("config", Some("manifest"))));
        assert!(!found("manifest").is(&signed("config", None)));
        let tagged = json!({
            "Id": Digest::of(b"other").to_string(),
            "RepoTags": ["iotex/iotex-core:v2.5.0"],
        });
        let tagged = Image::read(&tagged).expect("an inspect");
        assert!(!tagged.is(&signed("config", Some("manifest"))));
    }

    #[test]
    fn an_id_that_is_no_digest_is_refused() {
        let odd = Image::read(&json!({ "Id": "sha256:short" })).expect_err("no digest");
        assert!(odd.to_string().contains("sha256:short"), "{odd}");
    }
}
