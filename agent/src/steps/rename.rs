//! Names at the commit: the successor gets the node's name, the old one a name for keeping.

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::policy::inspect;
use super::work::Work;
use crate::journal::{Effect, Fact};

/// Effect [`Effect::RenameOld`].
pub(super) struct RenameOld;

/// Effect [`Effect::RenameNew`].
pub(super) struct RenameNew;

impl Act for RenameOld {
    fn effect(&self) -> Effect {
        Effect::RenameOld
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let found = work.found()?;
        let old = work.engine().inspect(&found.id).await?;
        // One that somebody removed has no name any more; the new node is well.
        Ok(match old.is_none_or(|old| old.name != found.name) {
            true => Precheck::Done(Fact::OldRenamed),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        Ok(work.engine().rename(&found.id, &work.kept_name(&found)).await?)
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        match self.precheck(work).await? {
            Precheck::Done(fact) => Ok(fact),
            Precheck::Needed => Err(StepError::passing(code::ENGINE, "the old name is not free")),
        }
    }

    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        if inspect(work, &found.id).await?.name == found.name {
            return Ok(());
        }
        Ok(work.engine().rename(&found.id, &found.name).await?)
    }
}

impl Act for RenameNew {
    fn effect(&self) -> Effect {
        Effect::RenameNew
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let node = inspect(work, &work.target()?).await?;
        Ok(match node.name == work.found()?.name {
            true => Precheck::Done(Fact::NewRenamed),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        Ok(work.engine().rename(&work.target()?, &work.found()?.name).await?)
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        match self.precheck(work).await? {
            Precheck::Done(fact) => Ok(fact),
            Precheck::Needed => Err(StepError::passing(code::ENGINE, "the name was not given")),
        }
    }

    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        Ok(work.engine().rename(&work.target()?, &work.successor_name(&found)).await?)
    }
}
