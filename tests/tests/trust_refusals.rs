//! Every way to cheat with metadata, and the code that refuses it. What is held stays.

use jiff::SignedDuration;
use muster_proto::documents::Digest;
use muster_proto::documents::canonical;
use muster_proto::trust::draft::Document;
use muster_proto::trust::keys::key_id;
use muster_proto::trust::metadata::Pin;
use muster_proto::trust::{Offer, Taken, Trust, TrustError};
use muster_tests::tuf::{NETWORK, World, key, plan, resigned, roster, unsigned};
use serde_json::{Value, json};

fn codes(taken: &Taken) -> Vec<&'static str> {
    taken.refused.iter().map(|refused| refused.error.code()).collect()
}

/// Somebody who holds what the board held takes `offer`: refused by `code`, and no plan is new.
fn refused(world: &World, offer: &Offer, code: &str) -> Trust {
    let mut agent = world.agent();
    let before = agent.plans().clone();
    let taken = agent.take(offer, world.now);
    assert!(codes(&taken).contains(&code), "{code} expected, {:?}", taken.refused);
    for id in agent.plans().keys() {
        assert!(before.contains_key(id), "{id} came in by a refused offer");
    }
    agent
}

fn pinned(root: &[u8]) -> Result<Trust, TrustError> {
    Trust::pin(root, &Digest::of(root), NETWORK)
}

fn root_refused(root: &[u8], code: &str) {
    assert_eq!(pinned(root).expect_err("a refusal").code(), code);
}

