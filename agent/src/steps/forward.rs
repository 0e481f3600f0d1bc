//! After the old container is down: swap the files, start the node, test it.

use muster_proto::rule::Stage;
use muster_proto::rule::decision::Test;

use super::code;
use super::context::Ran;
use super::error::StepError;
use super::start::Start;
use super::swap::Swap;
use super::work::Work;
use crate::journal::{Effect, Milestone};
use crate::node::fleet::Fleet;

impl Work<'_> {
    pub(super) async fn swap(&self) -> Result<Ran, StepError> {
        match self.fold().stage {
            Stage::Stopped if self.is_upgrade() => {}
            stage if stage > Stage::Stopped => return Ok(Ran::Did(stage)),
            stage => return Err(out_of_order("swap", stage)),
        }
        if let Some(swap) = self.genesis_swap()? {
            self.carry(&Swap(swap)).await?;
        }
        self.milestone(Milestone::Swapped)?;
        Ok(Ran::Did(Stage::Swapped))
    }

    pub(super) async fn start(&self) -> Result<Ran, StepError> {
        let stage = self.fold().stage;
        let due = match stage {
            Stage::Begun => !self.takes_away(),
            Stage::Stopped => !self.is_upgrade(),
            Stage::Swapped => true,
            later if later > Stage::Swapped => return Ok(Ran::Did(later)),
            _ => false,
        };
        if !due {
            return Err(out_of_order("start", stage));
        }
        self.carry(&Start).await?;
        self.milestone(Milestone::Started)?;
        Ok(Ran::Did(Stage::Started))
    }

    /// Looks again whether the node is well, and writes down when it passed.
    pub(super) async fn test(&self, fleet: Fleet) -> Result<Ran, StepError> {
        let stage = self.fold().stage;
        if stage >= Stage::Passed {
            return Ok(Ran::Did(stage));
        }
        match self.examine(fleet).await? {
            Test::Pass => {
                self.milestone(Milestone::Passed { away_ms: self.away_ms() })?;
                Ok(Ran::Did(Stage::Passed))
            }
            test => Ok(Ran::Waits(test)),
        }
    }

    /// From the stop signal until the node was well; none when it was not taken away, or stays
    /// down.
    pub(super) fn away_ms(&self) -> Option<u64> {
        let stopped = self.intended(&Effect::Stop)?;
        let well = self.runner.well_since(&self.id)?;
        u64::try_from(well.duration_since(stopped).as_millis()).ok()
    }
}

pub(super) fn out_of_order(step: &str, stage: Stage) -> StepError {
    StepError::fatal(code::OUT_OF_ORDER, format!("{step} at {stage:?}"))
}
