//! Aborts: who may sign them, how long they are believed, and that a ledger never forgets one.

use jiff::SignedDuration;
use muster_proto::documents::{Abort, PlanId};
use muster_proto::trust::draft::{Document, PLAN_KEPT};
use muster_proto::trust::{Ledger, Offer};
use muster_tests::tuf::{NETWORK, World, key, plan, resigned};
use serde_json::json;

use super::kit::{codes, refused};

fn hotfix(world: &World, serial: u64) -> PlanId {
    let plans = world.board.plans();
    plans.keys().find(|id| id.serial == serial).expect("it is on the board").clone()
}

fn abort(world: &World, serial: u64) -> Abort {
    Abort::of(&hotfix(world, serial), &plan(serial), world.now, "enough")
}

#[test]
fn one_key_of_the_role_aborts_one_very_plan() {
    let mut world = World::with_plans();
    let aborted = abort(&world, 1);
    world.put(Document::Abort(aborted.clone()), &["gus"]);
    let agent = world.agent();
    assert_eq!(agent.aborts().values().collect::<Vec<_>>(), [&aborted]);
    assert_eq!(agent.plans().len(), 2, "the plan itself stays known");
}

#[test]
fn the_keys_of_another_role_abort_nothing() {
    let world = World::with_plans();
    let draft = world.freeze(&Document::Abort(abort(&world, 1))).expect("it can be frozen");
    let checked = draft.verify(Some(&world.newcomer()), world.now).expect("an honest draft");
    let dan = checked.sign(&key("dan")).expect_err("dan signs hotfixes");
    assert_eq!(dan.code(), "T083");

    let mut published = world.clone();
    published.put(Document::Abort(abort(&world, 1)), &["gus"]);
    let held = published.offer().roles["abort"].clone();
    let metadata = resigned(&held, &["dan", "eve"], |signed| signed["version"] = json!(1));
    refused(&world, &world.force("abort", &metadata, &[]), "T003");
}

#[test]
fn only_a_plan_that_is_open_and_not_aborted_can_be_aborted() {
    let mut world = World::with_plans();
    let cannot = |world: &World, abort: Abort| {
        world.freeze(&Document::Abort(abort)).expect_err("a refusal").code()
    };
    let mut unknown = abort(&world, 1);
    unknown.plan.serial = 9;
    assert_eq!(cannot(&world, unknown), "T088");
    let mut longer = abort(&world, 1);
    longer.until += SignedDuration::from_hours(1);
    assert_eq!(cannot(&world, longer), "T088");
    let mut elsewhere = abort(&world, 1);
    elsewhere.network = "testnet".into();
    assert_eq!(cannot(&world, elsewhere), "T073");
    world.put(Document::Abort(abort(&world, 1)), &["gus"]);
    assert_eq!(cannot(&world, abort(&world, 1)), "T088");
    world.now = plan(2).valid.until;
    world.stamp();
    assert_eq!(cannot(&world, abort(&world, 2)), "T088");
}

#[test]
fn an_abort_at_the_path_of_another_plan_is_refused() {
    let mut world = World::with_plans();
    world.put(Document::Abort(abort(&world, 1)), &["gus"]);
    let other = muster_proto::documents::canonical::to_bytes(&abort(&world, 2)).expect("canonical");
    let held = world.offer().roles["abort"].clone();
    let path = format!("abort/{NETWORK}/hotfix-1.json");
    let metadata = resigned(&held, &["gus"], |signed| {
        signed["version"] = json!(2);
        let file = muster_proto::trust::metadata::FileInfo::of(&other);
        signed["targets"][&path] = serde_json::to_value(file).expect("JSON");
    });
    let agent = refused(&world, &world.force("abort", &metadata, &[(&path, &other)]), "T018");
    assert!(!agent.aborts().contains_key(&hotfix(&world, 2)));
}

#[test]
fn it_is_believed_for_as_long_as_its_plan_could_begin_and_leaves_the_list_a_week_later() {
    let mut world = World::with_plans();
    let aborted = abort(&world, 1);
    let until = aborted.until;
    world.put(Document::Abort(aborted), &["gus"]);
    let expires = world.agent().expiries().into_iter().find(|(role, _)| role == "abort");
    assert!(expires.expect("the role speaks").1 > until);

    world.now = until + PLAN_KEPT + SignedDuration::from_secs(1);
    world.stamp();
    let mut next = plan(3);
    (next.issued, next.valid.until) = (world.now, world.now + SignedDuration::from_hours(24));
    world.put(Document::Plan(Box::new(next.clone())), &["dan", "eve"]);
    let aborted = Abort { until: next.valid.until, ..abort(&world, 3) };
    world.put(Document::Abort(aborted.clone()), &["hal"]);
    assert_eq!(world.agent().aborts().values().collect::<Vec<_>>(), [&aborted]);
}

#[test]
fn while_a_board_withholds_it_nothing_counts_as_fresh() {
    let world = World::with_plans();
    let mut agent = world.agent();
    assert!(agent.fresh_until().is_some());
    let mut published = world.clone();
    published.put(Document::Abort(abort(&world, 1)), &["gus"]);
    let mut offer = published.offer();
    offer.targets.retain(|path, _| !path.starts_with("abort/"));
    let taken = agent.take(&offer, published.now);
    assert_eq!(codes(&taken), ["T021"]);
    assert_eq!(agent.fresh_until(), None);
    agent.take(&Offer { targets: published.offer().targets, ..Offer::default() }, published.now);
    assert!(agent.fresh_until().is_some() && agent.aborts().len() == 1);
}

#[test]
fn a_ledger_keeps_every_abort_that_it_ever_saw() {
    let world = World::with_plans();
    let (one, two) = (abort(&world, 1), abort(&world, 2));
    let mut ledger = Ledger::default();
    assert!(ledger.abort(&one) && !ledger.abort(&one), "once is enough");
    // Another text about the same plan changes nothing.
    assert!(!ledger.abort(&Abort { reason: "otherwise".into(), ..one.clone() }));
    assert!(ledger.abort(&two));
    let stored = serde_json::to_vec(&ledger).expect("JSON");
    let restored: Ledger = serde_json::from_slice(&stored).expect("a ledger");
    assert_eq!(restored.aborts(NETWORK).collect::<Vec<_>>(), [&one, &two]);
    assert_eq!(restored.aborts("testnet").count(), 0);
}