/// The hotfix role's metadata, changed and signed by its officers again, on a board that checks
/// nothing.
fn forced_hotfix(world: &World, change: impl FnOnce(&mut Value)) -> Offer {
    let mut agent = world.agent();
    agent.take(&Offer::default(), world.now);
    let held = world.offer().roles["hotfix"].clone();
    let metadata = resigned(&held, &["dan", "eve"], |signed| {
        signed["version"] = json!(signed["version"].as_u64().expect("a version") + 1);
        change(signed);
    });
    world.force("hotfix", &metadata, &[])
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
fn a_file_that_is_too_large_is_refused_unread() {
    root_refused(&vec![b'x'; 200 * 1024], "T001");
    let world = World::with_plans();
    let mut offer = world.clone().stamp();
    offer.timestamp = Some(vec![b' '; 20 * 1024]);
    refused(&world, &offer, "T001");
}

#[test]
fn what_is_no_metadata_is_refused() {
    root_refused(b"{\"signed\": {}}", "T002");
    let world = World::with_plans();
    let offer = Offer { timestamp: Some(b"null".to_vec()), ..Offer::default() };
    refused(&world, &offer, "T002");
}

#[test]
fn a_root_below_its_threshold_is_refused() {
    let world = World::bare();
    root_refused(&resigned(&world.root, &["ann"], |_| {}), "T003");
    // Two signatures, one of somebody who has no say.
    root_refused(&resigned(&world.root, &["ann", "dan"], |_| {}), "T003");
}

#[test]
fn a_role_below_its_threshold_is_refused() {
    let world = World::with_plans();
    let held = world.offer().roles["hotfix"].clone();
    let metadata = resigned(&held, &["dan"], |signed| signed["version"] = json!(3));
    let agent = refused(&world, &world.force("hotfix", &metadata, &[]), "T003");
    assert!(agent.plans().is_empty(), "a role that nobody signed to its threshold speaks");
    assert!(agent.roster().is_some(), "one bad role blocked another");
}

#[test]
fn a_plan_signed_by_another_roles_keys_is_refused() {
    let world = World::with_plans();
    let held = world.offer().roles["hotfix"].clone();
    // gus and hal sign drills and emergencies.
    let metadata = resigned(&held, &["gus", "hal"], |signed| signed["version"] = json!(3));
    refused(&world, &world.force("hotfix", &metadata, &[]), "T003");
}

#[test]
fn one_signature_given_twice_is_refused() {
    let world = World::bare();
    let signed = canonical::to_bytes(&unsigned(&world.root)).expect("canonical");
    root_refused(&World::signed_by(&signed, &["ann", "ann"]), "T010");
}

#[test]
fn an_expired_timestamp_is_refused() {
    let world = World::with_plans();
    let offer = world.clone().stamp();
    let mut agent = world.agent();
    let taken = agent.take(&offer, world.now + SignedDuration::from_mins(11));
    assert_eq!(codes(&taken), ["T004"]);
}

#[test]
fn a_frozen_board_stops_to_be_fresh_and_its_documents_stay_known() {
    let world = World::with_plans();
    let mut agent = world.agent();
    let until = agent.fresh_until().expect("a fresh board");
    let later = world.now + SignedDuration::from_mins(30);
    let taken = agent.take(&world.offer(), later);
    assert!(taken.refused.is_empty(), "what is known is no news");
    assert!(agent.fresh_until() == Some(until) && until < later, "an old timestamp looks fresh");
    assert_eq!(agent.plans().len(), 2);
}

#[test]
fn nothing_new_is_taken_on_an_expired_timestamp() {
    let world = World::with_plans();
    let mut agent = world.newcomer();
    let mut offer = world.offer();
    let content = offer.targets.remove("hotfix/mainnet/2.json").expect("a plan");
    agent.take(&offer, world.now);
    let late = Offer {
        targets: [("hotfix/mainnet/2.json".to_owned(), content)].into(),
        ..Offer::default()
    };
    let taken = agent.take(&late, world.now + SignedDuration::from_mins(30));
    assert_eq!(codes(&taken), ["T028"]);
}

#[test]
fn a_timestamp_that_pins_an_older_snapshot_is_refused() {
    let world = World::with_plans();
    let old = world.offer();
    let mut newer = world.clone();
    newer.put(Document::Plan(Box::new(plan(3))), &["dan", "eve"]);
    let mut agent = newer.agent();
    let version = agent.versions().timestamp + 9;
    let snapshot = old.snapshot.clone().expect("a snapshot");
    let pin = Pin::of(unsigned(&snapshot)["version"].as_u64().expect("a version"), &snapshot);
    let expires = newer.now + SignedDuration::from_mins(9);
    let timestamp = world.publisher.next_timestamp(&world.board, version, expires, pin);
    let offer = Offer { timestamp: timestamp.ok(), ..old };
    let taken = agent.take(&offer, newer.now);
    assert!(codes(&taken).contains(&"T005"), "{:?}", taken.refused);
    assert_eq!(agent.plans().len(), 3);
}

#[test]
fn a_snapshot_that_takes_a_role_back_is_refused() {
    let world = World::with_plans();
    let agent = world.agent();
    let mut meta: std::collections::BTreeMap<_, _> = Default::default();
    for (role, bytes) in &world.offer().roles {
        let version = unsigned(bytes)["version"].as_u64().expect("a version");
        let version = if role == "hotfix" { version - 1 } else { version };
        meta.insert(format!("{role}.json"), Pin::of(version, bytes));
    }
    refused(&world, &world.pinning(world.offer(), &meta), "T005");
    meta.remove("hotfix.json");
    refused(&world, &world.pinning(world.offer(), &meta), "T007");
    assert_eq!(agent.plans().len(), 2);
}

#[test]
fn an_older_board_is_stale_and_no_attack() {
    let world = World::with_plans();
    let old = world.offer();
    let mut newer = world.clone();
    newer.put(Document::Plan(Box::new(plan(3))), &["dan", "eve"]);
    let mut agent = newer.agent();
    let taken = agent.take(&old, newer.now);
    assert!(taken.stale && taken.refused.is_empty() && !taken.advanced, "{taken:?}");
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
fn a_mix_of_two_boards_is_refused() {
    let world = World::with_plans();
    let mut one = world.clone();
    let mut two = world.clone();
    let first = one.put(Document::Plan(Box::new(plan(3))), &["dan", "eve"]);
    let mut other = plan(3);
    other.title = "another".into();
    let second = two.put(Document::Plan(Box::new(other)), &["dan", "fay"]);
    let mixed = Offer { roles: second.roles, ..first };
    refused(&world, &mixed, "T007");
}

#[test]
fn a_changed_target_is_refused() {
    let mut world = World::with_plans();
    let before = world.clone();
    let mut offer = world.put(Document::Plan(Box::new(plan(3))), &["dan", "eve"]);
    let content = offer.targets.get_mut("hotfix/mainnet/3.json").expect("the plan");
    let text = String::from_utf8(content.clone()).expect("text").replace("restart 3", "restart 4");
    *content = text.into_bytes();
    refused(&before, &offer, "T007");
}

#[test]
fn what_nobody_names_is_refused() {
    let world = World::with_plans();
    let stray = Offer {
        targets: [("hotfix/mainnet/9.json".to_owned(), b"{}".to_vec())].into(),
        roles: [("wizard".to_owned(), b"{}".to_vec())].into(),
        ..Offer::default()
    };
    let mut agent = world.agent();
    assert_eq!(codes(&agent.take(&stray, world.now)), ["T008", "T008"]);
}

#[test]
fn a_role_that_targets_gives_to_nobody_is_refused() {
    let mut world = World::bare();
    let mut spec = World::keys_spec();
    spec.roles.remove(&muster_proto::documents::SigningRole::Drill);
    world.put(Document::Keys(spec), &["ann", "bob"]);
    world.put(Document::Roster(roster(1)), &["dan", "eve"]);
    let metadata = resigned(&world.offer().roles["roster"], &["gus"], |signed| {
        signed["targets"] = json!({});
    });
    refused(&world, &world.force("drill", &metadata, &[]), "T009");
}

fn root_with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    resigned(&World::bare().root, &["ann", "bob", "cyn"], change)
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

#[test]
fn a_withheld_target_is_said_and_its_successors_wait() {
    let world = World::with_plans();
    let mut offer = world.offer();
    let first = offer.targets.remove("hotfix/mainnet/1.json").expect("a plan");
    let mut agent = world.newcomer();
    let taken = agent.take(&offer, world.now);
    assert_eq!(codes(&taken), ["T021", "T021"], "{:?}", taken.refused);
    assert!(agent.plans().is_empty(), "2 shows before 1: 1 would be refused for ever");
    assert_eq!(agent.versions().snapshot, 0, "a board would not send it again");
    let rest =
        Offer { targets: [("hotfix/mainnet/1.json".to_owned(), first)].into(), ..Offer::default() };
    assert!(agent.take(&rest, world.now).refused.is_empty());
    assert_eq!(agent.plans().len(), 2);
}

#[test]
fn a_timestamp_without_its_snapshot_is_not_taken() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    let (until, before) = (agent.fresh_until(), agent.versions());
    let mut offer = world.put(Document::Plan(Box::new(plan(3))), &["dan", "eve"]);
    offer.snapshot = None;
    let taken = agent.take(&offer, world.now);
    assert!(codes(&taken).contains(&"T021"), "{:?}", taken.refused);
    assert_eq!((agent.fresh_until(), agent.versions()), (until, before));
}

#[test]
fn a_withheld_emergency_makes_nothing_fresh() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    let mut stop = plan(1);
    stop.class = muster_proto::documents::Class::Emergency;
    stop.action = muster_proto::documents::plan::Action::Stop;
    let offer = world.put(Document::Plan(Box::new(stop)), &["gus"]);
    let mut hidden = offer.clone();
    hidden.roles.clear();
    hidden.targets.clear();
    agent.take(&hidden, world.now);
    assert_eq!(agent.fresh_until(), None, "a board can hide a stop and look fresh");
    assert_eq!(agent.plans().len(), 2, "one missing role blocked another");
    agent.take(&offer, world.now);
    assert!(agent.fresh_until().is_some());
    assert_eq!(agent.plans().len(), 3);
}

