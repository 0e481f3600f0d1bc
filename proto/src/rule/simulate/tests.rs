use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::*;
use crate::documents::NodeName;
use crate::documents::plan::{Action, Budget, ReleaseRef, Wave};
use crate::documents::{Digest, Plan, Roster};
use crate::rule::tests::fixture::{Field, name};

/// Seven nodes in a canary wave of two and the rest, two seats, one failure tolerated.
fn upgrade() -> (Plan, Roster) {
    let mut field = Field::well(7);
    field.plan.title = "v2.4.4, trace timeout".into();
    field.plan.action =
        Action::Upgrade(ReleaseRef { version: "v2.4.4".into(), digest: Digest::of(b"release") });
    let wave = |label: &str, nodes: std::ops::Range<usize>, soak_ms| Wave {
        name: label.into(),
        done: nodes.len() as u32,
        nodes: nodes.map(name).collect(),
        soak_ms,
    };
    field.plan.waves = vec![wave("canary", 0..2, 600_000), wave("rest", 2..7, 0)];
    (field.plan, field.roster)
}

/// A field of more than ten nodes, whose names do not sort like their numbers.
fn fleet(size: usize) -> Field {
    let mut field = Field::well(size);
    field.plan.members.sort_by(|a, b| a.name.cmp(&b.name));
    field.roster.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    field
}

fn options(faults: &[&str]) -> Options {
    let faults = faults.iter().map(|text| text.parse().expect("a fault")).collect();
    Options { faults, seed: 1, ..Options::default() }
}

fn play(plan: &Plan, roster: &Roster, options: &Options) -> Timeline {
    run(plan, roster, options).expect("options that fit the plan")
}

fn began(timeline: &Timeline) -> Vec<String> {
    let began = timeline.entries.iter().filter(|e| matches!(e.what, What::Began { .. }));
    began.filter_map(|entry| Some(entry.node.as_ref()?.to_string())).collect()
}

#[test]
fn without_faults_everybody_finishes_in_order_and_one_seat_is_away() {
    let (plan, roster) = upgrade();
    let timeline = play(&plan, &roster, &options(&[]));
    assert_eq!(began(&timeline), ["n0", "n1", "n2", "n3", "n4", "n5", "n6"]);
    assert!(timeline.complete && timeline.done == 7 && timeline.never.is_empty());
    assert_eq!(timeline.fewest_seats, 6);
    insta::assert_snapshot!("upgrade", timeline);
}

#[test]
fn a_failing_canary_ends_the_plan_and_is_rolled_back() {
    let (plan, roster) = upgrade();
    let early = play(&plan, &roster, &options(&["n1@prepare"]));
    assert_eq!((early.done, early.rolled_back, early.never.len()), (0, 1, 6));
    for place in ["stop", "start", "test"] {
        let timeline = play(&plan, &roster, &options(&[&format!("n1@{place}")]));
        assert_eq!(
            (timeline.done, timeline.rolled_back, timeline.never.len()),
            (1, 1, 5),
            "{place}"
        );
        assert!(!timeline.complete);
    }
    insta::assert_snapshot!("canary", play(&plan, &roster, &options(&["n1@start"])));
}

#[test]
fn a_node_that_crashes_after_its_done_is_a_failure() {
    let (plan, roster) = upgrade();
    let timeline = play(&plan, &roster, &options(&["n0@after"]));
    assert!(timeline.never.len() >= 5, "{timeline}");
    let over = timeline.entries.iter().any(|entry| matches!(entry.what, What::Over { .. }));
    assert!(over, "{timeline}");
}

#[test]
fn a_tolerated_failure_stops_nobody_and_an_absent_node_costs_one_seat() {
    let (mut plan, roster) = upgrade();
    plan.failures.tolerate = 1;
    plan.waves[1].done = 3;
    let absent = Options { absent: vec![name(5)], ..options(&["n3@test"]) };
    let timeline = play(&plan, &roster, &absent);
    assert!(timeline.complete, "{timeline}");
    assert_eq!((timeline.done, timeline.rolled_back, timeline.fewest_seats), (5, 1, 5));
    insta::assert_snapshot!("absent", timeline);
}

#[test]
fn absences_that_use_up_the_budget_stop_the_plan_and_are_named() {
    let (plan, roster) = upgrade();
    let absent = Options { absent: vec![name(5), name(6)], ..options(&[]) };
    let timeline = play(&plan, &roster, &absent);
    assert!(began(&timeline).is_empty());
    assert!(timeline.to_string().contains("the budget is 2: n5, n6"), "{timeline}");
}

#[test]
fn a_stop_of_everybody_halts_the_chain_and_says_so() {
    let (mut plan, roster) = upgrade();
    (plan.action, plan.budget) = (Action::Stop, Budget::All);
    let timeline = play(&plan, &roster, &options(&[]));
    assert!(timeline.complete && timeline.fewest_seats == 0, "{timeline}");
    assert!(timeline.to_string().contains("the chain stands still"));
}

#[test]
fn a_fleet_that_is_down_is_started_in_order() {
    let (mut plan, roster) = upgrade();
    (plan.action, plan.budget) = (Action::Start, Budget::All);
    let timeline = play(&plan, &roster, &options(&[]));
    assert!(timeline.complete && timeline.done == 7, "{timeline}");
}

