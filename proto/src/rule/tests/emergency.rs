//! Emergencies fail forward, and hold until they are ended.

use super::fixture::*;
use crate::documents::plan::{Action, Budget, Ends, Interrupted, Schedule};
use crate::documents::{Class, Plan};
use crate::rule::decision::{Answer, Observations, OwnChain, Serials};
use crate::rule::facts::Acknowledged;
use crate::rule::{Decision, Evidence, Final, Reason, Stage, Step};

/// A stop of `n0 … n(size-1)`, 5 s between two slots, beginning at noon.
pub(super) fn stop(size: usize, serial: u64) -> Plan {
    let schedule = Schedule { start: noon(), pace_ms: 5_000, grace_ms: 60_000 };
    Plan {
        class: Class::Emergency,
        action: Action::Stop,
        schedule: Some(schedule),
        budget: Budget::All,
        ..plan(size, serial)
    }
}

/// A start that ends the emergencies up to `ends`.
fn start(size: usize, serial: u64, ends: u64, interrupted: Interrupted) -> Plan {
    let ends = Some(Ends { emergency: ends, interrupted });
    Plan { action: Action::Start, ends, ..plan(size, serial) }
}

fn field(plan: Plan) -> Field {
    let mut field = Field::well(3);
    field.plan = plan;
    field
}

/// A host that reaches nobody and was restarted: no beacon, no board, no fresh timestamp.
fn alone(node: usize) -> Observations {
    let unasked = OwnChain::Unasked;
    Observations { own_chain: unasked, fresh_until: None, height: None, ..prepared(node) }
}

#[test]
fn by_its_slot_a_node_goes_though_nobody_can_be_reached() {
    let mut field = field(stop(3, 7));
    field.evidence = Evidence::default();
    for (node, slot) in [(0, 0), (1, 5), (2, 10)] {
        field.now = at(slot - 1);
        assert!(field.may_by(&alone(node)).is_err(), "node {node} before its slot");
        field.now = at(slot);
        let permit = field.may_by(&alone(node)).expect("its slot has come");
        assert_eq!(permit.sum, None, "nothing is counted");
    }
}

#[test]
fn evidence_that_those_before_it_are_down_makes_it_sooner() {
    let mut field = field(stop(3, 7));
    field.now = at(1);
    let waits = Reason::Slot { at: at(10), nodes: vec![name(0), name(1)] };
    assert_eq!(field.may(2), Err(waits));
    field.said(0).stopped = Some(at(0));
    field.said(1).began = Some(at(0));
    assert_eq!(field.may(2), Err(Reason::Slot { at: at(10), nodes: vec![name(1)] }));
    field.ended(1, Final::Declined);
    assert!(field.may(2).is_ok(), "who declined is not waited for");
}

#[test]
fn as_many_share_a_slot_as_go_in_parallel() {
    let mut field = field(Plan { parallel: 2, ..stop(3, 7) });
    field.now = at(0);
    assert!(field.may(0).is_ok() && field.may(1).is_ok());
    assert_eq!(field.may(2), Err(Reason::Slot { at: at(5), nodes: vec![name(0), name(1)] }));
    field.said(1).stopped = Some(at(0));
    assert!(field.may(2).is_ok(), "one of two is down");
}

#[test]
fn it_begins_within_its_validity_only() {
    let mut field = field(stop(3, 7));
    field.plan.valid.from = at(2);
    field.now = at(1);
    assert_eq!(field.may(0), Err(Reason::NotYetValid(at(2))));
    field.now = at(3600);
    assert_eq!(field.may(0), Err(Reason::Expired(at(3600))));
}

#[test]
fn neither_a_hold_nor_a_newer_promise_nor_a_step_in_hand_keeps_it_back() {
    let mut field = field(stop(3, 7));
    let newer = Plan { issued: at(-1), ..plan(3, 43) };
    field.said_of(0, &newer).acknowledged = Some(Acknowledged { at: at(-1), in_hand: None });
    field.knows(newer.clone());
    let held = super::super::decision::Held {
        by: "watcher".into(),
        reason: "lunch".into(),
        until: at(900),
    };
    let me = Observations { held: Some(held), in_hand: Some(id(&newer)), ..alone(0) };
    assert!(matches!(field.decide(&me), Decision::Do(Step::Begin(_))));
    let refuses = Observations { policy: Answer::Refuse { reason: "mine".into() }, ..me };
    assert_eq!(field.decide(&refuses), Decision::Do(Step::Decline("mine".into())));
}

#[test]
fn one_stop_does_not_wait_for_another() {
    let mut field = field(Plan { after: vec![6], ..stop(3, 7) });
    field.knows(stop(3, 5));
    let verified = Observations { stage: Stage::Verified, ..alone(0) };
    let promise = Step::Acknowledge { in_hand: None };
    assert_eq!(field.decide(&verified), Decision::Do(promise));
    assert!(field.may_by(&alone(0)).is_ok());
}

