//! From what is known to the rule's answer for one plan.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::ids::Counter;
use muster_proto::documents::plan::Action;
use muster_proto::documents::{Plan, PlanId};
use muster_proto::rule::decision::{OwnChain, Serials, Test};
use muster_proto::rule::{
    Decision, Documents, Final, Observations, Permit, RESTORED, Reason, Stage, Step, Why, decide,
};

use super::core::{Board, Core, Doing, Shared};
use crate::control::said;
use crate::control::view::BoardState;
use crate::decide::answer::{ByHand, answer};
use crate::decide::own_chain::{Heard, verdict};
use crate::decide::{turns, words};
use crate::journal::Cause;
use crate::steps::{Observed, PlanContext, code};

/// A board that has not answered after this long is not reachable for rule 11.
const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(5);

impl Core {
    /// The plans to ask the rule about, in order.
    pub(super) fn turns(&self) -> Vec<PlanId> {
        let stage = |id: &PlanId| self.journal.fold(id).stage;
        let turns = turns::turns(&self.plans, &self.me.node, stage);
        turns.into_iter().cloned().collect()
    }

    /// What the runner needs to know around a plan; none when its signed bytes are not here.
    pub(super) fn context(&mut self, id: &PlanId, shared: &Shared) -> Option<PlanContext> {
        let plan = self.plans.get(id)?;
        let bytes = match self.state.trust.plan_bytes(id) {
            Some(bytes) => bytes.to_vec(),
            None => self.journal.stored(id).ok()?.plan,
        };
        let now = self.state.trust.now(Timestamp::now());
        let fleet = self.fleet.look(plan, &self.me.node, self.book.evidence(), now);
        let (release, genesis) = self.release(id, plan);
        let again = shared.clone();
        let asked = id.clone();
        Some(PlanContext {
            id: id.clone(),
            plan: Arc::new(plan.clone()),
            plan_bytes: bytes.into(),
            release,
            genesis,
            fleet,
            again: Arc::new(move || again.lock().again(&asked)),
        })
    }

    /// How far a plan has come by the journal alone; enough for as long as nothing was begun.
    pub(super) fn folded(&self, id: &PlanId) -> Observed {
        let fold = self.journal.fold(id);
        Observed {
            stage: fold.stage,
            undoing: fold.undoing.is_some(),
            interrupted: fold.interrupted.is_some(),
            failed: fold.failed.as_ref().map(why),
            asked: fold.asked,
            test: Test::Unknown,
        }
    }

    /// The rule's answer, noted for people.
    pub(super) fn judge(&mut self, id: &PlanId, observed: &Observed) -> Decision {
        let decision = self.ask(id, observed);
        let text = match (&self.ahead, &decision) {
            (Some(head), Decision::Stuck(why)) if why.code == RESTORED => stuck_ahead(head.counter),
            (_, Decision::Wait(Reason::OwnChainUnasked)) => {
                self.unreachable().unwrap_or_else(|| words::decision(&decision))
            }
            // A stop waits for no beat.
            (_, Decision::Do(Step::Begin(_))) if self.is_emergency(id) => {
                words::step(&Step::Stop).into()
            }
            _ => words::decision(&decision),
        };
        self.note(id, text);
        decision
    }

    /// It takes effect by its schedule, whoever can be reached.
    fn is_emergency(&self, id: &PlanId) -> bool {
        self.plans.get(id).is_some_and(|plan| plan.schedule.is_some())
    }

    fn ask(&self, id: &PlanId, observed: &Observed) -> Decision {
        let now = self.now();
        let trust = &self.state.trust;
        // Nothing is begun by a roster that may not speak; what is begun is finished all the same.
        let begun = turns::begun(observed.stage) || observed.undoing;
        // Nor does a stop that was delivered wait for anybody.
        let stops = self.is_emergency(id);
        let roster = trust.roster().or_else(|| trust.last_roster().filter(|_| begun || stops));
        let (Some(plan), Some(roster)) = (self.plans.get(id), roster) else {
            return Decision::Wait(self.not_now("no roster counts here now"));
        };
        let documents = Documents { id, plan, roster, others: &self.plans, aborts: &self.aborts };
        let me = self.observations(id, plan, observed, now);
        decide(&documents, self.book.evidence(), &me, now)
    }

    /// Another plan has something to do here that takes no time.
    pub(super) fn another_calls(&self, id: &PlanId) -> bool {
        let calls = |other: &PlanId| {
            let decision = self.ask(other, &self.folded(other));
            matches!(decision, Decision::Do(step) if step != Step::Prepare)
        };
        self.turns().iter().any(|other| other != id && calls(other))
    }

    /// Asked after the beat: the same rule over the newest evidence (rule 11), and the operator's
    /// newest word.
    fn again(&mut self, id: &PlanId) -> Result<Permit, Reason> {
        self.look_at_policy();
        if self.draining {
            return Err(self.not_now("it is ending"));
        }
        match self.ask(id, &self.folded(id)) {
            Decision::Do(Step::Begin(permit)) => Ok(permit),
            Decision::Wait(reason) => Err(reason),
            Decision::Do(_) | Decision::Undo(_) | Decision::Finished(_) | Decision::Stuck(_) => {
                Err(self.not_now("something changed under the beat"))
            }
        }
    }

