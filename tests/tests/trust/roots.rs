//! Every way to cheat with a root, and the code that refuses it.

use super::kit::codes;
use muster_proto::documents::Digest;
use muster_proto::documents::canonical;
use muster_proto::trust::draft::Document;
use muster_proto::trust::keys::key_id;
use muster_proto::trust::{Offer, Trust, TrustError};
use muster_tests::tuf::{NETWORK, World, key, resigned, unsigned};
use serde_json::{Value, json};

fn pinned(root: &[u8]) -> Result<Trust, TrustError> {
    Trust::pin(root, &Digest::of(root), NETWORK)
}

pub(super) fn root_refused(root: &[u8], code: &str) {
    assert_eq!(pinned(root).expect_err("a refusal").code(), code);
}

fn root_with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    resigned(&World::bare().root, &["ann", "bob", "cyn"], change)
}

#[test]
fn a_root_that_nobody_named_is_refused() {
    let world = World::bare();
    let error = Trust::pin(&world.root, &Digest::of(b"another"), NETWORK).expect_err("a refusal");
    assert_eq!(error.code(), "T024");
}

#[test]
fn a_root_of_another_network_is_refused() {
    let world = World::bare();
    let error =
        Trust::pin(&world.root, &Digest::of(&world.root), "testnet").expect_err("a refusal");
    assert_eq!(error.code(), "T023");
}

#[test]
fn a_root_below_its_threshold_is_refused() {
    let world = World::bare();
    root_refused(&resigned(&world.root, &["ann"], |_| {}), "T003");
    // Two signatures, one of somebody who has no say.
    root_refused(&resigned(&world.root, &["ann", "dan"], |_| {}), "T003");
}

#[test]
fn one_signature_given_twice_is_refused() {
    let world = World::bare();
    let signed = canonical::to_bytes(&unsigned(&world.root)).expect("canonical");
    root_refused(&World::signed_by(&signed, &["ann", "ann"]), "T010");
}

#[test]
fn a_root_out_of_line_is_refused() {
    let mut world = World::with_plans();
    let mut lonely = world.agent();
    for version in [2, 3] {
        world.put(Document::Root(World::root_spec(version)), &["ann", "bob"]);
    }
    let third = world.offer().roots.pop().expect("root 3");
    let taken = lonely.take(&Offer { roots: vec![third], ..Offer::default() }, world.now);
    assert_eq!(codes(&taken), ["T006"]);
}

#[test]
fn one_public_key_under_two_ids_is_refused() {
    let id = key_id(&key("ann").public());
    let root = root_with(|signed| {
        let twin = signed["keys"][&id].clone();
        signed["keys"]["00".repeat(32)] = twin;
        let ids = signed["roles"]["root"]["keyids"].as_array_mut().expect("ids");
        ids.push(json!("00".repeat(32)));
    });
    root_refused(&root, "T011");
}

#[test]
fn one_public_key_in_two_spellings_is_refused() {
    let id = key_id(&key("ann").public());
    let root = root_with(|signed| {
        let mut twin = signed["keys"][&id].clone();
        let loud = twin["keyval"]["public"].as_str().expect("hex").to_uppercase();
        twin["keyval"]["public"] = json!(loud);
        signed["keys"]["loud"] = twin;
        let ids = signed["roles"]["root"]["keyids"].as_array_mut().expect("ids");
        ids.push(json!("loud"));
    });
    root_refused(&root, "T011");
}

#[test]
fn a_key_that_is_not_ed25519_under_its_own_id_is_refused() {
    let id = key_id(&key("board").public());
    let root = root_with(|signed| signed["keys"][&id]["scheme"] = json!("rsassa-pss-sha256"));
    root_refused(&root, "T012");
    let root = root_with(|signed| {
        let other = signed["keys"][key_id(&key("ann").public())].clone();
        signed["keys"]["other"] = other;
        signed["roles"]["snapshot"]["keyids"] = json!(["other"]);
    });
    root_refused(&root, "T012");
}

#[test]
fn a_threshold_that_cannot_be_met_is_refused() {
    root_refused(&root_with(|signed| signed["roles"]["targets"]["threshold"] = json!(4)), "T013");
    root_refused(&root_with(|signed| signed["roles"]["snapshot"]["threshold"] = json!(0)), "T013");
}

#[test]
fn a_root_without_the_member_muster_is_refused() {
    root_refused(
        &root_with(|signed| drop(signed.as_object_mut().expect("a map").remove("muster"))),
        "T029",
    );
    root_refused(&root_with(|signed| signed["muster"]["extra"] = json!(1)), "T029");
}