#[test]
fn who_refuses_has_declined_and_who_asks_too_long_holds_nobody_up() {
    let (mut plan, roster) = upgrade();
    plan.waves[1].done = 3;
    let world = Options { asking: vec![name(3)], refusing: vec![name(4)], ..options(&[]) };
    let timeline = play(&plan, &roster, &world);
    assert!(timeline.complete, "{timeline}");
    assert_eq!((timeline.done, timeline.declined, timeline.never.len()), (5, 1, 1));
}

#[test]
fn the_same_seed_gives_the_same_timeline() {
    let (plan, roster) = upgrade();
    let with = |seed| play(&plan, &roster, &Options { seed, ..options(&[]) });
    assert_eq!(with(7), with(7));
    assert_ne!(with(7).entries, with(8).entries);
}

#[test]
fn a_timeline_is_told_in_json_as_well() {
    let (plan, roster) = upgrade();
    let json = serde_json::to_value(play(&plan, &roster, &options(&["n1@start"]))).expect("JSON");
    let entry = &json["entries"][1];
    assert_eq!(
        (&entry["what"], &entry["node"], &entry["sum"]),
        (&"began".into(), &"n0".into(), &1.into())
    );
    assert_eq!(json["never"].as_array().map(Vec::len), Some(5));
}

#[test]
fn a_plan_that_runs_out_says_so() {
    let (mut plan, roster) = upgrade();
    plan.valid.until = "2026-11-22T12:00:00Z".parse().expect("a date");
    let timeline = play(&plan, &roster, &options(&[]));
    assert_eq!((timeline.done, timeline.never.len()), (2, 5), "{timeline}");
    assert!(timeline.never[0].why.contains("a new plan is needed"));
}

#[test]
fn faults_are_read_and_refused_by_name() {
    let (plan, roster) = upgrade();
    let fault: Fault = "node-3@test".parse().expect("a fault");
    assert_eq!(fault.to_string(), "node-3@test");
    let refusal = |text: &str| text.parse::<Fault>().expect_err("refused").to_string();
    assert!(refusal("node-3").starts_with("R920"));
    assert!(refusal("Node 3@test").starts_with("R921"));
    assert!(refusal("node-3@lunch").starts_with("R922"));
    let refused = |plan: &Plan, options: &Options| {
        run(plan, &roster, options).expect_err("refused").to_string()
    };
    assert!(refused(&plan, &options(&["nobody@test"])).starts_with("R923"));
    let stop = Plan { action: Action::Stop, ..plan.clone() };
    assert!(refused(&stop, &options(&["n1@test"])).starts_with("R924"));
    let twice = Options { absent: vec![name(1)], ..options(&["n1@test"]) };
    assert!(refused(&plan, &twice).starts_with("R925"));
}

#[test]
fn the_shortest_time_is_shorter_than_the_usual_one() {
    let (plan, roster) = upgrade();
    let (shortest, usual) = estimate(&plan, &roster).expect("no faults");
    // Seven holds of two minutes and a soak of ten.
    assert!(shortest > 24 * 60_000 && shortest < usual && usual < 32 * 60_000);
}

#[test]
fn the_text_of_a_large_fleet_stays_under_200_lines() {
    let mut field = fleet(120);
    field.plan.parallel = 2;
    field.plan.valid.until = "2026-11-23T12:00:00Z".parse().expect("a date");
    let timeline = play(&field.plan, &field.roster, &options(&[]));
    let text = timeline.to_string();
    assert!(timeline.complete && text.lines().count() <= 200, "{text}");
    assert!(text.contains("lines left out"));
}

/// The bar of the design is 10,000 rollouts in a minute on two cores. The rest of that minute
/// belongs to faults: this loop has some in every run.
#[test]
fn ten_thousand_rollouts_with_faults_take_less_than_a_minute() {
    let began = Instant::now();
    let done = AtomicU64::new(0);
    let worker = |worker: u64| {
        for run in 0..5_000 {
            let seed = worker * 5_000 + run;
            let mut field = fleet(10 + (seed % 31) as usize);
            field.plan.failures.tolerate = 1;
            field.plan.waves[0].done -= 2;
            let fault = Fault { node: name((seed % 10) as usize), place: Place::Test };
            let absent: Vec<NodeName> =
                seed.is_multiple_of(3).then(|| name(5)).into_iter().collect();
            let faults = if absent.contains(&fault.node) { vec![] } else { vec![fault] };
            let timeline = play(
                &field.plan,
                &field.roster,
                &Options { faults, absent, seed, ..Options::default() },
            );
            let ended = timeline.done + timeline.never.len() as u32;
            assert_eq!(ended, timeline.nodes, "{timeline}");
            done.fetch_add(u64::from(timeline.done), Ordering::Relaxed);
            // A restart that fails its test stays away: with somebody absent nobody may follow.
            assert!(timeline.fewest_seats + 2 >= timeline.seats, "{timeline}");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| worker(0));
        scope.spawn(|| worker(1));
    });
    let took = began.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
    let done = done.into_inner();
    assert!(done > 100_000, "{done} nodes finished: most have no fault and nobody in their way");
}
