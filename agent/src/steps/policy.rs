//! Restart policies: `no` while a plan has the node in hand, the operator's own afterwards.

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::work::Work;
use crate::journal::{Effect, Fact, Policy};
use crate::runtime::Container;

/// Effect [`Effect::Disarm`]: the old container's policy is `no`.
pub(super) struct Disarm;

impl Act for Disarm {
    fn effect(&self) -> Effect {
        Effect::Disarm
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let old = inspect(work, &work.found()?.id).await?;
        Ok(if old.policy.is_no() { Precheck::Done(Fact::Disarmed) } else { Precheck::Needed })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        // A stop plan leaves the policy at `no`; the start plan after it wants to know this one.
        work.runner.journal.remember_policy(&found.id, &found.policy)?;
        Ok(work.engine().set_policy(&found.id, &Policy::no()).await?)
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        let old = inspect(work, &work.found()?.id).await?;
        match old.policy.is_no() {
            true => Ok(Fact::Disarmed),
            false => Err(StepError::passing(code::ENGINE, "the restart policy is not `no`")),
        }
    }

    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        restore(work, &found.id, &found.policy).await
    }
}

/// Effect [`Effect::Rearm`]: the node has the operator's policy again.
pub(super) struct Rearm;

impl Act for Rearm {
    fn effect(&self) -> Effect {
        Effect::Rearm
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let node = inspect(work, &work.target()?).await?;
        Ok(match equal(&node.policy, &work.found()?.policy) {
            true => Precheck::Done(Fact::Rearmed),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        Ok(work.engine().set_policy(&work.target()?, &work.found()?.policy).await?)
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        match self.precheck(work).await? {
            Precheck::Done(fact) => Ok(fact),
            Precheck::Needed => {
                Err(StepError::passing(code::ENGINE, "the restart policy is not restored"))
            }
        }
    }

    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        restore(work, &work.target()?, &Policy::no()).await
    }
}

async fn restore(work: &Work<'_>, id: &str, policy: &Policy) -> Result<(), StepError> {
    if equal(&inspect(work, id).await?.policy, policy) {
        return Ok(());
    }
    let asked = work.engine().set_policy(id, policy).await;
    match equal(&inspect(work, id).await?.policy, policy) {
        true => Ok(()),
        false => {
            asked?;
            Err(StepError::passing(code::UNDO, "the restart policy is not restored"))
        }
    }
}

fn equal(one: &Policy, other: &Policy) -> bool {
    one == other || (one.is_no() && other.is_no())
}

/// The container of that id, which must exist.
pub(super) async fn inspect(work: &Work<'_>, id: &str) -> Result<Container, StepError> {
    let short: String = id.chars().take(12).collect();
    let gone = || StepError::fatal(code::GONE, short);
    work.engine().inspect(id).await?.ok_or_else(gone)
}
