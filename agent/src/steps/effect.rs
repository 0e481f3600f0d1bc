//! One small effect: already done? do it, did it work? and how it is taken back.

use super::code;
use super::error::StepError;
use super::work::Work;
use crate::journal::{Effect, Fact, Record};

/// Whether an effect has to be applied.
pub(super) enum Precheck {
    /// It is in force already.
    Done(Fact),
    /// It is not.
    Needed,
}

/// One small effect. At most one mutating call of the Engine, or one file operation.
///
/// Every method finds out for itself how things stand, by id and by content: a crash may have
/// come between any two of them.
pub(super) trait Act: Sync {
    /// Its name in the journal.
    fn effect(&self) -> Effect;
    /// Already done? And may it be done at all?
    fn precheck(&self, work: &Work<'_>)
    -> impl Future<Output = Result<Precheck, StepError>> + Send;
    /// Does it. An error here is not the last word: [`Act::verify`] has that.
    fn apply(&self, work: &Work<'_>) -> impl Future<Output = Result<(), StepError>> + Send;
    /// Did it work?
    fn verify(&self, work: &Work<'_>) -> impl Future<Output = Result<Fact, StepError>> + Send;
    /// Takes it back and verifies that.
    fn undo(&self, work: &Work<'_>) -> impl Future<Output = Result<(), StepError>> + Send;
}

impl Work<'_> {
    /// Brings an effect about: intent, effect, fact.
    pub(super) async fn carry(&self, act: &impl Act) -> Result<Fact, StepError> {
        let effect = act.effect();
        if self.is_dry() && !effect.is_preparation() {
            return Err(StepError::fatal(code::DRY, effect.to_string()));
        }
        self.runner.show(&self.id, effect.to_string());
        if let Precheck::Done(fact) = act.precheck(self).await? {
            if self.fold().done.get(&effect) != Some(&fact) {
                self.record(Record::Fact(fact.clone()))?;
            }
            return Ok(fact);
        }
        self.record(Record::Intent(effect.clone()))?;
        let applied = act.apply(self).await;
        // An answer that never came may have been a yes: only looking tells.
        let fact = match (act.verify(self).await, applied) {
            (Ok(fact), _) => fact,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        self.record(Record::Fact(fact.clone()))?;
        tracing::info!(plan = %self.id, effect = %effect, "effect in force");
        Ok(fact)
    }

    /// Takes an effect back, if it is in force or may be.
    pub(super) async fn take_back(&self, act: &impl Act) -> Result<(), StepError> {
        let effect = act.effect();
        let fold = self.fold();
        if !fold.touched(&effect) && !fold.undo_open.contains(&effect) {
            return Ok(());
        }
        self.runner.show(&self.id, format!("undo {effect}"));
        self.record(Record::UndoIntent(effect.clone()))?;
        act.undo(self).await?;
        self.record(Record::Undone(effect.clone()))?;
        tracing::info!(plan = %self.id, effect = %effect, "effect taken back");
        Ok(())
    }
}
