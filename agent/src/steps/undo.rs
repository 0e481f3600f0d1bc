//! Takes back what was done, in reverse, until the old node is well again.

use muster_proto::documents::plan::Action;
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::decision::Test;
use muster_proto::rule::{Stage, Why};

use super::code;
use super::context::{PlanContext, Ran};
use super::error::{StepError, cause};
use super::forward::out_of_order;
use super::policy::Disarm;
use super::start::Start;
use super::stop::Stop;
use super::swap::Swap;
use super::work::Work;
use crate::journal::{Cause, Effect, Fold, Last, Milestone, Record};
use crate::node::keeper::KEPT_AT_MOST;

impl super::Runner {
    /// Takes back what the plan did here, until the old node is well again: call it until it
    /// says `Did(Over(RolledBack))`. While it says [`Ran::Waits`] the old node is being tested.
    ///
    /// # Errors
    /// [`StepError`]; one that retrying does not cure means that people must look.
    pub async fn undo(&self, why: &Why, context: &PlanContext) -> Result<Ran, StepError> {
        let _one_at_a_time = self.busy.lock().await;
        let work = self.reopen(&context.id)?;
        let ran = work.undo(why, context).await;
        self.show_nothing();
        ran.map_err(|error| work.note_stuck(error))
    }
}

impl Work<'_> {
    async fn undo(&self, why: &Why, context: &PlanContext) -> Result<Ran, StepError> {
        if self.fold().is_over() {
            return Ok(Ran::Did(self.fold().stage));
        }
        self.turn(why)?;
        if self.is_upgrade() {
            self.take_back(&Start).await?;
            // Where the node has no place for the file, nothing was ever swapped.
            if let Ok(Some(swap)) = self.genesis_swap() {
                self.take_back(&Swap(swap)).await?;
            }
        } else if matches!(self.plan.action, Action::Start) {
            self.take_back(&Start).await?;
        }
        self.take_back(&Stop).await?;
        let fold = self.fold();
        let found_running = fold.found.as_ref().is_some_and(|found| found.running);
        let was_away = fold.undone.contains(&Effect::Stop);
        if found_running && was_away {
            match self.examine(context.fleet).await? {
                Test::Pass => {}
                Test::Fail(why) if self.is_kept(&fold, &why) => {
                    return Ok(Ran::Waits(Test::NotYet(why)));
                }
                Test::Fail(why) => return Err(StepError::fatal(code::NOT_BACK, why.text)),
                waits => return Ok(Ran::Waits(waits)),
            }
        }
        let away_ms = if was_away { self.away_ms() } else { None };
        self.clear_away().await?;
        self.take_back(&Disarm).await?;
        self.rolled_back(away_ms).await
    }

    /// Writes down that from here on it goes back, and why.
    fn turn(&self, why: &Why) -> Result<(), StepError> {
        let fold = self.fold();
        if fold.undoing.is_some() {
            return Ok(());
        }
        if fold.stage == Stage::Passed || fold.stage == Stage::Verified {
            return Err(out_of_order("undo", fold.stage));
        }
        let because = cause(why);
        let mut records = Vec::new();
        let mut event = None;
        if fold.failed.is_none() {
            records.push(Record::Milestone(Milestone::Failed(because.clone())));
            event = Some(Event::Failed { code: because.code.clone(), why: because.text.clone() });
        }
        records.push(Record::Milestone(Milestone::Undoing(because)));
        Ok(self.runner.journal.record(&self.id, &records, event)?)
    }

    /// An exit of the old node that the keeper answers by another start.
    fn is_kept(&self, fold: &Fold, why: &Why) -> bool {
        why.code == code::CRASHED.code && fold.kept < KEPT_AT_MOST
    }

    async fn rolled_back(&self, away_ms: Option<u64>) -> Result<Ran, StepError> {
        let fold = self.fold();
        let because = fold.undoing.clone().unwrap_or_else(|| Cause {
            code: code::UNDO.code.into(),
            text: code::UNDO.what.into(),
        });
        let failed = because.code != code::INTERRUPTED.code && !self.is_dry();
        if let Action::Upgrade(wanted) = &self.plan.action
            && failed
        {
            let journal = &self.runner.journal;
            journal.remember_failure(&wanted.digest, &wanted.version, &self.id, &because)?;
        }
        // A plan that failed before it looked at the node has nothing to say of it but what is.
        let id = match fold.found {
            Some(found) => found.id,
            None => self.runner.settings.container.clone(),
        };
        let outcome = self.outcome(&id, away_ms).await?;
        let record = Record::Milestone(Milestone::Final(Last::RolledBack));
        self.runner.journal.record(&self.id, &[record], Some(Event::RolledBack(outcome)))?;
        Ok(Ran::Did(self.fold().stage))
    }

    /// Writes down, once, that going back does not work either. The attempts go on.
    fn note_stuck(&self, error: StepError) -> StepError {
        tracing::warn!(plan = %self.id, %error, retry = error.retry, "undo not done");
        if error.retry || self.fold().stuck.is_some() || self.fold().undoing.is_none() {
            return error;
        }
        match self.milestone(Milestone::Stuck(error.cause())) {
            Ok(()) => error,
            Err(unwritten) => unwritten,
        }
    }
}
