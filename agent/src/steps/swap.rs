//! The new genesis file is in place, the old one beside it. The node is down meanwhile.

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::files;
use super::stage::io;
use super::work::{GenesisSwap, Work};
use crate::journal::{Effect, Fact};
use crate::node::genesis;

/// Effect [`Effect::Swap`].
pub(super) struct Swap(pub(super) GenesisSwap);

impl Swap {
    fn holds(&self, digest: &muster_proto::documents::Digest) -> Result<bool, StepError> {
        let found = genesis::digest(&self.0.old.path).map_err(|error| io("genesis", &error))?;
        Ok(found.as_ref() == Some(digest))
    }
}

impl Act for Swap {
    fn effect(&self) -> Effect {
        Effect::Swap
    }

    async fn precheck(&self, _: &Work<'_>) -> Result<Precheck, StepError> {
        if self.holds(&self.0.new.digest)? {
            return Ok(Precheck::Done(Fact::Swapped));
        }
        match self.holds(&self.0.old.digest)? {
            true => Ok(Precheck::Needed),
            false => Err(StepError::fatal(code::GENESIS_CHANGED, "")),
        }
    }

    /// A second name for the old file first, then one rename: at no moment is there no file.
    async fn apply(&self, _: &Work<'_>) -> Result<(), StepError> {
        let GenesisSwap { old, staged, before, .. } = &self.0;
        files::link(&old.path, before).map_err(|error| io("genesis", &error))?;
        files::replace(staged, &old.path).map_err(|error| io("genesis", &error))
    }

    async fn verify(&self, _: &Work<'_>) -> Result<Fact, StepError> {
        match self.holds(&self.0.new.digest)? {
            true => Ok(Fact::Swapped),
            false => Err(StepError::passing(code::FILES, "the genesis file was not swapped")),
        }
    }

    async fn undo(&self, _: &Work<'_>) -> Result<(), StepError> {
        let GenesisSwap { old, before, .. } = &self.0;
        if self.holds(&old.digest)? {
            return Ok(());
        }
        let kept = genesis::digest(before).map_err(|error| io("genesis", &error))?;
        if kept.as_ref() != Some(&old.digest) {
            return Err(StepError::fatal(code::UNDO, "the old genesis file is not to be found"));
        }
        files::replace(before, &old.path).map_err(|error| io("genesis", &error))
    }
}
