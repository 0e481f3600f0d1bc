//! What a node does next: the rule, its own progress, and its operator's word, joined.

use jiff::Timestamp;

use super::decision::{Answer, Decision, Observations, OwnChain, Permit, Stage, Step, Test};
use super::emergency;
use super::facts::{Documents, Evidence};
use super::permission::permission;
use super::plans::over;
use super::promise::{self, Promises};
use super::reason::{Reason, Why};
use super::sight::Sight;
use crate::documents::plan::{Action, Interrupted};
use crate::documents::{Abort, Class, PlanId};

/// The rule's signature, so that tests can run the decision with a broken one.
pub type Rule = fn(&Documents<'_>, &Evidence, &Observations, Timestamp) -> Result<Permit, Reason>;

/// Code of a node that is stuck because its journal is older than what a board holds of it.
pub const RESTORED: &str = "E560";

/// Code of an upgrade that goes back because its plan was aborted.
pub const ABORTED: &str = "E337";

/// What `me` does next about the plan.
pub fn decide(
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Decision {
    decide_with(permission, documents, evidence, me, now)
}

/// [`decide`] with another rule in place of [`permission`].
pub fn decide_with(
    rule: Rule,
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Decision {
    if let Stage::Over(outcome) = me.stage {
        return Decision::Finished(outcome);
    }
    if let Some(emergency) = emergency::holds(documents, evidence, me) {
        return Decision::Wait(Reason::Emergency(emergency.clone()));
    }
    match me.stage {
        _ if me.interrupted => interrupted(rule, documents, evidence, me, now),
        stage if stage >= Stage::Begun => at_work(documents, me),
        _ if me.undoing || me.failed.is_some() => back(me),
        _ => told(documents, me, before_work(rule, documents, evidence, me, now)),
    }
}

/// Nothing at all is signed before a board has said what it holds of this agent's own chain: after
/// a restore from a backup even a promise would be a second receipt with its counter. A stop that
/// was delivered waits for no board.
fn told(documents: &Documents<'_>, me: &Observations, next: Decision) -> Decision {
    match next {
        Decision::Do(_)
            if me.own_chain == OwnChain::Unasked && documents.plan.schedule.is_none() =>
        {
            Decision::Wait(Reason::OwnChainUnasked)
        }
        next => next,
    }
}

/// Begun: it finishes or undoes, whatever has become of the plan. What happens here needs nobody
/// else: neither a board nor another node.
fn at_work(documents: &Documents<'_>, me: &Observations) -> Decision {
    if me.undoing {
        return back(me);
    }
    let action = &documents.plan.action;
    if let Some(abort) = documents.abort().filter(|_| has_a_way_back(action, me.stage)) {
        return Decision::Undo(aborted(abort));
    }
    if let Some(why) = &me.failed {
        return cannot_go_on(action, why);
    }
    match (action, me.stage) {
        (Action::Start, Stage::Begun) => Decision::Do(Step::Start),
        (_, Stage::Begun) => Decision::Do(Step::Stop),
        (Action::Stop, Stage::Stopped) => Decision::Do(Step::Commit),
        (Action::Upgrade(_), Stage::Stopped) => Decision::Do(Step::Swap),
        (_, Stage::Stopped | Stage::Swapped) => Decision::Do(Step::Start),
        (_, Stage::Started) => tested(action, &me.test),
        _ => Decision::Do(Step::Commit),
    }
}

/// A stop came in the middle, and is ended: forward or back, as the ending document says, when
/// its order lets this node start. What has been forgotten meanwhile goes back.
fn interrupted(
    rule: Rule,
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Decision {
    let ending = emergency::ending(documents, evidence, me);
    if let Some((id, plan)) = ending {
        let free = Observations { in_hand: None, stage: Stage::Prepared, ..me.clone() };
        let ending = Documents { id, plan, ..*documents };
        if let Err(reason) = rule(&ending, evidence, &free, now) {
            return Decision::Wait(reason);
        }
    }
    let ends = ending.and_then(|(_, plan)| plan.ended_emergencies());
    let go_on = ends.is_some_and(|ends| ends.interrupted == Interrupted::GoOn)
        && documents.abort().is_none();
    match &documents.plan.action {
        _ if me.undoing => back(me),
        // Only an upgrade has another node to go back to.
        Action::Upgrade(_) if !go_on => Decision::Undo(Why {
            code: "E335",
            text: "an emergency stopped it in the middle of this step".into(),
        }),
        _ => at_work(documents, me),
    }
}

fn tested(action: &Action, test: &Test) -> Decision {
    match test {
        Test::Unknown => Decision::Do(Step::Test),
        Test::Holding => Decision::Wait(Reason::Test("self-test: well so far".into())),
        Test::NotYet(why) => Decision::Wait(Reason::Test(why.text.clone())),
        Test::CannotTell(why) => Decision::Wait(Reason::CannotTell(why.text.clone())),
        Test::Pass => Decision::Do(Step::Commit),
        Test::Fail(why) => cannot_go_on(action, why),
    }
}

/// Only an upgrade has an old node to go back to, and only until the new one has passed. Whoever
/// stops, starts or restarts finishes: there is nothing better to be had half way.
fn has_a_way_back(action: &Action, stage: Stage) -> bool {
    matches!(action, Action::Upgrade(_)) && stage < Stage::Passed
}

fn aborted(abort: &Abort) -> Why {
    Why { code: ABORTED, text: format!("the plan is aborted: {}", abort.reason) }
}

/// Only an upgrade has an old node to go back to.
fn cannot_go_on(action: &Action, why: &Why) -> Decision {
    match action {
        Action::Upgrade(_) => Decision::Undo(why.clone()),
        Action::Stop | Action::Start | Action::Restart => Decision::Stuck(why.clone()),
    }
}

fn back(me: &Observations) -> Decision {
    let unnamed = || Why { code: "E390", text: "an undo was under way".into() };
    Decision::Undo(me.failed.clone().unwrap_or_else(unnamed))
}

/// Not begun: promise, operator, preparation, permission.
fn before_work(
    rule: Rule,
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Decision {
    let sight = Sight::new(documents, evidence, now);
    let Some(row) = sight.row(&me.me) else { return Decision::Wait(Reason::NoPart) };
    if let Some(reason) = over(&sight) {
        return Decision::Wait(reason);
    }
    let forward = documents.plan.schedule.is_some();
    if me.own_chain == OwnChain::Ahead && !forward {
        let text = "a board holds more of this agent's receipts than its journal: it was restored \
                    from a backup; enrol this agent anew";
        return Decision::Stuck(Why { code: RESTORED, text: text.into() });
    }
    if let Some(newer) = promise::promised_newer(documents, Promises(row.facts))
        && !forward
    {
        return Decision::Wait(Reason::Promised(newer.clone()));
    }
    if me.stage < Stage::Acknowledged {
        return match promise::may_acknowledge(&sight, &me.me) {
            Ok(()) => Decision::Do(Step::Acknowledge { in_hand: me.in_hand.clone() }),
            Err(reason) => Decision::Wait(reason),
        };
    }
    if super::gates::place(&sight, &me.me).is_none() {
        return Decision::Wait(Reason::NoPart);
    }
    match &me.policy {
        Answer::Refuse { reason } => Decision::Do(Step::Decline(reason.clone())),
        Answer::Ask { since: None } => Decision::Do(Step::Ask),
        Answer::Ask { since: Some(_) } => Decision::Wait(Reason::Operator),
        Answer::Apply => prepared(rule, documents, evidence, me, now),
    }
}

fn prepared(
    rule: Rule,
    documents: &Documents<'_>,
    evidence: &Evidence,
    me: &Observations,
    now: Timestamp,
) -> Decision {
    // A stop wins over a step in hand, but for another stop.
    let stops = documents.plan.schedule.is_some();
    let binds = |older: &&PlanId| !stops || older.class == Class::Emergency;
    if let Some(older) = me.in_hand.as_ref().filter(binds) {
        return Decision::Wait(Reason::InHand(older.clone()));
    }
    if me.stage < Stage::Prepared {
        return Decision::Do(Step::Prepare);
    }
    match rule(documents, evidence, me, now) {
        Ok(permit) => Decision::Do(Step::Begin(permit)),
        Err(reason) => Decision::Wait(reason),
    }
}
