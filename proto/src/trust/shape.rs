//! What Muster demands of metadata beyond TUF: only one way to say each thing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sigstore_tuf::{Key, Root, Snapshot, Targets};

use super::error::TrustError;
use super::keys::key_id;
use super::limits;
use super::metadata::{KeysExtra, RootExtra};
use crate::documents::PublicKey;
use crate::documents::keys::SigningRole;

/// The four roles of a root; there are no others.
const TOP: [&str; 4] = ["root", "snapshot", "targets", "timestamp"];

/// Checks a root: keys, quorums, and the member `muster`.
pub(super) fn root(root: &Root) -> Result<RootExtra, TrustError> {
    for name in TOP {
        let unknown = || TrustError::UnknownRole { role: name.into() };
        let role = root.role(name).ok_or_else(unknown)?;
        quorum(name, &role.keyids, role.threshold, &root.keys)?;
    }
    if let Some(role) = root.roles.keys().find(|role| !TOP.contains(&role.as_str())) {
        return Err(TrustError::Delegation { role: role.clone(), why: "no such top-level role" });
    }
    extra("root", root.extra.get("muster"))
}

/// Whether the root serves `network`.
pub(super) fn serves(extra: &RootExtra, network: &str) -> Result<(), TrustError> {
    if extra.networks.iter().any(|served| served == network) {
        return Ok(());
    }
    Err(TrustError::OtherNetwork { network: network.into(), served: extra.networks.clone() })
}

/// Checks the top-level targets: no files, known roles once each, keys and quorums.
pub(super) fn top_level(targets: &Targets) -> Result<KeysExtra, TrustError> {
    if let Some(path) = targets.targets.keys().next() {
        return Err(TrustError::TargetsListsFiles { path: path.clone() });
    }
    let roles = targets.delegations.iter().flat_map(|it| &it.roles);
    let mut seen = BTreeSet::new();
    for role in roles {
        let bad = |why| TrustError::Delegation { role: role.name.clone(), why };
        if role.name.parse::<SigningRole>().is_err() {
            return Err(bad("no role of this name is known here"));
        }
        if !seen.insert(&role.name) {
            return Err(bad("it is named twice"));
        }
        if role.path_hash_prefixes.is_some() || role.paths.is_none() {
            return Err(bad("its paths must be named by patterns"));
        }
        let keys = &targets.delegations.as_ref().expect("it has roles").keys;
        quorum(&role.name, &role.keyids, role.threshold, keys)?;
    }
    extra("targets", targets.extra.get("muster"))
}

/// Checks a delegated role: it lists files and delegates nothing.
pub(super) fn delegated(name: &str, targets: &Targets) -> Result<(), TrustError> {
    if targets.delegations.is_some() {
        return Err(TrustError::Subdelegation { role: name.into() });
    }
    let count = targets.targets.len();
    if count > limits::TARGETS_PER_ROLE {
        let limit = limits::TARGETS_PER_ROLE;
        return Err(TrustError::TooMany { what: name.into(), count, limit });
    }
    for (path, file) in &targets.targets {
        if !file.hashes.contains_key("sha256") {
            return Err(TrustError::Unpinned { role: name.into(), name: path.clone() });
        }
    }
    Ok(())
}

/// Checks a snapshot: every pin says length and digest.
pub(super) fn snapshot(snapshot: &Snapshot) -> Result<(), TrustError> {
    let (count, limit) = (snapshot.meta.len(), limits::PINS_PER_SNAPSHOT);
    if count > limit {
        return Err(TrustError::TooMany { what: "snapshot".into(), count, limit });
    }
    snapshot.meta.iter().try_for_each(|(name, pin)| pinned("snapshot", name, pin))
}

/// Checks a timestamp: its pin says length and digest.
pub(super) fn timestamp(timestamp: &sigstore_tuf::Timestamp) -> Result<(), TrustError> {
    timestamp.meta.iter().try_for_each(|(name, pin)| pinned("timestamp", name, pin))
}

fn pinned(role: &str, name: &str, pin: &sigstore_tuf::MetaFile) -> Result<(), TrustError> {
    let sha256 = pin.hashes.as_ref().is_some_and(|hashes| hashes.contains_key("sha256"));
    if sha256 && pin.length.is_some() {
        return Ok(());
    }
    Err(TrustError::Unpinned { role: role.into(), name: name.into() })
}

/// A key counts once, under one id, and the threshold can be met.
fn quorum(
    role: &str,
    keyids: &[String],
    threshold: usize,
    keys: &BTreeMap<String, Key>,
) -> Result<(), TrustError> {
    if keyids.len() > limits::KEYS_PER_ROLE {
        let (count, limit) = (keyids.len(), limits::KEYS_PER_ROLE);
        return Err(TrustError::TooMany { what: format!("the keys of {role}"), count, limit });
    }
    let mut seen: BTreeMap<PublicKey, &String> = BTreeMap::new();
    let mut listed = Vec::new();
    for id in keyids {
        let Some(key) = keys.get(id) else { continue };
        let public = public(id, key)?;
        if let Some(first) = seen.insert(public, id) {
            let (first, second) = (first.clone(), id.clone());
            return Err(TrustError::OneKeyTwice { role: role.into(), first, second });
        }
        listed.push((id, public));
    }
    if let Some((id, _)) = listed.iter().find(|(id, public)| **id != key_id(public)) {
        return Err(TrustError::KeyShape { key_id: (*id).clone() });
    }
    if threshold == 0 || threshold > listed.len() || listed.len() != keyids.len() {
        let keys = listed.len();
        return Err(TrustError::RoleShape { role: role.into(), threshold, keys });
    }
    Ok(())
}

/// The one form of key: ed25519, the raw bytes in hex. Case is folded only to compare.
fn public(id: &str, key: &Key) -> Result<PublicKey, TrustError> {
    let bad = || TrustError::KeyShape { key_id: id.into() };
    if key.keytype != "ed25519" || key.scheme != "ed25519" {
        return Err(bad());
    }
    key.keyval.public.to_ascii_lowercase().parse().map_err(|_| bad())
}

fn extra<T: serde::de::DeserializeOwned>(
    role: &str,
    member: Option<&Value>,
) -> Result<T, TrustError> {
    let bad = |why: String| TrustError::MusterMember { role: role.into(), why };
    let member = member.ok_or_else(|| bad("it is not there".into()))?;
    serde_json::from_value(member.clone()).map_err(|error| bad(error.to_string()))
}