#[test]
fn two_timestamps_of_one_version_are_refused() {
    let world = World::with_plans();
    let mut agent = world.agent();
    let held = world.offer().timestamp.expect("a timestamp");
    let other = resigned(&held, &["board"], |signed| {
        signed["expires"] = json!("2026-07-23T12:09:00Z");
    });
    let taken = agent.take(&Offer { timestamp: Some(other), ..Offer::default() }, world.now);
    assert_eq!(codes(&taken), ["T025"]);
}

#[test]
fn a_pin_without_a_digest_is_refused() {
    let world = World::with_plans();
    let held = world.clone().stamp().timestamp.expect("a timestamp");
    let loose = resigned(&held, &["board"], |signed| {
        let version = signed["version"].as_u64().expect("a version");
        signed["version"] = json!(version + 1);
        let pin = signed["meta"]["snapshot.json"].as_object_mut().expect("a pin");
        pin.remove("hashes");
    });
    refused(&world, &Offer { timestamp: Some(loose), ..Offer::default() }, "T026");
}

#[test]
fn more_than_is_read_is_refused() {
    let world = World::with_plans();
    let roots = vec![world.root.clone(); 65];
    refused(&world, &Offer { roots, ..Offer::default() }, "T027");
}

#[test]
fn an_expired_role_is_silent_and_blocks_nobody() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    // Hotfix lasts 100 days, roster 200.
    let offer = world.pass(SignedDuration::from_hours(24 * 120));
    let taken = agent.take(&offer, world.now);
    assert_eq!(codes(&taken), ["T004"], "{:?}", taken.refused);
    assert!(agent.plans().is_empty() && agent.roster().is_some());
    // Said once, not each minute.
    let offer = world.pass(SignedDuration::from_mins(1));
    assert!(agent.take(&offer, world.now).refused.is_empty());
}

#[test]
fn an_expired_roster_is_known_and_begins_nothing() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    let offer = world.pass(SignedDuration::from_hours(24 * 201));
    agent.take(&offer, world.now);
    assert!(agent.roster().is_none() && agent.last_roster().is_some());
}

#[test]
fn expired_targets_silence_every_role_below() {
    let world = World::with_plans();
    let mut agent = world.agent();
    agent.take(&Offer::default(), world.now + SignedDuration::from_hours(24 * 301));
    assert!(agent.roster().is_none() && agent.plans().is_empty());
    assert!(agent.releases().next().is_none());
}

#[test]
fn time_never_falls_below_what_officers_have_signed() {
    let world = World::with_plans();
    let mut agent = world.agent();
    assert_eq!(agent.floor(), muster_tests::tuf::at());
    // A clock that fell back to 1970 does not make anything old look fresh.
    let (epoch, floor) = (jiff::Timestamp::UNIX_EPOCH, agent.floor());
    agent.take(&Offer::default(), epoch);
    assert_eq!(agent.now(epoch), floor);
}

#[test]
fn an_offer_in_pieces_does_what_the_whole_does() {
    let world = World::with_plans();
    let mut agent = world.newcomer();
    let pieces = world.offer().split(2000);
    assert!(pieces.len() > 3, "{} pieces", pieces.len());
    for piece in pieces {
        agent.take(&piece, world.now);
    }
    let whole = world.agent();
    assert_eq!(agent.plans(), whole.plans());
    assert_eq!(agent.versions(), whole.versions());
}
