//! Turn, gates and soak; absence; failures.

use super::fixture::{Field, at, name};
use crate::documents::plan::{Action, Wave};
use crate::rule::{Final, Reason};

fn two_waves(size: usize, soak_ms: u64) -> Field {
    let mut field = Field::well(size);
    let canary = Wave { name: "canary".into(), nodes: vec![name(0), name(1)], done: 2, soak_ms };
    let nodes: Vec<_> = (2..size).map(name).collect();
    let rest = Wave { name: "rest".into(), done: nodes.len() as u32, nodes, soak_ms: 0 };
    field.plan.waves = vec![canary, rest];
    field
}

#[test]
fn one_at_a_time_in_order() {
    let mut field = Field::well(4);
    assert_eq!(field.may(1), Err(Reason::Turn { nodes: vec![name(0)], parallel: 1 }));
    field.ended(0, Final::Done);
    field.may(1).expect("its turn");
    assert!(matches!(field.may(2), Err(Reason::Turn { .. })));
}

#[test]
fn parallel_lets_that_many_undone_predecessors_be() {
    let mut field = Field::well(7);
    field.plan.parallel = 2;
    field.may(1).expect("one before it");
    assert!(matches!(field.may(2), Err(Reason::Turn { nodes, .. }) if nodes.len() == 2));
}

#[test]
fn who_is_absent_holds_nobody_up() {
    let mut field = Field::well(4);
    field.beacon(0, at(-59), |_| ());
    assert!(matches!(field.may(1), Err(Reason::Turn { .. })), "59 s is not absent yet");
    field.beacon(0, at(-61), |_| ());
    field.may(1).expect("absent for longer than a minute");
    field.facts(0).beacon = None;
    field.may(1).expect("never seen");
}

#[test]
fn who_asks_for_longer_than_absence_holds_nobody_up_until_he_prepares() {
    let mut field = Field::well(4);
    field.said(0).asked = Some(at(-59));
    assert!(matches!(field.may(1), Err(Reason::Turn { .. })));
    field.said(0).asked = Some(at(-61));
    assert_eq!(field.may(1).expect("he asks for long").sum, Some(2), "and counts");
    field.said(0).prepared = Some(at(-1));
    assert!(matches!(field.may(1), Err(Reason::Turn { .. })), "he was answered");
}

#[test]
fn who_had_prepared_and_is_asked_by_a_newer_policy_holds_nobody_up_for_longer_either() {
    let mut field = Field::well(4);
    field.said(0).prepared = Some(at(-70));
    field.said(0).asked = Some(at(-59));
    assert!(matches!(field.may(1), Err(Reason::Turn { .. })));
    field.said(0).asked = Some(at(-61));
    assert_eq!(field.may(1).expect("he asks for long").sum, Some(2), "and counts");
}

#[test]
fn who_failed_holds_nobody_up_when_failures_are_tolerated() {
    let mut field = Field::well(7);
    field.said(0).failed = Some(at(-5));
    assert_eq!(field.may(1), Err(Reason::Over { failures: 1, tolerated: 0 }));
    field.plan.failures.tolerate = 1;
    assert_eq!(field.may(1).expect("one is tolerated").sum, Some(2));
}

#[test]
fn a_wave_begins_when_the_gate_before_it_is_met() {
    let mut field = two_waves(6, 0);
    field.ended(0, Final::Done);
    field.ended(1, Final::Declined);
    let reason = field.may(2).expect_err("one of two is done");
    assert_eq!(reason, Reason::Gate { wave: "canary".into(), done: 1, gate: 2 });
    field.plan.waves[0].done = 1;
    field.may(2).expect("one was enough");
}

#[test]
fn a_soak_is_proved_by_a_good_beacon_dated_after_it() {
    let mut field = two_waves(6, 20_000);
    field.ended(0, Final::Done);
    field.ended(1, Final::Done);
    field.may(2).expect("done 30 s ago, well since");
    field.beacon(1, at(-15), |_| ());
    assert!(
        matches!(field.may(2), Err(Reason::Soak { soaked: 1, gate: 2, .. })),
        "dated too early"
    );
    field.beacon(1, at(0), |health| health.height = None);
    field.plan.failures.tolerate = 1;
    assert!(matches!(field.may(2), Err(Reason::Soak { .. })), "not well");
}

#[test]
fn a_stopped_node_soaks_by_staying_down() {
    let mut field = two_waves(6, 20_000);
    field.plan.action = Action::Stop;
    field.plan.budget = crate::documents::plan::Budget::All;
    for node in [0, 1] {
        field.ended(node, Final::Done);
        field.beacon(node, at(0), |health| health.running = false);
    }
    field.may(2).expect("both are down, and that is well");
}

#[test]
fn a_node_that_is_bad_after_its_done_is_a_failure_for_as_long_as_it_is_bad() {
    let mut field = Field::well(4);
    field.ended(0, Final::Done);
    field.beacon(0, at(0), |health| health.running = false);
    assert_eq!(field.may(1), Err(Reason::Over { failures: 1, tolerated: 0 }));
    field.beacon(0, at(0), |_| ());
    field.may(1).expect("it is well again");
    field.beacon(0, at(-61), |_| ());
    assert_eq!(field.may(1).expect("silence is no failure").sum, Some(2), "and it counts as away");
}

#[test]
fn failures_of_the_own_wave_count_and_a_rollback_is_one() {
    let mut field = Field::well(4);
    field.ended(0, Final::RolledBack);
    assert_eq!(field.may(1), Err(Reason::Over { failures: 1, tolerated: 0 }));
}

#[test]
fn a_late_returner_takes_its_turn_under_the_same_rule() {
    let mut field = two_waves(7, 0);
    field.plan.waves[0].done = 1;
    field.ended(1, Final::Done);
    field.ended(2, Final::Done);
    field.said(3).began = Some(at(-5));
    field.beacon(3, at(0), |health| health.running = false);
    assert_eq!(field.may(0).expect("late, within budget").sum, Some(2));
    field.beacon(5, at(0), |health| health.running = false);
    assert!(matches!(field.may(0), Err(Reason::Budget { sum: 3, .. })));
}
