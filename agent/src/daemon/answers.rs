//! What people ask over the socket, and what they decide.

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::{Plan, PlanId};
use muster_proto::rule::Stage;

use super::core::Core;
use crate::control::protocol::WHY_BYTES;
use crate::control::view::{Explained, Pending, Place};
use crate::control::{PlanName, Question, Refused, Reply, said};
use crate::decide::answer::ByHand;
use crate::decide::{turns, words};
use crate::journal::OperatorAnswer;
use crate::policy::{Change, Rule, urgency_word};

impl Core {
    /// Answers one question; `who` is the account that asks.
    pub(super) fn answer(&mut self, question: Question, who: &str) -> Reply {
        let answered = match question {
            Question::Status => Ok(Reply::Status(Box::new(self.status()))),
            Question::Pending => Ok(Reply::Pending(self.pending())),
            Question::Explain { plan } => self.explain(&plan),
            Question::Approve { plan } => self.decided(&plan, true, who, String::new()),
            Question::Decline { plan, why } => self.decline(&plan, who, why),
        };
        answered.unwrap_or_else(Reply::Refused)
    }

    /// Takes in a policy file that changed. It is looked at now and then, and when a plan comes
    /// in: a policy that was saved before binds the plan.
    pub(super) fn look_at_policy(&mut self) {
        match self.policy.look() {
            Change::None => return,
            Change::New => tracing::info!("a new policy is in force"),
            Change::Missing => tracing::warn!("there is no policy.yaml: every plan is asked"),
            Change::Refused(why) => tracing::warn!("the old policy stays in force: {why}"),
        }
        self.changed.notify_one();
    }

    fn decline(&mut self, plan: &PlanName, who: &str, why: String) -> Result<Reply, Refused> {
        let why = why.trim().to_owned();
        if why.is_empty() || why.len() > WHY_BYTES || why.chars().any(char::is_control) {
            return Err(Refused::Reason);
        }
        self.decided(plan, false, who, why)
    }

    fn decided(
        &mut self,
        name: &PlanName,
        approved: bool,
        who: &str,
        why: String,
    ) -> Result<Reply, Refused> {
        let id = name.resolve(self.plans.keys())?.clone();
        self.may_answer(&id)?;
        let answer = OperatorAnswer { approved, who: who.into(), why, at: Timestamp::now() };
        let journaled = self.journal.set_answer(&id, &answer);
        journaled.map_err(|error| Refused::Journal(said::chain(&error)))?;
        tracing::info!(plan = %id, approved, who, "the operator answered");
        self.changed.notify_one();
        Ok(Reply::Answered(id))
    }

    fn may_answer(&self, id: &PlanId) -> Result<(), Refused> {
        let plan = &self.plans[id];
        if !plan.order().any(|(_, node)| *node == self.me.node) {
            return Err(Refused::NotInOrder(id.clone()));
        }
        match self.journal.fold(id).stage {
            Stage::Over(last) => {
                let outcome = words::outcome(last).into();
                return Err(Refused::Final { plan: id.clone(), outcome });
            }
            stage if turns::begun(stage) => return Err(Refused::Begun(id.clone())),
            _ => {}
        }
        if let ByHand::Declined(_) = self.by_hand(id) {
            return Err(Refused::Declined(id.clone()));
        }
        if self.now() >= plan.valid.until {
            return Err(Refused::TooLate { plan: id.clone(), until: plan.valid.until });
        }
        Ok(())
    }

    fn pending(&self) -> Vec<Pending> {
        let asks = |id: &PlanId| {
            let plan = &self.plans[id];
            let rule = self.policy.policy().rule(plan.class, plan.urgency);
            let open = self.may_answer(id).is_ok() && self.by_hand(id) == ByHand::Nothing;
            (rule == Rule::Ask && open).then(|| self.asking(id, plan))
        };
        self.plans.keys().filter_map(asks).collect()
    }

    fn asking(&self, id: &PlanId, plan: &Plan) -> Pending {
        let since = self.journal.fold(id).asked;
        let patience = i64::try_from(plan.absent_after_ms).unwrap_or(i64::MAX);
        let patience = SignedDuration::from_millis(patience);
        Pending {
            plan: id.clone(),
            title: said::one_line(&plan.headline()),
            what: words::action(plan),
            urgency: plan.urgency,
            drill: plan.drill.is_drill(),
            since,
            until: plan.valid.until,
            absent_from: since.and_then(|since| since.checked_add(patience).ok()),
        }
    }

    fn explain(&self, name: &PlanName) -> Result<Reply, Refused> {
        let id = name.resolve(self.plans.keys())?;
        let plan = &self.plans[id];
        let explained = Explained {
            view: self.plan_view(id, plan),
            what: words::action(plan),
            place: place(plan, self),
            policy: self.policy_words(id, plan),
            from: plan.valid.from,
            until: plan.valid.until,
        };
        Ok(Reply::Explained(Box::new(explained)))
    }

    fn policy_words(&self, id: &PlanId, plan: &Plan) -> String {
        match self.by_hand(id) {
            ByHand::Approved => "approved by you".into(),
            ByHand::Declined(why) => format!("declined by you: {why}"),
            ByHand::Nothing => {
                let rule = self.policy.policy().rule(plan.class, plan.urgency);
                format!("{} {}: {rule}", plan.class, urgency_word(plan.urgency))
            }
        }
    }
}

fn place(plan: &Plan, core: &Core) -> Option<Place> {
    let order: Vec<_> = plan.order().collect();
    let at = order.iter().position(|(_, node)| **node == core.me.node)?;
    let wave = plan.waves[order[at].0].name.clone();
    Some(Place { wave, position: at + 1, of: order.len() })
}
