//! An abort: who has not begun never begins, who is in the middle finishes or undoes.

use super::fixture::*;
use crate::documents::plan::{Action, Ends, Interrupted, ReleaseRef};
use crate::documents::{Abort, Digest, Plan};
use crate::rule::decision::{Held, Observations, Serials, Stage, Step, Test};
use crate::rule::reason::Why;
use crate::rule::{Decision, Final, Reason};

fn upgrade(size: usize) -> Plan {
    let release = ReleaseRef { version: "v2.4.4".into(), digest: Digest::of(b"release") };
    Plan { action: Action::Upgrade(release), ..plan(size, 42) }
}

fn abort_of(plan: &Plan) -> Abort {
    Abort::of(&id(plan), plan, at(-1), "the canary lost its peers")
}

fn aborted(plan: Plan) -> Field {
    let mut field = Field { plan, ..Field::well(3) };
    let abort = abort_of(&field.plan);
    (0..3).for_each(|node| {
        field.said(node).acknowledged =
            Some(crate::rule::facts::Acknowledged { at: at(-60), in_hand: None });
    });
    field.aborts.insert(abort.plan.clone(), abort);
    field
}

fn reason() -> Reason {
    Reason::Aborted("the canary lost its peers".into())
}

#[test]
fn nobody_begins_promises_or_prepares_an_aborted_plan() {
    for plan in [upgrade(3), plan(3, 42)] {
        let field = aborted(plan);
        assert_eq!(field.may(0), Err(reason()));
        for stage in [Stage::Verified, Stage::Acknowledged, Stage::Prepared] {
            let me = Observations { stage, ..prepared(0) };
            assert_eq!(field.decide(&me), Decision::Wait(reason()), "{stage:?}");
        }
    }
}

#[test]
fn an_upgrade_in_the_middle_goes_back_at_every_stage_until_it_has_passed() {
    let field = aborted(upgrade(3));
    let middle = [Stage::Begun, Stage::Stopped, Stage::Swapped, Stage::Started];
    for stage in middle {
        for test in [Test::Unknown, Test::Holding, Test::Pass] {
            let me = Observations { stage, test, ..prepared(0) };
            let decision = field.decide(&me);
            assert!(
                matches!(&decision, Decision::Undo(why) if why.code == "E337"),
                "{stage:?}: {decision:?}"
            );
        }
    }
    let passed = Observations { stage: Stage::Passed, ..prepared(0) };
    assert_eq!(field.decide(&passed), Decision::Do(Step::Commit));
    let over = Observations { stage: Stage::Over(Final::Done), ..prepared(0) };
    assert_eq!(field.decide(&over), Decision::Finished(Final::Done));
}

#[test]
fn going_back_needs_nobody_else() {
    // No board, no beacon, no fresh timestamp, a hold: all of that only keeps from beginning.
    let mut field = aborted(upgrade(3));
    field.evidence = crate::rule::Evidence::default();
    let held = Held { by: "dora".into(), reason: "look".into(), until: at(600) };
    let me = Observations {
        stage: Stage::Started,
        held: Some(held),
        fresh_until: None,
        own_chain: crate::rule::decision::OwnChain::Unasked,
        ..prepared(0)
    };
    assert!(matches!(field.decide(&me), Decision::Undo(why) if why.code == "E337"));
}

#[test]
fn what_has_no_way_back_finishes() {
    let begun = |action, stage| {
        let field = aborted(Plan { action, ..plan(3, 42) });
        field.decide(&Observations { stage, ..prepared(0) })
    };
    assert_eq!(begun(Action::Stop, Stage::Stopped), Decision::Do(Step::Commit));
    assert_eq!(begun(Action::Restart, Stage::Stopped), Decision::Do(Step::Start));
    assert_eq!(begun(Action::Start, Stage::Begun), Decision::Do(Step::Start));
    let field = aborted(plan(3, 42));
    let why = Why { code: "E316", text: "it exited".into() };
    let me = Observations { stage: Stage::Started, test: Test::Fail(why.clone()), ..prepared(0) };
    assert_eq!(field.decide(&me), Decision::Stuck(why), "as without an abort");
}

#[test]
fn an_abort_ends_that_very_plan_and_no_other() {
    let mut field = Field::well(3);
    let other = Plan { serial: 41, ..plan(3, 41) };
    field.aborts.insert(id(&other), abort_of(&other));
    field.may(0).expect("its own plan is not aborted");
}

#[test]
fn a_newer_plan_does_not_wait_for_an_aborted_one() {
    let older = plan(3, 41);
    let mut field = Field::well(3);
    field.said(0).acknowledged = None;
    field.knows(older.clone());
    let me = Observations { stage: Stage::Verified, ..prepared(0) };
    assert_eq!(field.decide(&me), Decision::Wait(Reason::After(41)));
    field.aborts.insert(id(&older), abort_of(&older));
    assert!(matches!(field.decide(&me), Decision::Do(Step::Acknowledge { .. })));
}

#[test]
fn an_emergency_that_was_not_yet_obeyed_can_be_aborted() {
    let stop = super::emergency::stop(3, 7);
    let mut field = Field { plan: stop, ..Field::well(3) };
    field.may(0).expect("its slot has come");
    let abort = abort_of(&field.plan);
    field.aborts.insert(abort.plan.clone(), abort);
    assert_eq!(field.may(0), Err(reason()));
}

#[test]
fn what_an_emergency_interrupted_goes_back_when_its_plan_is_aborted_whatever_ends_the_stop() {
    let mut field = aborted(upgrade(3));
    let ends = Some(Ends { emergency: 7, interrupted: Interrupted::GoOn });
    let ending = Plan { action: Action::Start, ends, issued: at(-5), ..plan(3, 43) };
    field.said(0).began = Some(at(-90));
    field.said_of(0, &super::emergency::stop(3, 7)).outcome = Some((Final::Done, at(-60)));
    field.knows(ending);
    let admitted = Serials { ordinary: 43, emergency: 7 };
    let me = Observations { stage: Stage::Stopped, interrupted: true, admitted, ..prepared(0) };
    assert!(matches!(field.decide(&me), Decision::Undo(why) if why.code == "E335"));
}
