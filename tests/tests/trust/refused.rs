//! Every way to cheat with metadata, and the code that refuses it. What is held stays.

use super::kit::{codes, refused};
use super::roots::root_refused;
use jiff::SignedDuration;
use muster_proto::trust::Offer;
use muster_proto::trust::draft::Document;
use muster_proto::trust::metadata::Pin;
use muster_tests::tuf::{World, plan, resigned, roster, unsigned};
use serde_json::json;

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
