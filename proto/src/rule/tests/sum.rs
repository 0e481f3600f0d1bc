//! The sum: A, B, C, groups, roster, and what is not counted.

use super::fixture::{Field, at, id, name, plan};
use crate::documents::plan::{Action, Budget, Unmanaged};
use crate::rule::facts::Acknowledged;
use crate::rule::{Final, Reason};

fn sum(field: &Field, node: usize) -> u32 {
    field.may(node).expect("it may begin").sum.expect("it is counted")
}

fn refused_with(field: &Field, node: usize) -> (u32, Vec<String>) {
    match field.may(node) {
        Err(Reason::Budget { sum, nodes, .. }) => {
            (sum, nodes.iter().map(|n| n.to_string()).collect())
        }
        other => panic!("expected a budget refusal, found {other:?}"),
    }
}

#[test]
fn the_first_of_a_fleet_that_is_well_counts_itself_only() {
    assert_eq!(sum(&Field::well(7), 0), 1);
}

#[test]
fn a_predecessor_without_a_final_receipt_counts_although_it_is_absent_and_well_by_its_last_word() {
    let mut field = Field::well(7);
    field.beacon(0, at(-61), |_| ());
    field.plan.beacon.stale_ms = 3_600_000;
    assert_eq!(sum(&field, 1), 2);
}

#[test]
fn every_final_receipt_frees_the_seat() {
    for outcome in [Final::Done, Final::RolledBack, Final::Declined] {
        let mut field = Field::well(7);
        field.plan.failures.tolerate = 1;
        field.ended(0, outcome);
        assert_eq!(sum(&field, 1), 1, "{outcome:?}");
    }
}

#[test]
fn a_final_receipt_of_another_plan_frees_nothing() {
    let mut field = Field::well(7);
    field.plan.parallel = 7;
    let other = plan(7, 41);
    field.said_of(0, &other).outcome = Some((Final::Done, at(-100)));
    field.knows(other);
    assert_eq!(sum(&field, 1), 2);
}

#[test]
fn everybody_whose_beacon_is_stale_missing_or_bad_counts_once() {
    let mut field = Field::well(7);
    field.plan.budget = Budget::Seats(7);
    field.beacon(3, at(-11), |_| ());
    field.facts(4).beacon = None;
    field.beacon(5, at(0), |health| health.running = false);
    assert_eq!(sum(&field, 0), 4);
}

#[test]
fn bad_is_paused_standing_by_a_clock_that_is_off_silent_about_its_height_or_dated_in_the_future() {
    for index in 0..5 {
        let mut field = Field::well(7);
        let date = if index == 4 { at(6) } else { at(0) };
        field.beacon(3, date, |health| match index {
            0 => health.paused = true,
            1 => health.standing_by = true,
            2 => health.clock_off = true,
            3 => health.height = None,
            _ => (),
        });
        assert_eq!(sum(&field, 0), 2, "case {index}");
    }
}

#[test]
fn a_node_is_behind_only_when_it_lagged_for_longer_than_hold() {
    let mut field = Field::well(5);
    let behind = |field: &mut Field, since: i64| {
        for node in 0..5 {
            field.facts(node).recent.clear();
        }
        for second in (since..=0).step_by(10) {
            for node in 0..5 {
                let height = if node == 3 && second > since { 900 } else { 1_000 };
                field.beacon(node, at(second), |health| health.height = Some(height));
            }
        }
    };
    behind(&mut field, -100);
    assert_eq!(sum(&field, 0), 1, "lags for 90 s, hold is 120 s");
    behind(&mut field, -200);
    assert_eq!(sum(&field, 0), 2, "lags for 190 s");
}

#[test]
fn a_height_that_stands_still_with_everybodys_is_not_bad() {
    let mut field = Field::well(5);
    for second in (-300..=0).step_by(10) {
        for node in 0..5 {
            field.beacon(node, at(second), |_| ());
        }
    }
    assert_eq!(sum(&field, 0), 1);
}

#[test]
fn who_has_not_promised_counts_also_behind_in_the_order() {
    let mut field = Field::well(7);
    field.said(6).acknowledged = None;
    assert_eq!(sum(&field, 0), 2);
}

