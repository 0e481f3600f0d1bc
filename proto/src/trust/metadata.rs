//! TUF metadata as this side writes it: typed, canonical, byte for byte reproducible.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::keys::key_id;
use crate::documents::canonical::{NotCanonical, to_bytes};
use crate::documents::ids::Counter;
use crate::documents::keys::{KeysSpec, RootSpec, Signers, SigningRole};
use crate::documents::{Digest, PublicKey};

/// The TUF specification that the metadata follows.
const SPEC_VERSION: &str = "1.0.31";

/// A signature apart from what it signs: all that leaves an officer's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetachedSig {
    /// Whose, as [`key_id`] names it.
    pub keyid: String,
    /// 64 bytes in lower-case hex.
    pub sig: String,
}

/// A public key as TUF writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct TufKey {
    keytype: &'static str,
    keyval: KeyVal,
    scheme: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct KeyVal {
    public: PublicKey,
}

impl TufKey {
    pub(super) fn of(key: &PublicKey) -> Self {
        Self { keytype: "ed25519", keyval: KeyVal { public: *key }, scheme: "ed25519" }
    }
}

/// The member `muster` of a root: what Muster adds to TUF.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RootExtra {
    /// Names of people and publishers, by key id.
    pub names: BTreeMap<String, String>,
    /// The networks that hang on this root.
    pub networks: Vec<String>,
    /// Replaces the agents' ledgers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub serial_floor: BTreeMap<Counter, u64>,
}

/// The member `muster` of `targets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeysExtra {
    /// Names of people, by key id.
    pub names: BTreeMap<String, String>,
    /// Seconds from freezing until a role's metadata expires.
    pub expires_in_s: BTreeMap<SigningRole, u64>,
}

#[derive(Serialize)]
struct Quorum {
    keyids: Vec<String>,
    threshold: u32,
}

#[derive(Serialize)]
struct Root<'a> {
    _type: &'static str,
    spec_version: &'static str,
    version: u64,
    expires: Timestamp,
    consistent_snapshot: bool,
    keys: BTreeMap<String, TufKey>,
    roles: BTreeMap<&'static str, Quorum>,
    muster: &'a RootExtra,
}

#[derive(Serialize)]
struct Targets<'a> {
    _type: &'static str,
    spec_version: &'static str,
    version: u64,
    expires: Timestamp,
    targets: &'a BTreeMap<String, FileInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delegations: Option<Delegations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muster: Option<KeysExtra>,
}

#[derive(Serialize)]
struct Delegations {
    keys: BTreeMap<String, TufKey>,
    roles: Vec<Delegation>,
}

#[derive(Serialize)]
struct Delegation {
    name: &'static str,
    keyids: Vec<String>,
    threshold: u32,
    terminating: bool,
    paths: &'static [&'static str],
}

/// Length and digest of a target file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileInfo {
    /// In bytes.
    pub length: u64,
    /// `sha256` alone.
    pub hashes: BTreeMap<String, String>,
}

/// A pin of one metadata file in a snapshot or timestamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// Of the metadata.
    pub version: u64,
    /// Of the whole file, in bytes.
    pub length: u64,
    /// `sha256` alone.
    pub hashes: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Pins<'a> {
    _type: &'static str,
    spec_version: &'static str,
    version: u64,
    expires: Timestamp,
    meta: &'a BTreeMap<String, Pin>,
}

impl FileInfo {
    /// Of these bytes.
    pub fn of(content: &[u8]) -> Self {
        Self { length: content.len() as u64, hashes: sha256(content) }
    }
}

impl Pin {
    /// Of this metadata file.
    pub fn of(version: u64, metadata: &[u8]) -> Self {
        Self { version, length: metadata.len() as u64, hashes: sha256(metadata) }
    }
}

fn sha256(content: &[u8]) -> BTreeMap<String, String> {
    BTreeMap::from([("sha256".to_owned(), Digest::of(content).hex().to_owned())])
}

