//! Makes it final: names, restart policy, receipt.

use jiff::Timestamp;
use muster_proto::documents::plan::Action;
use muster_proto::evidence::receipt::{Event, Outcome};
use muster_proto::rule::Stage;

use super::code;
use super::context::Ran;
use super::error::StepError;
use super::forward::out_of_order;
use super::policy::Rearm;
use super::rename::{RenameNew, RenameOld};
use super::work::Work;
use crate::journal::{Kept, Last, Milestone, Record};
use crate::node::fleet::Fleet;

impl Work<'_> {
    pub(super) async fn commit(&self, fleet: Fleet) -> Result<Ran, StepError> {
        match self.fold().stage {
            Stage::Passed => {}
            Stage::Over(last) => return Ok(Ran::Did(Stage::Over(last))),
            Stage::Started | Stage::Stopped => {
                // Asked for by what others can see; the own test has the last word.
                if let Ran::Waits(test) = self.test(fleet).await? {
                    return Ok(Ran::Waits(test));
                }
            }
            stage => return Err(out_of_order("commit", stage)),
        }
        let found = self.found()?;
        match self.plan.action {
            Action::Upgrade(_) => {
                self.carry(&RenameOld).await?;
                self.carry(&RenameNew).await?;
                self.carry(&Rearm).await?;
                let before = self.genesis_swap()?.map(|swap| swap.before);
                let kept = Kept { container: found.id, since: Timestamp::now(), before };
                self.runner.journal.keep(&self.id, &kept)?;
            }
            Action::Start | Action::Restart => {
                self.carry(&Rearm).await?;
            }
            Action::Stop => {}
        }
        let outcome = self.outcome(&self.target()?, self.fold().away_ms).await?;
        let record = Record::Milestone(Milestone::Final(Last::Done));
        self.runner.journal.record(&self.id, &[record], Some(Event::Done(outcome)))?;
        Ok(Ran::Did(self.fold().stage))
    }

    /// The node as it is at the end.
    pub(super) async fn outcome(
        &self,
        id: &str,
        away_ms: Option<u64>,
    ) -> Result<Outcome, StepError> {
        // Somebody may create the node again; until then there is nothing to say of it.
        let gone = || StepError::passing(code::GONE, id);
        let node = self.engine().inspect(id).await?.ok_or_else(gone)?;
        let running = node.state.running;
        let seen = self.runner.probe.look(id, false).await;
        let left = self.fold().exited().and_then(|exited| exited.height);
        Ok(Outcome {
            version: seen.version.filter(|_| running),
            height: seen.height.or(left),
            image: node.image,
            away_ms: away_ms.filter(|_| running),
            would: None,
        })
    }
}