#[test]
fn who_holds_the_document_that_ends_it_ignores_it_in_whatever_order_they_came() {
    let mut field = field(stop(3, 7));
    field.knows(start(3, 43, 6, Interrupted::RollBack));
    assert!(field.may(0).is_ok(), "another emergency was ended");
    let drill = Plan { class: Class::Drill, ..start(3, 44, 7, Interrupted::RollBack) };
    field.knows(drill);
    assert!(field.may(0).is_ok(), "only the full threshold ends an emergency");
    field.knows(start(3, 45, 9, Interrupted::RollBack));
    assert_eq!(field.may(0), Err(Reason::Ended(7)));
    let verified = Observations { stage: Stage::Verified, ..prepared(0) };
    assert_eq!(field.decide(&verified), Decision::Wait(Reason::Ended(7)));
}

#[test]
fn an_end_is_remembered_when_its_document_has_left_the_boards() {
    let field = field(stop(3, 7));
    let me = Observations { ended: 7, ..prepared(0) };
    assert_eq!(field.may_by(&me), Err(Reason::Ended(7)));
}

#[test]
fn what_it_stopped_stays_down_until_a_plan_ends_it() {
    let emergency = stop(3, 7);
    for action in [Action::Start, Action::Restart] {
        let mut field = field(Plan { action, ..plan(3, 42) });
        field.said_of(0, &emergency).outcome = Some((Final::Done, at(-60)));
        let holds = Decision::Wait(Reason::Emergency(id(&emergency)));
        assert_eq!(field.decide(&prepared(0)), holds, "its document need not be known any more");
        field.plan.ends = Some(Ends { emergency: 7, interrupted: Interrupted::RollBack });
        assert_ne!(field.decide(&prepared(0)), holds);
        field.plan.ends = None;
        assert_ne!(field.decide(&Observations { ended: 7, ..prepared(0) }), holds);
    }
}

#[test]
fn who_declined_it_or_was_away_is_not_held() {
    let emergency = stop(3, 7);
    let mut field = field(plan(3, 42));
    field.said_of(0, &emergency).outcome = Some((Final::Declined, at(-60)));
    field.said_of(1, &emergency).acknowledged = Some(Acknowledged { at: at(-60), in_hand: None });
    for node in [0, 1] {
        assert!(!matches!(field.decide(&prepared(node)), Decision::Wait(Reason::Emergency(_))));
    }
}

/// Node 1 in the middle of plan 42 when emergency 7 stopped it.
fn stopped_in_the_middle() -> (Field, Observations) {
    let release = crate::documents::plan::ReleaseRef {
        version: "v2.4.4".into(),
        digest: crate::documents::Digest::of(b"release"),
    };
    let mut field = field(Plan { action: Action::Upgrade(release), ..plan(3, 42) });
    field.said(1).began = Some(at(-90));
    field.said_of(1, &stop(3, 7)).outcome = Some((Final::Done, at(-60)));
    let admitted = Serials { ordinary: 43, emergency: 7 };
    (field, Observations { stage: Stage::Swapped, interrupted: true, admitted, ..prepared(1) })
}

#[test]
fn a_step_in_hand_neither_commits_nor_undoes_while_the_emergency_holds() {
    let (field, me) = stopped_in_the_middle();
    for stage in [Stage::Begun, Stage::Stopped, Stage::Started, Stage::Passed] {
        for undoing in [false, true] {
            let me = Observations { stage, undoing, ..me.clone() };
            assert!(matches!(field.decide(&me), Decision::Wait(Reason::Emergency(_))));
        }
    }
}

#[test]
fn the_document_that_ends_it_says_which_node_starts_and_when() {
    for (interrupted, forward) in [(Interrupted::GoOn, true), (Interrupted::RollBack, false)] {
        let (mut field, me) = stopped_in_the_middle();
        let ending = Plan { issued: at(-5), ..start(3, 43, 7, interrupted) };
        field.knows(ending.clone());
        let turn = field.decide(&me);
        assert!(matches!(turn, Decision::Wait(Reason::Turn { .. })), "node 0 is first: {turn:?}");
        field.said_of(0, &ending).outcome = Some((Final::Done, at(-1)));
        match field.decide(&me) {
            Decision::Do(Step::Start) => assert!(forward),
            Decision::Undo(why) => assert!(!forward && why.code == "E335", "{why}"),
            other => panic!("{other:?}"),
        }
        let undoing = Observations { undoing: true, ..me };
        assert!(matches!(field.decide(&undoing), Decision::Undo(_)), "back stays back");
    }
}

#[test]
fn when_the_document_that_ended_it_is_forgotten_an_interrupted_upgrade_goes_back() {
    let (field, me) = stopped_in_the_middle();
    let me = Observations { ended: 7, ..me };
    assert!(matches!(field.decide(&me), Decision::Undo(why) if why.code == "E335"));
}

#[test]
fn an_interrupted_restart_has_nothing_to_go_back_to_and_goes_on() {
    let (mut field, me) = stopped_in_the_middle();
    field.plan.action = Action::Restart;
    let me = Observations { ended: 7, stage: Stage::Stopped, ..me };
    assert_eq!(field.decide(&me), Decision::Do(Step::Start));
}
