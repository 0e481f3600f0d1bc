//! What is believed survives a restart; a damaged memory is refused, never forgotten.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::ids::Counter;
use muster_proto::trust::draft::Document;
use muster_proto::trust::{Ledger, Offer, State, StateFile};
use muster_tests::tuf::{NETWORK, World, plan};

struct Home {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
}

fn home() -> Home {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("trust");
    Home { _dir: dir, path }
}

fn saved(world: &World, home: &Home) -> State {
    let trust = world.agent();
    let mut ledger = Ledger::default();
    ledger.admit_all(NETWORK, trust.plans().keys(), |_| None);
    StateFile::new(&home.path).save(&trust, &ledger).expect("saved");
    State { trust, ledger }
}

fn reopened(home: &Home, clock: Timestamp) -> State {
    StateFile::open(&home.path, clock).expect("a good file").1.expect("a file")
}

#[test]
fn no_file_is_no_state() {
    let (_, state) = StateFile::open(&home().path, Timestamp::UNIX_EPOCH).expect("no error");
    assert!(state.is_none());
}

#[test]
fn everything_comes_back() {
    let (world, home) = (World::with_plans(), home());
    let before = saved(&world, &home);
    let after = reopened(&home, world.now);
    assert_eq!(after.trust.plans(), before.trust.plans());
    assert_eq!(after.trust.roster(), before.trust.roster());
    assert_eq!(after.trust.versions(), before.trust.versions());
    assert_eq!(after.trust.floor(), before.trust.floor());
    assert_eq!(after.trust.offer(0), before.trust.offer(0));
    assert_eq!(after.ledger, before.ledger);
}

#[test]
fn floors_stand_after_a_restart_long_after_everything_expired() {
    let (mut world, home) = (World::with_plans(), home());
    let old = world.offer();
    world.put(Document::Plan(Box::new(plan(3))), &["dan", "eve"]);
    saved(&world, &home);
    // A month later timestamp and snapshot are long expired; the old board comes, its date forged
    // by nobody: it is simply older.
    let later = world.now + SignedDuration::from_hours(24 * 30);
    let mut state = reopened(&home, later);
    let before = state.trust.versions();
    let taken = state.trust.take(&old, world.now);
    assert!(taken.stale && !taken.advanced);
    assert_eq!(state.trust.versions(), before);
    assert_eq!(state.trust.plans().len(), 3);
    assert!(state.trust.fresh_until().is_some_and(|until| until < later));
}

#[test]
fn a_role_that_expired_while_it_was_down_is_silent_at_once() {
    let (world, home) = (World::with_plans(), home());
    saved(&world, &home);
    let state = reopened(&home, world.now + SignedDuration::from_hours(24 * 120));
    assert!(state.trust.plans().is_empty(), "an expired role speaks until the first offer");
}

#[test]
fn a_damaged_file_is_refused_at_every_byte() {
    let (world, home) = (World::with_plans(), home());
    saved(&world, &home);
    let good = fs::read(&home.path).expect("the file");
    // Every 97th byte, and all of the first line.
    let places = (0..100).chain((100..good.len()).step_by(97));
    for place in places {
        let mut bad = good.clone();
        bad[place] ^= 0x01;
        fs::write(&home.path, &bad).expect("written");
        let error = StateFile::open(&home.path, world.now).expect_err("a refusal");
        assert_eq!(error.code(), "T040", "byte {place}");
    }
    for length in [0, 10, good.len() / 2, good.len() - 1] {
        fs::write(&home.path, &good[..length]).expect("written");
        assert_eq!(StateFile::open(&home.path, world.now).expect_err("a refusal").code(), "T040");
    }
}

#[test]
fn a_whole_file_that_does_not_verify_is_refused() {
    let (world, home) = (World::with_plans(), home());
    saved(&world, &home);
    let text = fs::read_to_string(&home.path).expect("the file");
    let (_, body) = text.split_once('\n').expect("two lines");
    // Somebody repaired the checksum: the pinned root is another one.
    let mut value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    value["first_root"] = serde_json::json!(muster_proto::documents::Digest::of(b"x"));
    let body = serde_json::to_vec(&value).expect("JSON");
    let sum = muster_proto::documents::Digest::of(&body);
    let head = format!("muster-trust-state/v1 {sum}\n");
    fs::write(&home.path, [head.as_bytes(), &body].concat()).expect("written");
    assert_eq!(StateFile::open(&home.path, world.now).expect_err("a refusal").code(), "T041");
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_said() {
    let home = home();
    fs::create_dir(&home.path).expect("a directory in its place");
    assert_eq!(StateFile::open(&home.path, Timestamp::UNIX_EPOCH).expect_err("no").code(), "T042");
    let world = World::bare();
    let error = StateFile::new(&home.path).save(&world.board, &Ledger::default());
    assert_eq!(error.expect_err("no").code(), "T042");
}

#[test]
fn a_crash_between_write_and_rename_leaves_the_old_file() {
    let (world, home) = (World::with_plans(), home());
    saved(&world, &home);
    fs::write(home.path.with_extension("new"), b"half a fi").expect("written");
    assert_eq!(reopened(&home, world.now).trust.plans().len(), 2);
    saved(&world, &home);
    assert!(!home.path.with_extension("new").exists());
}

#[test]
fn a_new_root_is_saved_before_the_rest_is_looked_at() {
    let (mut world, home) = (World::with_plans(), home());
    let mut state = saved(&world, &home);
    world.put(Document::Root(World::root_spec(2)), &["ann", "bob"]);
    let mut offer = world.offer();
    offer.timestamp = Some(b"rubbish".to_vec());
    let file = StateFile::new(&home.path);
    let taken = file.take(&mut state, &offer, world.now).expect("saved");
    assert_eq!(taken.new_roots, [2]);
    assert_eq!(reopened(&home, world.now).trust.versions().root, 2);
}

#[test]
fn an_offer_without_news_writes_nothing() {
    let (world, home) = (World::with_plans(), home());
    let mut state = saved(&world, &home);
    let before = fs::metadata(&home.path).expect("the file").modified().expect("a time");
    let file = StateFile::new(&home.path);
    file.take(&mut state, &world.offer(), world.now).expect("taken");
    file.take(&mut state, &Offer::default(), world.now).expect("taken");
    assert_eq!(fs::metadata(&home.path).expect("the file").modified().expect("a time"), before);
}

#[test]
fn the_ledger_comes_back_with_its_serials() {
    let (world, home) = (World::with_plans(), home());
    saved(&world, &home);
    let mut state = reopened(&home, world.now);
    let ids: Vec<_> = state.trust.plans().keys().cloned().collect();
    assert_eq!(state.ledger.last(NETWORK, Counter::Ordinary), 2);
    let mut other = ids[0].clone();
    other.digest = muster_proto::documents::Digest::of(b"x");
    assert_eq!(state.ledger.admit(NETWORK, &other, None).expect_err("no").code(), "R902");
}
