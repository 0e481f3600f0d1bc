//! A release: binary, config and genesis as one artefact, never applied apart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::Digest;
use super::roster::Role;

/// One release. Target `release/<version>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Always `release/v1`.
    pub muster: String,
    /// What the node itself says it is (`GetServerMeta.packageVersion`), such as `v2.4.4`.
    pub version: String,
    /// When it was frozen.
    pub issued: Timestamp,
    /// By platform, such as `linux/amd64`.
    pub images: BTreeMap<String, Image>,
    /// Versions it may come from; an agent on any other refuses.
    pub from: Vec<String>,
    /// Whether old and new nodes agree on every block until the activation height.
    pub compatible: bool,
    /// The first block that follows new rules, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_height: Option<u64>,
    /// Whom it concerns. A role that is not named is `not-required`.
    pub roles: BTreeMap<Role, Priority>,
    /// What happens to the delegate's config.
    pub config: ConfigChange,
    /// What happens to the genesis file.
    pub genesis: GenesisChange,
}

/// The image of one platform, by digest; a tag is only a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Without tag, such as `iotex/iotex-core`.
    pub repository: String,
    /// The image id of a loaded image.
    pub config: Digest,
    /// What to pull; without one the image must have been loaded by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
}

/// How much a release matters to a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Without it the node falls off the chain or is unsafe.
    Must,
    /// Worth it.
    Recommended,
    /// Changes nothing for this role.
    NotRequired,
}

/// Config changes are not built yet: any other value is refused where it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigChange {
    /// The delegate's file stays as it is.
    Unchanged,
}

/// The genesis file, swapped by rename while the node is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GenesisChange {
    /// Stays as it is.
    Unchanged,
    /// Replaced by the target file `release/<version>/genesis.yaml`.
    Replaced {
        /// Of the file's bytes.
        digest: Digest,
        /// In bytes, at most 1 MiB.
        length: u64,
    },
}

impl Release {
    /// Target path of the genesis file that belongs to this release.
    pub fn genesis_path(&self) -> String {
        format!("release/{}/genesis.yaml", self.version)
    }
}