#[test]
fn a_promise_with_something_in_hand_counts_until_that_is_final() {
    let mut field = Field::well(7);
    let older = plan(7, 41);
    field.said(6).acknowledged = Some(Acknowledged { at: at(-50), in_hand: Some(id(&older)) });
    field.said_of(6, &older).began = Some(at(-100));
    field.knows(older.clone());
    assert_eq!(sum(&field, 0), 2);
    field.said_of(6, &older).outcome = Some((Final::RolledBack, at(-10)));
    assert_eq!(sum(&field, 0), 1);
}

#[test]
fn past_the_budget_nobody_begins_and_the_reason_names_who_counts() {
    let mut field = Field::well(7);
    field.beacon(5, at(0), |health| health.running = false);
    field.said(6).acknowledged = None;
    assert_eq!(refused_with(&field, 0), (3, vec!["n5".into(), "n6".into()]));
}

#[test]
fn a_group_has_one_seat_and_is_there_while_one_of_it_is() {
    let mut field = Field::well(7);
    for node in [5, 6] {
        field.plan.members[node].seat = Some("twins".into());
    }
    field.beacon(6, at(0), |health| health.standing_by = true);
    assert_eq!(sum(&field, 0), 1, "the other one holds the seat");
    field.beacon(5, at(0), |health| health.running = false);
    assert_eq!(sum(&field, 0), 2, "both are away: one seat");
}

#[test]
fn nodes_without_an_agent_are_away_unless_the_officers_assume_otherwise() {
    let mut field = Field::well(7);
    field.plan.members[6].key = None;
    field.roster.nodes[6].key = None;
    assert_eq!(sum(&field, 0), 2);
    field.plan.unmanaged = Unmanaged::Witness;
    assert_eq!(sum(&field, 0), 2);
    field.plan.unmanaged = Unmanaged::AssumeUp;
    assert_eq!(sum(&field, 0), 1);
}

#[test]
fn a_newer_roster_can_only_take_away() {
    let mut field = Field::well(7);
    field.roster.nodes[6].key = field.roster.nodes[5].key;
    assert_eq!(sum(&field, 0), 2, "another key: away");
    field.roster.nodes.remove(6);
    assert_eq!(sum(&field, 0), 2, "not listed: away");
    assert_eq!(field.may(6), Err(Reason::NotListed));
}

#[test]
fn who_is_quarantined_is_away() {
    let mut field = Field::well(7);
    field.facts(6).quarantined = true;
    assert_eq!(sum(&field, 0), 2);
}

#[test]
fn nothing_is_counted_when_officers_say_all_when_it_only_gives_or_when_the_node_is_down_itself() {
    let broken = |field: &mut Field| {
        for node in 1..7 {
            field.beacon(node, at(0), |health| health.running = false);
        }
    };
    let mut all = Field::well(7);
    broken(&mut all);
    all.plan.budget = Budget::All;
    assert_eq!(all.may(0).expect("all").sum, None);

    let mut gives = Field::well(7);
    broken(&mut gives);
    gives.plan.action = Action::Start;
    assert_eq!(gives.may(0).expect("only gives").sum, None);

    let mut down = Field::well(7);
    broken(&mut down);
    down.beacon(0, at(0), |health| health.running = false);
    assert_eq!(down.may(0).expect("itself away").sum, None);
    assert!(matches!(down.may(1), Err(Reason::Turn { .. })), "pace holds all the same");
}

#[test]
fn a_node_without_a_seat_takes_nothing_away() {
    let mut field = Field::well(7);
    field.plan.members[0].seat = None;
    field.plan.budget = Budget::Seats(0);
    assert_eq!(field.may(0).expect("no seat").sum, None);
}

#[test]
fn the_permit_names_the_heads_of_the_chains_it_relied_on() {
    let mut field = Field::well(3);
    let head = crate::evidence::Head { counter: 4, hash: crate::documents::Digest::of(b"x") };
    field.facts(2).head = Some(head.clone());
    let permit = field.may(0).expect("it may begin");
    assert_eq!(permit.heads.into_iter().collect::<Vec<_>>(), [(name(2), head)]);
}
