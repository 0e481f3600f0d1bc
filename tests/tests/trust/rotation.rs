//! Keys change hands: roots in chains, new keys for roles, lost and stolen keys, floors.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use muster_proto::documents::ids::{Class, Counter};
use muster_proto::documents::keys::{RootSpec, Signers};
use muster_proto::documents::{Digest, SigningRole};
use muster_proto::trust::draft::Document;
use muster_proto::trust::{Ledger, Offer, Publisher, Trust};
use muster_tests::tuf::{NETWORK, World, key, plan, resigned};
use serde_json::json;

/// Root `version`, held by these officers.
fn held_by(version: u64, officers: [&str; 3]) -> RootSpec {
    let mut spec = World::root_spec(version);
    spec.officers = officers.iter().map(|it| ((*it).to_owned(), key(it).public())).collect();
    let signers = Signers { threshold: 2, keys: officers.map(str::to_owned).to_vec() };
    spec.root = signers.clone();
    spec.targets = signers;
    spec
}

#[test]
fn a_newcomer_walks_a_chain_of_three_rotations() {
    let mut world = World::with_plans();
    let generations = [
        ["ann", "bob", "cyn"],
        ["cyn", "ira", "joe"],
        ["joe", "kim", "lea"],
        ["lea", "max", "nat"],
    ];
    for (at, pair) in generations.windows(2).enumerate() {
        let spec = held_by(at as u64 + 2, pair[1]);
        // Two of the old, two of the new.
        let signers = [pair[0][0], pair[0][2], pair[1][0], pair[1][1]];
        let signers: std::collections::BTreeSet<_> = signers.into_iter().collect();
        world.put(Document::Root(spec), &signers.into_iter().collect::<Vec<_>>());
    }
    // The keys of roles were signed by officers who are gone: the new ones sign them again.
    world.put(Document::Keys(World::keys_spec()), &["lea", "max"]);
    let agent = world.agent();
    assert_eq!(agent.versions().root, 4);
    assert_eq!(agent.plans().len(), 2);
}

#[test]
fn a_root_signed_by_the_old_or_the_new_alone_is_refused() {
    let world = World::with_plans();
    let draft = world.freeze(&Document::Root(held_by(2, ["ira", "joe", "kim"]))).expect("a draft");
    for (signers, code) in [(["ann", "bob"], "T003"), (["ira", "joe"], "T003")] {
        let root = World::signed_by(&draft.signed, &signers);
        let mut agent = world.agent();
        let taken = agent.take(&Offer { roots: vec![root], ..Offer::default() }, world.now);
        assert_eq!(taken.refused[0].error.code(), code);
        assert_eq!(agent.versions().root, 1);
    }
    let merged = World::merged(&draft, Some(&world.newcomer()), &["ann", "bob"], world.now);
    assert!(!merged.complete() && merged.publication().is_none());
    assert_eq!(merged.missing(), ["root 2: 2 more of ira, joe, kim"]);
}

#[test]
fn documents_and_floors_survive_a_root_that_keeps_the_keys() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    let before = agent.versions();
    world.put(Document::Root(World::root_spec(2)), &["ann", "bob"]);
    let only_root = Offer { roots: world.offer().roots, ..Offer::default() };
    let taken = agent.take(&only_root, world.now);
    assert_eq!(taken.new_roots, [2]);
    assert_eq!(agent.plans().len(), 2, "a root that changes nothing hid the plans");
    assert_eq!(agent.versions().timestamp, before.timestamp);
    assert_eq!(agent.versions().snapshot, before.snapshot);
}

/// A publisher's keys were stolen: the thief signed far ahead.
fn fast_forwarded(world: &World, agent: &mut Trust) {
    let publisher = Publisher::new(key("board"), key("board"));
    let (version, expires) = (u64::MAX - 9, world.now + SignedDuration::from_mins(9));
    let meta: BTreeMap<_, _> = world
        .offer()
        .roles
        .iter()
        .map(|(role, it)| {
            let version: serde_json::Value = serde_json::from_slice(it).expect("JSON");
            let version = version["signed"]["version"].as_u64().expect("a version");
            (format!("{role}.json"), muster_proto::trust::metadata::Pin::of(version, it))
        })
        .collect();
    let snapshot = publisher.next_snapshot(&world.board, version, expires, &meta).expect("signed");
    let pin = muster_proto::trust::metadata::Pin::of(version, &snapshot);
    let timestamp = publisher.next_timestamp(&world.board, version, expires, pin).expect("signed");
    let offer = Offer { timestamp: Some(timestamp), snapshot: Some(snapshot), ..Offer::default() };
    assert!(agent.take(&offer, world.now).advanced);
}

