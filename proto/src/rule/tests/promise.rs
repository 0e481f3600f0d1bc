//! When a newer plan may be promised: never at the cost of a turn that is still to come.

use super::fixture::{Field, at, id, plan, prepared};
use crate::documents::Class;
use crate::rule::{Decision, Final, Observations, Reason, Stage, Step};

fn verified(node: usize) -> Observations {
    Observations { stage: Stage::Verified, ..prepared(node) }
}

fn promises() -> Decision {
    Decision::Do(Step::Acknowledge { in_hand: None })
}

#[test]
fn an_emergency_is_promised_at_once_although_an_older_hotfix_still_has_a_turn_to_give() {
    let mut field = Field::well(3);
    field.plan.class = Class::Emergency;
    let hotfix = plan(3, 41);
    field.knows(hotfix.clone());
    assert_eq!(field.decide(&verified(0)), promises());

    field.said_of(1, &hotfix).began = Some(at(-5));
    let at_work = Observations { in_hand: Some(id(&hotfix)), ..verified(1) };
    let promise = Step::Acknowledge { in_hand: Some(id(&hotfix)) };
    assert_eq!(field.decide(&at_work), Decision::Do(promise), "and names what is in hand");
}

#[test]
fn an_older_emergency_gives_its_turns_before_a_hotfix_is_promised() {
    let mut field = Field::well(3);
    let mut stop = plan(3, 7);
    stop.class = Class::Emergency;
    field.knows(stop.clone());
    assert_eq!(field.decide(&verified(0)), Decision::Wait(Reason::After(7)));
    field.said_of(0, &stop).outcome = Some((Final::Declined, at(-5)));
    assert_eq!(field.decide(&verified(0)), promises());
    field.said_of(0, &stop).outcome = Some((Final::Done, at(-5)));
    assert_eq!(field.decide(&verified(0)), Decision::Wait(Reason::Emergency(id(&stop))));
}

#[test]
fn meeting_the_last_gate_of_an_older_plan_costs_nobody_his_turn() {
    let mut field = Field::well(3);
    let mut older = plan(3, 41);
    older.waves[0].done = 1;
    field.plan.after = vec![41];
    field.knows(older.clone());
    field.said_of(0, &older).outcome = Some((Final::Done, at(-5)));
    field.may(0).expect("41 has met its last gate, so 42 may begin");
    assert_eq!(field.decide(&verified(0)), promises());
    let waits = Decision::Wait(Reason::After(41));
    assert_eq!(field.decide(&verified(1)), waits, "beyond the gate its turn is still to come");
    field.said_of(1, &older).outcome = Some((Final::Declined, at(-4)));
    assert_eq!(field.decide(&verified(1)), promises());
    assert_eq!(field.decide(&verified(2)), waits);
}

#[test]
fn a_node_that_is_bad_for_a_while_after_its_done_makes_nobody_promise_past_an_open_plan() {
    let mut field = Field::well(3);
    field.ended(0, Final::Done);
    field.beacon(0, at(0), |health| health.running = false);
    let closed = Err(Reason::Over { failures: 1, tolerated: 0 });
    assert_eq!(field.may(1), closed, "42 is closed for as long as n0 is bad");

    let older = std::mem::replace(&mut field.plan, plan(3, 43));
    field.knows(older.clone());
    assert_eq!(field.decide(&verified(1)), Decision::Wait(Reason::After(42)));
    field.said_of(0, &older).failed = Some(at(-1));
    assert_eq!(field.decide(&verified(1)), promises(), "what is signed closes it for good");
}
