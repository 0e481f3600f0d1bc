//! Validity, freshness, serials, and plans among each other.

use super::fixture::{Field, at, id, name, plan, prepared};
use crate::documents::Class;
use crate::documents::ids::Counter;
use crate::rule::decision::{Held, OwnChain, Serials};
use crate::rule::facts::Acknowledged;
use crate::rule::{Decision, Final, Observations, Reason, Stage, Step};

fn verified(node: usize) -> Observations {
    Observations { stage: Stage::Verified, ..prepared(node) }
}

#[test]
fn nobody_begins_before_or_after_the_validity() {
    let mut field = Field::well(3);
    field.plan.valid.from = at(1);
    assert_eq!(field.may(0), Err(Reason::NotYetValid(at(1))));
    field.plan.valid.from = at(-600);
    field.plan.valid.until = at(0);
    assert_eq!(field.may(0), Err(Reason::Expired(at(0))));
}

#[test]
fn nobody_begins_without_a_fresh_timestamp() {
    let field = Field::well(3);
    let stale = Observations { fresh_until: Some(at(0)), ..prepared(0) };
    assert_eq!(field.may_by(&stale), Err(Reason::NotFresh(Some(at(0)))));
    let none = Observations { fresh_until: None, ..prepared(0) };
    assert_eq!(field.may_by(&none), Err(Reason::NotFresh(None)));
}

#[test]
fn nobody_begins_who_lacks_a_serial_that_a_receipt_or_a_beacon_names() {
    let newer = plan(3, 43);
    let waits = Err(Reason::UnknownSerial { node: name(2), plan: id(&newer) });
    let mut by_receipt = Field::well(3);
    by_receipt.said_of(2, &newer).acknowledged = Some(Acknowledged { at: at(-1), in_hand: None });
    assert_eq!(by_receipt.may(0), waits);

    let mut by_beacon = Field::well(3);
    let beacon = by_beacon.facts(2).beacon.as_mut().expect("a beacon");
    beacon.newest.insert(Counter::Ordinary, id(&newer));
    assert_eq!(by_beacon.may(0), waits);
    by_beacon.knows(newer);
    by_beacon.may(0).expect("the serial is known now");
}

#[test]
fn a_serial_that_no_ledger_would_admit_makes_nobody_wait() {
    let mut field = Field::well(3);
    let absurd = plan(3, 42 + 1_001);
    field.facts(2).beacon.as_mut().expect("a beacon").newest.insert(Counter::Ordinary, id(&absurd));
    field.may(0).expect("the ledger's cap holds here too");
}

#[test]
fn a_hold_makes_wait_until_it_ends_by_itself() {
    let field = Field::well(3);
    let held = |until| Held { by: "dora".into(), reason: "look first".into(), until };
    let me = Observations { held: Some(held(at(10))), ..prepared(0) };
    assert!(matches!(field.may_by(&me), Err(Reason::Held { .. })));
    let me = Observations { held: Some(held(at(0))), ..prepared(0) };
    field.may_by(&me).expect("it has ended");
}

#[test]
fn nobody_begins_before_a_board_told_what_it_holds_of_the_own_chain() {
    let field = Field::well(3);
    let me = Observations { own_chain: OwnChain::Unasked, ..prepared(0) };
    assert_eq!(field.may_by(&me), Err(Reason::OwnChainUnasked));
    let me = Observations { own_chain: OwnChain::Ahead, ..prepared(0) };
    assert!(matches!(field.decide(&me), Decision::Stuck(why) if why.code == "E560"));
}

#[test]
fn not_even_a_promise_is_signed_before_a_board_told_what_it_holds_of_the_own_chain() {
    let mut field = Field::well(3);
    field.said(0).acknowledged = None;
    let me = |own_chain| Observations { own_chain, ..verified(0) };
    let promise = field.decide(&me(OwnChain::Agrees));
    assert!(matches!(promise, Decision::Do(Step::Acknowledge { .. })), "{promise:?}");
    let unasked = field.decide(&me(OwnChain::Unasked));
    assert_eq!(unasked, Decision::Wait(Reason::OwnChainUnasked));
    let ahead = field.decide(&me(OwnChain::Ahead));
    assert!(matches!(&ahead, Decision::Stuck(why) if why.code == "E560"), "{ahead:?}");
}

