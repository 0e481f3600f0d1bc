//! The release's genesis file lies beside the old one.

use muster_proto::documents::Digest;

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::files;
use super::work::{GenesisSwap, Work};
use crate::journal::{Effect, Fact};
use crate::node::genesis;

/// Effect [`Effect::Stage`].
pub(super) struct Stage(pub(super) GenesisSwap);

/// An error of a file operation.
pub(super) fn io(what: &str, error: &std::io::Error) -> StepError {
    StepError::passing(code::FILES, format!("{what}: {error}"))
}

impl Act for Stage {
    fn effect(&self) -> Effect {
        Effect::Stage
    }

    async fn precheck(&self, _: &Work<'_>) -> Result<Precheck, StepError> {
        let staged = genesis::digest(&self.0.staged).map_err(|error| io("genesis", &error))?;
        Ok(match staged == Some(self.0.new.digest.clone()) {
            true => Precheck::Done(Fact::Staged { digest: self.0.new.digest.clone() }),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let bytes = work.genesis.as_deref();
        let missing = || StepError::passing(code::NO_RELEASE, "the genesis file did not come yet");
        let bytes = bytes.ok_or_else(missing)?;
        if Digest::of(bytes) != self.0.new.digest {
            let text = "the genesis file is not the one that was signed";
            return Err(StepError::passing(code::NO_RELEASE, text));
        }
        files::write_like(&self.0.staged, bytes, &self.0.old.path)
            .map_err(|error| io("genesis", &error))
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        match self.precheck(work).await? {
            Precheck::Done(fact) => Ok(fact),
            Precheck::Needed => Err(StepError::passing(code::FILES, "the staged genesis differs")),
        }
    }

    async fn undo(&self, _: &Work<'_>) -> Result<(), StepError> {
        let GenesisSwap { old, staged, before, .. } = &self.0;
        files::remove(staged).map_err(|error| io("genesis", &error))?;
        let in_place = genesis::digest(&old.path).map_err(|error| io("genesis", &error))?;
        match in_place.as_ref() == Some(&old.digest) {
            true => files::remove(before).map_err(|error| io("genesis", &error)),
            false => Ok(()),
        }
    }
}