#[test]
fn floors_fall_when_a_root_replaces_the_publishers_keys_and_only_then() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    fast_forwarded(&world, &mut agent);
    let honest = world.pass(SignedDuration::from_secs(30));
    assert!(agent.take(&honest, world.now).stale, "the thief's floor holds");
    // A root with the same publisher cures nothing.
    world.put(Document::Root(World::root_spec(2)), &["ann", "bob"]);
    let roots = Offer { roots: world.offer().roots, ..Offer::default() };
    agent.take(&roots, world.now);
    let honest = world.pass(SignedDuration::from_secs(30));
    assert!(agent.take(&honest, world.now).stale);
    // A root with a new publisher does.
    let mut spec = World::root_spec(3);
    spec.publishers = BTreeMap::from([("board-2".to_owned(), key("board-2").public())]);
    spec.snapshot = Signers { threshold: 1, keys: vec!["board-2".into()] };
    spec.timestamp = spec.snapshot.clone();
    world.publisher = Publisher::new(key("board-2"), key("board-2"));
    let offer = world.put(Document::Root(spec), &["ann", "bob"]);
    let taken = agent.take(&offer, world.now);
    assert!(taken.advanced && taken.refused.is_empty(), "{:?}", taken.refused);
    assert_eq!(agent.plans().len(), 2);
    assert!(agent.versions().timestamp < u64::MAX / 2 && agent.fresh_until().is_some());
}

#[test]
fn role_floors_stay_when_only_the_timestamps_key_is_replaced() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    let old = world.clone();
    let mut spec = World::root_spec(2);
    spec.publishers.insert("clock".into(), key("clock").public());
    spec.timestamp = Signers { threshold: 1, keys: vec!["clock".into()] };
    world.publisher = Publisher::new(key("board"), key("clock"));
    let offer = world.put(Document::Root(spec), &["ann", "bob"]);
    let roots = Offer { roots: offer.roots.clone(), ..Offer::default() };
    agent.take(&roots, world.now);
    assert!(agent.plans().is_empty(), "nothing vouches for them until the new timestamp comes");
    // The new clock pins a snapshot from before hotfix/2.
    let before = World::new().offer().snapshot.expect("a snapshot");
    let pin = muster_proto::trust::metadata::Pin::of(7, &before);
    let expires = old.now + SignedDuration::from_mins(9);
    let timestamp = world.publisher.next_timestamp(&world.board, 1, expires, pin).expect("signed");
    let back = Offer { timestamp: Some(timestamp), snapshot: Some(before), ..Offer::default() };
    let taken = agent.take(&back, old.now);
    assert_eq!(taken.refused[0].error.code(), "T005");
    let taken = agent.take(&offer, world.now);
    assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    assert_eq!(agent.plans().len(), 2);
}

#[test]
fn a_lost_emergency_key_is_replaced_by_new_targets() {
    let mut world = World::with_plans();
    let mut stop = plan(1);
    stop.class = Class::Emergency;
    stop.action = muster_proto::documents::plan::Action::Stop;
    world.put(Document::Plan(Box::new(stop.clone())), &["gus"]);
    let mut agent = world.agent();
    let mut spec = World::keys_spec();
    spec.officers.insert("ivy".into(), key("ivy").public());
    let emergency = spec.roles.get_mut(&SigningRole::Emergency).expect("the role");
    emergency.keys = vec!["ivy".into()];
    let offer = world.put(Document::Keys(spec), &["bob", "cyn"]);
    let taken = agent.take(&offer, world.now);
    // What the lost key signed no longer counts, and blocks nobody.
    assert_eq!(taken.refused.len(), 1, "{:?}", taken.refused);
    assert_eq!(taken.refused[0].error.code(), "T003");
    assert!(agent.plans().keys().all(|id| id.class == Class::Hotfix));
    assert_eq!(agent.plans().len(), 2);
    assert!(agent.fresh_until().is_some(), "a dead role is not withheld");
    // The new key signs the next one; the old one has no say.
    stop.serial = 2;
    let draft = world.freeze(&Document::Plan(Box::new(stop))).expect("a draft");
    let checked = draft.verify(Some(&world.newcomer()), world.now).expect("an honest draft");
    assert_eq!(checked.sign(&key("gus")).expect_err("a refusal").code(), "T083");
    let merged = World::merged(&draft, Some(&world.newcomer()), &["ivy"], world.now);
    let offer = world.publish(merged.publication().expect("complete"));
    let taken = agent.take(&offer, world.now);
    assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    assert_eq!(agent.plans().len(), 3);
}

