//! Metadata as no honest program writes it.

use muster_proto::documents::canonical;
use muster_proto::trust::SecretKey;
use muster_proto::trust::draft::DetachedSig;
use muster_proto::trust::keys::key_id;
use serde_json::Value;

use super::World;

/// The signed part of a metadata file.
pub fn unsigned(metadata: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(metadata).expect("metadata is JSON");
    value.get("signed").expect("a signed part").clone()
}

/// The version a metadata file says it is.
pub(super) fn version(metadata: &[u8]) -> u64 {
    unsigned(metadata)["version"].as_u64().expect("a version")
}

pub(super) fn signature(key: &SecretKey, signed: &[u8]) -> DetachedSig {
    DetachedSig { keyid: key_id(&key.public()), sig: hex::encode(key.sign(signed)) }
}

/// Changes the signed part of `metadata` and has `signers` sign the result.
pub fn resigned(metadata: &[u8], signers: &[&str], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut signed = unsigned(metadata);
    change(&mut signed);
    let bytes = canonical::to_bytes(&signed).expect("a canonical form");
    World::signed_by(&bytes, signers)
}
