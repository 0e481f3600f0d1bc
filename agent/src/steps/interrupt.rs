//! A stop wins over a step in hand: that plan is told so, and both of its containers stay.

use muster_proto::documents::Digest;
use muster_proto::documents::plan::Action;
use muster_proto::rule::Stage;

use super::error::StepError;
use super::work::Work;
use crate::journal::{GoOn, Milestone};

impl Work<'_> {
    /// Writes into the journal of the plan in hand that this one stops its node. Nothing of it is
    /// committed or undone until the emergency is ended.
    pub(super) fn interrupt(&self) -> Result<(), StepError> {
        let Some(other) = self.in_its_way()? else { return Ok(()) };
        let stage = other.fold().stage;
        let to = match other.plan.action {
            Action::Start => GoOn::Begun,
            _ if stage < Stage::Stopped => GoOn::Begun,
            Action::Upgrade(_) if stage >= Stage::Swapped => GoOn::Swapped,
            Action::Upgrade(_) | Action::Restart | Action::Stop => GoOn::Stopped,
        };
        tracing::warn!(plan = %other.id, by = %self.id, "interrupted");
        other.milestone(Milestone::Interrupted { to })
    }

    /// Image of the container that is down already and stays, when a step in hand has two.
    pub(super) fn beside(&self) -> Result<Option<Digest>, StepError> {
        let Some(other) = self.in_its_way()?.filter(Work::is_upgrade) else { return Ok(None) };
        let old = other.found()?;
        Ok(match self.found()?.id == old.id {
            true => other.new_image(),
            false => Some(old.image),
        })
    }

    /// The plan that was begun here before this emergency, and is not over.
    fn in_its_way(&self) -> Result<Option<Self>, StepError> {
        if !self.is_emergency() {
            return Ok(None);
        }
        let other = self.runner.journal.in_hand().filter(|other| *other != self.id);
        let other = other.map(|id| self.runner.reopen(&id)).transpose()?;
        Ok(other.filter(|other| other.fold().stage >= Stage::Begun))
    }
}