    fn not_now(&self, reason: &str) -> Reason {
        Reason::Held { by: "this agent".into(), reason: reason.into(), until: self.now() }
    }

    fn observations(
        &self,
        id: &PlanId,
        plan: &Plan,
        observed: &Observed,
        now: Timestamp,
    ) -> Observations {
        Observations {
            me: self.me.node.clone(),
            stage: observed.stage,
            in_hand: self.journal.in_hand_beside(id),
            policy: answer(self.policy.policy(), plan, &self.by_hand(id), observed.asked),
            test: observed.test.clone(),
            failed: observed.failed.clone(),
            undoing: observed.undoing,
            interrupted: observed.interrupted,
            ended: self.state.ledger.ended(&self.me.network),
            admitted: Serials {
                ordinary: self.state.ledger.last(&self.me.network, Counter::Ordinary),
                emergency: self.state.ledger.last(&self.me.network, Counter::Emergency),
            },
            own_chain: self.own_chain_for(id),
            held: self.holds.on(id, now),
            fresh_until: self.state.trust.fresh_until(),
            height: self.seen.as_ref().and_then(|seen| seen.health.height),
        }
    }

    /// For people: no board is attached, and why each is not; none while one is.
    fn unreachable(&self) -> Option<String> {
        let why = |board: &Board| match &board.state {
            BoardState::Attached => None,
            BoardState::Untried => Some(format!("{} is not tried yet", board.address)),
            BoardState::NotEnrolled { why } | BoardState::Lost { why } => {
                Some(format!("{}: {why}", board.address))
            }
        };
        let all: Option<Vec<_>> = self.boards.iter().map(why).collect();
        let all = all?.join("; ");
        Some(format!(
            "no board can be reached, and one must tell first what it holds of this agent's own \
             receipts ({all})"
        ))
    }

    /// What the operator answered, by the journal.
    pub(super) fn by_hand(&self, id: &PlanId) -> ByHand {
        match self.journal.answer(id) {
            Ok(Some(said)) if said.approved => ByHand::Approved,
            Ok(Some(said)) => ByHand::Declined(said.why),
            Ok(None) => ByHand::Nothing,
            Err(error) => {
                tracing::error!(
                    error = said::chain(&error),
                    "the operator's answer cannot be read"
                );
                ByHand::Nothing
            }
        }
    }

    pub(super) fn own_chain_for(&self, id: &PlanId) -> OwnChain {
        let (_, asked_at) = self.question;
        let late = Timestamp::now().duration_since(asked_at) > SILENT_AFTER;
        let attached = self.boards.iter().filter(|board| board.attached());
        let heard: Vec<_> = attached
            .map(|board| Heard {
                question: board.heard.question,
                silent: late && board.heard.question < self.question.0,
            })
            .collect();
        let question = self.asked_under.get(id).copied().unwrap_or(self.question.0);
        verdict(&heard, question, self.ahead.is_some())
    }

    fn release(&self, id: &PlanId, plan: &Plan) -> (Release, Option<Arc<[u8]>>) {
        let Action::Upgrade(named) = &plan.action else { return (None, None) };
        let Some(release) = self.state.trust.release(named) else {
            return (self.stored_release(id), None);
        };
        let genesis = self.state.trust.file(&release.genesis_path()).map(Arc::from);
        let bytes = muster_proto::documents::canonical::to_bytes(release).ok();
        (bytes.map(|bytes| (Arc::new(release.clone()), bytes.into())), genesis)
    }

    /// A plan in hand goes on with the release it began with, also when no board lists it now.
    fn stored_release(&self, id: &PlanId) -> Release {
        let bytes = self.journal.stored(id).ok()?.release?;
        let release = muster_proto::documents::canonical::from_bytes(&bytes).ok()?;
        Some((Arc::new(release), bytes.into()))
    }

    /// Remembers since when the same is said about a plan.
    pub(super) fn note(&mut self, id: &PlanId, text: String) {
        if self.doing.get(id).is_some_and(|doing| doing.text == text) {
            return;
        }
        tracing::info!(plan = %id, "{text}");
        self.doing.insert(id.clone(), Doing { text, since: Timestamp::now() });
    }

    /// Writes a node's part that is over into the ledger.
    pub(super) fn settle(&mut self, id: &PlanId, last: Final) {
        if self.state.ledger.settle(&self.me.network, id, last) {
            self.persist();
        }
    }

    /// While the agent ends, only this goes on: a node that is down in the middle comes up again.
    pub(super) fn must_go_on(&self, id: &PlanId) -> bool {
        let stops = matches!(self.plans.get(id).map(|plan| &plan.action), Some(Action::Stop));
        let fold = self.journal.fold(id);
        let down = (Stage::Begun..Stage::Started).contains(&fold.stage);
        !stops && down && fold.interrupted.is_none()
    }
}

fn why(cause: &Cause) -> Why {
    Why { code: code::find(&cause.code).code, text: cause.text.clone() }
}

type Release = Option<(Arc<muster_proto::documents::Release>, Arc<[u8]>)>;

/// For people: what happened, and what to do.
pub(super) fn stuck_ahead(counter: u64) -> String {
    format!(
        "{RESTORED}: a board holds receipt {counter} of this agent, which its journal does not \
         know: it was restored from a backup. Nothing is begun; enrol this agent anew, in a new \
         folder"
    )
}
