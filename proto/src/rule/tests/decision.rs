//! The decision of one node at every stage.

use super::fixture::{Field, at, prepared};
use crate::documents::Digest;
use crate::documents::plan::{Action, ReleaseRef};
use crate::rule::decision::{Answer, Test};
use crate::rule::{Decision, Final, Observations, Reason, Stage, Step, Why};

fn staged(stage: Stage) -> Observations {
    Observations { stage, ..prepared(0) }
}

fn why() -> Why {
    Why { code: "E317", text: "height did not advance".into() }
}

fn upgrade() -> Action {
    Action::Upgrade(ReleaseRef { version: "v2".into(), digest: Digest::of(b"v2") })
}

/// The stages an action passes through and the step that leads on from each.
fn path(action: &Action) -> Vec<(Stage, Step)> {
    let begun = match action {
        Action::Start => Step::Start,
        _ => Step::Stop,
    };
    let stopped = match action {
        Action::Stop => Step::Commit,
        Action::Upgrade(_) => Step::Swap,
        _ => Step::Start,
    };
    let mut path =
        vec![(Stage::Begun, begun), (Stage::Stopped, stopped), (Stage::Started, Step::Test)];
    match action {
        Action::Stop => path.truncate(2),
        Action::Start => _ = path.remove(1),
        Action::Restart => (),
        Action::Upgrade(_) => path.insert(2, (Stage::Swapped, Step::Start)),
    }
    path
}

#[test]
fn each_action_passes_through_its_stages() {
    for action in [Action::Stop, Action::Start, Action::Restart, upgrade()] {
        let mut field = Field::well(3);
        field.plan.action = action.clone();
        for (stage, step) in path(&action) {
            assert_eq!(
                field.decide(&staged(stage)),
                Decision::Do(step),
                "{} at {stage:?}",
                action.word()
            );
        }
        assert_eq!(field.decide(&staged(Stage::Passed)), Decision::Do(Step::Commit));
        let over = Stage::Over(Final::Done);
        assert_eq!(field.decide(&staged(over)), Decision::Finished(Final::Done));
    }
}

#[test]
fn who_has_begun_finishes_whatever_becomes_of_the_plan() {
    let mut field = Field::well(3);
    field.plan.valid.until = at(-1);
    field.said(1).failed = Some(at(-1));
    field.roster.nodes.clear();
    assert_eq!(field.decide(&staged(Stage::Begun)), Decision::Do(Step::Stop));
    assert_eq!(field.decide(&staged(Stage::Stopped)), Decision::Do(Step::Start));
}

#[test]
fn a_test_that_passes_commits_and_one_that_cannot_tell_waits() {
    let field = Field::well(3);
    let tested = |test| field.decide(&Observations { test, ..staged(Stage::Started) });
    assert_eq!(tested(Test::Pass), Decision::Do(Step::Commit));
    assert_eq!(tested(Test::Unknown), Decision::Do(Step::Test));
    assert!(matches!(tested(Test::Holding), Decision::Wait(Reason::Test(_))));
    assert!(matches!(tested(Test::NotYet(why())), Decision::Wait(Reason::Test(_))));
    assert!(matches!(tested(Test::CannotTell(why())), Decision::Wait(Reason::CannotTell(_))));
}

#[test]
fn a_failed_upgrade_is_undone_and_a_failed_restart_waits_for_people() {
    let mut field = Field::well(3);
    let failed = Observations { test: Test::Fail(why()), ..staged(Stage::Started) };
    assert_eq!(field.decide(&failed), Decision::Stuck(why()));
    field.plan.action = upgrade();
    assert_eq!(field.decide(&failed), Decision::Undo(why()));
    let step = Observations { failed: Some(why()), ..staged(Stage::Stopped) };
    assert_eq!(field.decide(&step), Decision::Undo(why()));
}

#[test]
fn an_undo_under_way_goes_on_and_nothing_forward_follows() {
    let mut field = Field::well(3);
    field.plan.action = upgrade();
    for stage in [Stage::Acknowledged, Stage::Prepared, Stage::Swapped, Stage::Started] {
        let me =
            Observations { undoing: true, failed: Some(why()), test: Test::Pass, ..staged(stage) };
        assert_eq!(field.decide(&me), Decision::Undo(why()), "{stage:?}");
    }
}

#[test]
fn a_preparation_that_failed_is_taken_back() {
    let field = Field::well(3);
    let me = Observations { failed: Some(why()), ..staged(Stage::Acknowledged) };
    assert_eq!(field.decide(&me), Decision::Undo(why()));
}

#[test]
fn the_operator_is_asked_once_and_then_waited_for() {
    let field = Field::well(3);
    let asked =
        |since| Observations { policy: Answer::Ask { since }, ..staged(Stage::Acknowledged) };
    assert_eq!(field.decide(&asked(None)), Decision::Do(Step::Ask));
    assert_eq!(field.decide(&asked(Some(at(-9)))), Decision::Wait(Reason::Operator));
    assert_eq!(field.decide(&staged(Stage::Acknowledged)), Decision::Do(Step::Prepare));
}

#[test]
fn a_refusal_is_said_after_the_promise_and_until_the_node_has_begun() {
    let mut field = Field::well(3);
    let refuse = |stage| Observations {
        policy: Answer::Refuse { reason: "pinned".into() },
        ..staged(stage)
    };
    field.said(0).acknowledged = None;
    let promise = Decision::Do(Step::Acknowledge { in_hand: None });
    assert_eq!(field.decide(&refuse(Stage::Verified)), promise);
    for stage in [Stage::Acknowledged, Stage::Prepared] {
        assert_eq!(field.decide(&refuse(stage)), Decision::Do(Step::Decline("pinned".into())));
    }
    assert_eq!(field.decide(&refuse(Stage::Begun)), Decision::Do(Step::Stop));
}

#[test]
fn who_has_no_place_promises_and_has_no_part() {
    let mut field = Field::well(3);
    field.plan.waves[0].nodes.remove(0);
    field.plan.waves[0].done = 2;
    field.said(0).acknowledged = None;
    let promise = Decision::Do(Step::Acknowledge { in_hand: None });
    assert_eq!(field.decide(&staged(Stage::Verified)), promise);
    assert_eq!(field.decide(&staged(Stage::Acknowledged)), Decision::Wait(Reason::NoPart));
    assert_eq!(field.may(0), Err(Reason::NoPart));
}

#[test]
fn permission_is_asked_anew_each_time() {
    let mut field = Field::well(3);
    assert!(matches!(field.decide(&staged(Stage::Prepared)), Decision::Do(Step::Begin(_))));
    field.said(2).failed = Some(at(0));
    assert!(matches!(field.decide(&staged(Stage::Prepared)), Decision::Wait(Reason::Over { .. })));
}