#[test]
fn a_clock_that_is_off_begins_nothing() {
    let mut field = Field::well(3);
    field.beacon(0, at(0), |health| health.clock_off = true);
    assert_eq!(field.may(0), Err(Reason::Clock));
}

#[test]
fn a_plan_that_is_superseded_is_over() {
    let mut field = Field::well(3);
    let mut newer = plan(3, 43);
    newer.supersedes = vec![42];
    field.knows(newer.clone());
    assert_eq!(field.may(0), Err(Reason::Superseded(id(&newer))));
}

#[test]
fn after_is_met_when_the_earlier_plans_last_gate_is_met() {
    let mut field = Field::well(3);
    field.plan.after = vec![41];
    assert_eq!(field.may(0), Err(Reason::After(41)), "an unknown plan is not over");
    let earlier = plan(3, 41);
    field.knows(earlier.clone());
    assert_eq!(field.may(0), Err(Reason::After(41)));
    for node in 0..3 {
        field.said_of(node, &earlier).outcome = Some((Final::Done, at(-100)));
    }
    field.may(0).expect("41 is complete");
}

#[test]
fn what_supersedes_is_promised_at_once_with_what_is_in_hand() {
    let mut field = Field::well(3);
    let older = plan(3, 41);
    field.plan.supersedes = vec![41];
    field.said_of(0, &older).began = Some(at(-5));
    field.knows(older.clone());
    let me = Observations { in_hand: Some(id(&older)), ..verified(0) };
    let promise = Step::Acknowledge { in_hand: Some(id(&older)) };
    assert_eq!(field.decide(&me), Decision::Do(promise));
}

#[test]
fn what_comes_after_is_promised_when_the_own_part_is_final_or_the_earlier_plan_is_over() {
    let mut field = Field::well(3);
    let older = plan(3, 41);
    field.plan.after = vec![41];
    field.knows(older.clone());
    assert_eq!(
        field.decide(&verified(0)),
        Decision::Wait(Reason::After(41)),
        "its turn is still to come"
    );
    field.said_of(0, &older).outcome = Some((Final::Done, at(-5)));
    assert_eq!(field.decide(&verified(0)), Decision::Do(Step::Acknowledge { in_hand: None }));
    assert_eq!(field.decide(&verified(1)), Decision::Wait(Reason::After(41)));
    field.said_of(2, &older).failed = Some(at(-5));
    assert_eq!(
        field.decide(&verified(1)),
        Decision::Do(Step::Acknowledge { in_hand: None }),
        "41 is over by failure, so the promise costs no turn"
    );
}

#[test]
fn an_older_open_plan_that_is_not_named_is_waited_for_all_the_same() {
    let mut field = Field::well(3);
    field.knows(plan(3, 41));
    assert_eq!(field.decide(&verified(0)), Decision::Wait(Reason::After(41)));
}

#[test]
fn after_a_promise_nothing_older_is_begun() {
    let mut field = Field::well(3);
    let newer = plan(3, 43);
    field.said_of(0, &newer).acknowledged = Some(Acknowledged { at: at(-1), in_hand: None });
    field.knows(newer.clone());
    assert_eq!(field.may(0), Err(Reason::Promised(id(&newer))));
}

#[test]
fn a_plan_that_was_admitted_and_has_left_the_boards_is_no_unknown_serial() {
    let mut field = Field::well(3);
    let mut stop = plan(3, 7);
    stop.class = Class::Emergency;
    field.said_of(1, &stop).outcome = Some((Final::Declined, at(-500)));
    assert!(matches!(field.may(0), Err(Reason::UnknownSerial { .. })));
    let admitted = Serials { ordinary: 42, emergency: 7 };
    field.may_by(&Observations { admitted, ..prepared(0) }).expect("its ledger has it");
}

#[test]
fn the_order_of_plans_spans_both_counters_by_their_dates() {
    let mut field = Field::well(3);
    let mut stop = plan(3, 7);
    stop.class = Class::Emergency;
    stop.issued = at(-1);
    field.said_of(0, &stop).acknowledged = Some(Acknowledged { at: at(0), in_hand: None });
    field.knows(stop.clone());
    assert_eq!(
        field.may(0),
        Err(Reason::Promised(id(&stop))),
        "emergency/7 is newer than hotfix/42"
    );
}
