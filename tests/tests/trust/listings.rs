//! Every way to cheat with what a role lists, and the code that refuses it.

use super::kit::{forced_hotfix, refused};
use jiff::SignedDuration;
use muster_proto::documents::Digest;
use muster_proto::documents::canonical;
use muster_proto::trust::Offer;
use muster_tests::tuf::{World, plan, resigned, roster};
use serde_json::{Value, json};

/// Changed top-level targets, signed by its officers, on a board that checks nothing.
fn forced_targets(change: impl FnOnce(&mut Value)) -> (World, Offer) {
    let world = World::with_plans();
    let held = world.offer().roles["targets"].clone();
    let metadata = resigned(&held, &["ann", "bob"], |signed| {
        signed["version"] = json!(2);
        change(signed);
    });
    let offer = world.force("targets", &metadata, &[]);
    (world, offer)
}

#[test]
fn top_level_targets_that_lists_a_file_is_refused() {
    let (world, offer) = forced_targets(|signed| {
        signed["targets"] = json!({"x": {"length": 1, "hashes": {"sha256": "00"}}});
    });
    refused(&world, &offer, "T014");
}

#[test]
fn an_unknown_or_double_delegation_is_refused() {
    let (world, offer) = forced_targets(|signed| {
        signed["delegations"]["roles"][0]["name"] = json!("wizard");
    });
    refused(&world, &offer, "T016");
    let (world, offer) = forced_targets(|signed| {
        let roles = signed["delegations"]["roles"].as_array_mut().expect("roles");
        roles.push(roles[0].clone());
    });
    refused(&world, &offer, "T016");
}

#[test]
fn a_role_that_delegates_further_is_refused() {
    let world = World::with_plans();
    let offer = forced_hotfix(&world, |signed| {
        signed["delegations"] = json!({"keys": {}, "roles": []});
    });
    refused(&world, &offer, "T015");
}

fn listing(path: &str, content: &[u8]) -> Value {
    let digest = Digest::of(content);
    json!({path: {"length": content.len(), "hashes": {"sha256": digest.hex()}}})
}

/// A board on which the hotfix role lists exactly `content` at `path`.
fn hotfix_listing(world: &World, path: &str, content: &[u8]) -> Offer {
    let mut offer = forced_hotfix(world, |signed| signed["targets"] = listing(path, content));
    offer.targets.insert(path.into(), content.to_vec());
    offer
}

#[test]
fn a_path_outside_of_the_roles_own_is_refused() {
    let world = World::with_plans();
    let content = canonical::to_bytes(&roster(7)).expect("canonical");
    refused(&world, &hotfix_listing(&world, "roster/mainnet/roster.json", &content), "T017");
}

#[test]
fn a_plan_at_another_path_than_its_own_is_refused() {
    let world = World::with_plans();
    let bytes = |plan: &_| canonical::to_bytes(plan).expect("canonical");
    // Another serial, another network, another class: each at a path of this role.
    let mut elsewhere = plan(3);
    elsewhere.network = "testnet".into();
    let mut drill = plan(3);
    drill.class = muster_proto::documents::Class::Drill;
    for content in [bytes(&plan(4)), bytes(&elsewhere), bytes(&drill)] {
        refused(&world, &hotfix_listing(&world, "hotfix/mainnet/3.json", &content), "T018");
    }
}

#[test]
fn a_plan_for_another_network_is_none_of_ours() {
    let world = World::with_plans();
    let mut elsewhere = plan(3);
    elsewhere.network = "testnet".into();
    let content = canonical::to_bytes(&elsewhere).expect("canonical");
    let offer = hotfix_listing(&world, "hotfix/testnet/3.json", &content);
    let mut agent = world.agent();
    let taken = agent.take(&offer, world.now);
    assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    assert!(agent.plans().is_empty(), "a plan of testnet, or one that is listed no more");
}

#[test]
fn a_document_of_an_unknown_kind_is_refused() {
    let world = World::with_plans();
    let path = "hotfix/mainnet/3.json";
    refused(&world, &hotfix_listing(&world, path, b"{\"muster\":\"plan/v2\"}"), "T019");
    let sloppy = [canonical::to_bytes(&plan(3)).expect("canonical"), b"\n".to_vec()].concat();
    refused(&world, &hotfix_listing(&world, path, &sloppy), "T019");
}

#[test]
fn a_document_from_the_future_does_not_move_the_floor() {
    let world = World::with_plans();
    let mut thief = plan(3);
    thief.issued = world.now + SignedDuration::from_hours(24 * 300);
    let content = canonical::to_bytes(&thief).expect("canonical");
    let offer = hotfix_listing(&world, "hotfix/mainnet/3.json", &content);
    let agent = refused(&world, &offer, "T022");
    assert!(agent.floor() <= world.now, "one document moved the time of everybody");
}