/// TUF dates have whole seconds.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The signed part of the root that `spec` describes, canonical.
///
/// # Errors
/// When a name has no canonical form.
pub fn root(spec: &RootSpec) -> Result<Vec<u8>, NotCanonical> {
    let people = spec.officers.iter().chain(&spec.publishers);
    let extra = RootExtra {
        names: people.clone().map(|(name, key)| (key_id(key), name.clone())).collect(),
        networks: spec.networks.clone(),
        serial_floor: spec.serial_floor.clone(),
    };
    let quorum = |signers: &Signers, people: &BTreeMap<String, PublicKey>| Quorum {
        keyids: ids(&signers.keys, people),
        threshold: signers.threshold,
    };
    let roles = BTreeMap::from([
        ("root", quorum(&spec.root, &spec.officers)),
        ("targets", quorum(&spec.targets, &spec.officers)),
        ("snapshot", quorum(&spec.snapshot, &spec.publishers)),
        ("timestamp", quorum(&spec.timestamp, &spec.publishers)),
    ]);
    to_bytes(&Root {
        _type: "root",
        spec_version: SPEC_VERSION,
        version: spec.version,
        expires: whole_seconds(spec.expires),
        consistent_snapshot: true,
        keys: people.map(|(_, key)| (key_id(key), TufKey::of(key))).collect(),
        roles,
        muster: &extra,
    })
}

/// The signed part of the top-level `targets` that `spec` describes, canonical.
///
/// # Errors
/// When a name has no canonical form.
pub fn targets(spec: &KeysSpec, version: u64) -> Result<Vec<u8>, NotCanonical> {
    let extra = KeysExtra {
        names: spec.officers.iter().map(|(name, key)| (key_id(key), name.clone())).collect(),
        expires_in_s: spec.roles.iter().map(|(role, it)| (*role, it.expires_in_s)).collect(),
    };
    let roles = spec.roles.iter().map(|(role, signers)| Delegation {
        name: role.name(),
        keyids: ids(&signers.keys, &spec.officers),
        threshold: signers.threshold,
        terminating: true,
        paths: role.patterns(),
    });
    let delegations = Delegations {
        keys: spec.officers.values().map(|key| (key_id(key), TufKey::of(key))).collect(),
        roles: roles.collect(),
    };
    to_bytes(&Targets {
        _type: "targets",
        spec_version: SPEC_VERSION,
        version,
        expires: whole_seconds(spec.expires),
        targets: &BTreeMap::new(),
        delegations: Some(delegations),
        muster: Some(extra),
    })
}

/// The signed part of a delegated role, canonical.
///
/// # Errors
/// When a path has no canonical form.
pub fn role(
    version: u64,
    expires: Timestamp,
    targets: &BTreeMap<String, FileInfo>,
) -> Result<Vec<u8>, NotCanonical> {
    to_bytes(&Targets {
        _type: "targets",
        spec_version: SPEC_VERSION,
        version,
        expires: whole_seconds(expires),
        targets,
        delegations: None,
        muster: None,
    })
}

/// The signed part of a `snapshot` or `timestamp` (`kind`), canonical.
///
/// # Errors
/// Never for the names that Muster uses.
pub fn pins(
    kind: &'static str,
    version: u64,
    expires: Timestamp,
    meta: &BTreeMap<String, Pin>,
) -> Result<Vec<u8>, NotCanonical> {
    let expires = whole_seconds(expires);
    to_bytes(&Pins { _type: kind, spec_version: SPEC_VERSION, version, expires, meta })
}

/// The metadata file: `signed` (canonical) and its signatures, by key id.
pub fn envelope(signed: &[u8], signatures: &[DetachedSig]) -> Vec<u8> {
    let mut signatures = signatures.to_vec();
    signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
    let signatures = serde_json::to_vec(&signatures).expect("strings always serialize");
    [b"{\"signatures\":", signatures.as_slice(), b",\"signed\":", signed, b"}"].concat()
}

fn ids(names: &[String], people: &BTreeMap<String, PublicKey>) -> Vec<String> {
    names.iter().filter_map(|name| people.get(name)).map(key_id).collect()
}
