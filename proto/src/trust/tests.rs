//! What only this crate can see: both canonical encoders, both key ids.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::keys::{SecretKey, key_id, spki_der};
use super::metadata::TufKey;
use crate::documents::canonical;

fn texts() -> impl Strategy<Value = String> {
    // No letter that has a composed form: those are refused when a draft is frozen.
    proptest::string::string_regex("[ -~äöü€😀]{0,12}").expect("a pattern")
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let names = proptest::string::string_regex("[a-zA-Z0-9_./-]{0,10}").expect("a pattern");
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..6)
                .prop_map(|map: BTreeMap<String, Value>| Value::from_iter(map)),
        ]
    })
}

proptest! {
    #[test]
    fn both_canonical_encoders_write_the_same_bytes(value in values()) {
        let ours = canonical::to_bytes(&value).expect("a canonical form");
        let theirs = sigstore_tuf::canonical_json::to_canonical_bytes(&value).expect("the same");
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn both_name_a_key_alike(seed: [u8; 32]) {
        let public = SecretKey::from_seed(&seed).public();
        let text = serde_json::to_string(&TufKey::of(&public)).expect("JSON");
        let theirs: sigstore_tuf::Key = serde_json::from_str(&text).expect("a key");
        prop_assert_eq!(key_id(&public), theirs.key_id().expect("an id"));
    }
}

#[test]
fn the_public_half_in_der_is_what_the_key_library_writes() {
    use ed25519_dalek::pkcs8::EncodePublicKey as _;
    let key = SecretKey::generate();
    let theirs = key.signing_key().verifying_key().to_public_key_der().expect("DER");
    assert_eq!(spki_der(&key.public()).as_slice(), theirs.as_bytes());
}