#[test]
fn a_delegated_roles_new_keys_come_into_force_with_targets() {
    let mut world = World::with_plans();
    let mut spec = World::keys_spec();
    spec.officers.insert("ivy".into(), key("ivy").public());
    let hotfix = spec.roles.get_mut(&SigningRole::Hotfix).expect("the role");
    hotfix.keys = vec!["dan".into(), "eve".into(), "ivy".into()];
    world.put(Document::Keys(spec), &["ann", "cyn"]);
    let mut agent = world.agent();
    assert_eq!(agent.plans().len(), 2, "dan and eve still have a say");
    let offer = world.put(Document::Plan(Box::new(plan(3))), &["dan", "ivy"]);
    agent.take(&offer, world.now);
    assert_eq!(agent.plans().len(), 3);
}

#[test]
fn an_officers_old_root_sees_the_board_after_rotations() {
    let mut world = World::with_plans();
    world.put(Document::Root(held_by(2, ["ann", "bob", "ira"])), &["ann", "bob"]);
    let draft = world.freeze(&Document::Plan(Box::new(plan(3)))).expect("a draft");
    let checked = draft.verify(Some(&world.newcomer()), world.now).expect("an honest draft");
    assert_eq!(checked.board().expect("a board").versions().root, 2);
    assert_eq!(checked.signers(), ["dan", "eve", "fay"]);
}

#[test]
fn an_expired_root_takes_nothing_but_the_next_root() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    world.now += SignedDuration::from_hours(24 * 366);
    let stale = world.publisher.stamp(&world.board, world.now).expect("signed all the same");
    let taken = agent.take(&stale, world.now);
    assert_eq!(taken.refused[0].error.code(), "T004");
    assert!(agent.plans().is_empty());
}

#[test]
fn a_floor_in_the_root_is_read_per_counter() {
    let mut world = World::with_plans();
    let mut spec = World::root_spec(2);
    spec.serial_floor = BTreeMap::from([(Counter::Ordinary, 42)]);
    world.put(Document::Root(spec), &["ann", "cyn"]);
    let agent = world.agent();
    assert_eq!(agent.serial_floor(Counter::Ordinary), Some(42));
    assert_eq!(agent.serial_floor(Counter::Emergency), None);
}

#[test]
fn serials_burnt_by_a_thief_are_cured_by_new_keys_and_a_floor() {
    let mut world = World::with_plans();
    let mut agent = world.agent();
    let mut ledger = Ledger::default();
    let admit = |agent: &Trust, ledger: &mut Ledger| {
        let floor = |counter| agent.serial_floor(counter);
        ledger.admit_all(NETWORK, agent.plans().keys(), floor)
    };
    assert!(admit(&agent, &mut ledger).iter().all(|(_, admitted)| admitted.is_ok()));
    // dan's and eve's keys are stolen: 1002, then 2002.
    for serial in [1002, 2002] {
        let offer = world.put(Document::Plan(Box::new(plan(serial))), &["dan", "eve"]);
        agent.take(&offer, world.now);
        assert!(admit(&agent, &mut ledger).iter().all(|(_, admitted)| admitted.is_ok()));
    }
    assert_eq!(ledger.last(NETWORK, Counter::Ordinary), 2002);
    // New keys, a floor; the new officers list only their own plan.
    let mut root = World::root_spec(2);
    root.serial_floor = BTreeMap::from([(Counter::Ordinary, 2)]);
    world.put(Document::Root(root), &["ann", "bob"]);
    let mut keys = World::keys_spec();
    keys.officers.insert("ivy".into(), key("ivy").public());
    keys.officers.insert("jan".into(), key("jan").public());
    let hotfix = keys.roles.get_mut(&SigningRole::Hotfix).expect("the role");
    hotfix.keys = vec!["ivy".into(), "jan".into()];
    world.put(Document::Keys(keys), &["ann", "bob"]);
    world.put(Document::Plan(Box::new(plan(3))), &["ivy", "jan"]);
    agent.take(&world.offer(), world.now);
    let admitted = admit(&agent, &mut ledger);
    assert_eq!(admitted.len(), 1);
    assert!(admitted[0].1.is_ok(), "{:?}", admitted[0].1);
    assert_eq!(ledger.last(NETWORK, Counter::Ordinary), 3);
}

#[test]
fn a_root_that_forgets_this_network_is_refused() {
    let world = World::with_plans();
    let root = resigned(&world.root, &["ann", "bob"], |signed| {
        signed["version"] = json!(2);
        signed["muster"]["networks"] = json!(["testnet"]);
    });
    let mut agent = world.agent();
    let taken = agent.take(&Offer { roots: vec![root], ..Offer::default() }, world.now);
    assert_eq!(taken.refused[0].error.code(), "T023");
    assert_eq!(agent.pinned_root(), &Digest::of(&world.root));
}
