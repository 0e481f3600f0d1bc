//! A dry drill: every check up to the last moment before the effect, then a receipt that says what
//! would have been done.

use muster_proto::documents::plan::Action;
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::{Permit, Stage};

use super::context::Ran;
use super::effect::{Act as _, Precheck};
use super::error::StepError;
use super::policy::Disarm;
use super::start::Start;
use super::swap::Swap;
use super::work::Work;
use crate::journal::{Effect, Milestone, Record, Tip};

impl Work<'_> {
    /// Nothing is done to the node.
    pub(super) fn is_dry(&self) -> bool {
        self.plan.drill.is_dry()
    }

    /// In the place of the effect: its checks, what was prepared taken away, `began`, `done`.
    pub(super) async fn rehearse(
        &self,
        permit: Permit,
        tip: Option<Tip>,
    ) -> Result<Ran, StepError> {
        let fold = self.fold();
        let taken = fold.successor().is_none() || fold.undo_open.contains(&Effect::Create);
        if self.is_upgrade() && taken {
            // A crash came while it was taken away: it is prepared anew.
            self.clear_away().await?;
            self.milestone(Milestone::Unprepared)?;
            return Ok(Ran::Did(Stage::Acknowledged));
        }
        self.could_be_done().await?;
        let would = self.would(tip.as_ref().map(|tip| tip.height));
        self.clear_away().await?;
        let journal = &self.runner.journal;
        let record = Record::Milestone(Milestone::Begun { tip });
        let event = Event::Began { sum: permit.sum, heads: permit.heads };
        journal.record(&self.id, &[record], Some(event))?;
        tracing::info!(plan = %self.id, "dry drill: would {would}");
        let mut outcome = self.outcome(&self.found()?.id, None).await?;
        outcome.would = Some(would);
        let record = Record::Milestone(Milestone::Rehearsed);
        journal.record(&self.id, &[record], Some(Event::Done(outcome)))?;
        Ok(Ran::Did(self.fold().stage))
    }

    /// What each effect asks before it is done.
    async fn could_be_done(&self) -> Result<(), StepError> {
        if self.takes_away() {
            let _: Precheck = Disarm.precheck(self).await?;
        }
        if let Some(swap) = self.genesis_swap()? {
            let _: Precheck = Swap(swap).precheck(self).await?;
        }
        if !matches!(self.plan.action, Action::Stop) {
            let _: Precheck = Start.precheck(self).await?;
        }
        Ok(())
    }

    /// Such as `have stopped it at height 812 and kept it down`.
    fn would(&self, height: Option<u64>) -> String {
        let stopped = match height {
            Some(height) => format!("have stopped it at height {height}"),
            None => "have stopped it".into(),
        };
        match &self.plan.action {
            Action::Stop => format!("{stopped} and kept it down"),
            Action::Start => "have started it".into(),
            Action::Restart => format!("{stopped} and started it again"),
            Action::Upgrade(release) => {
                let swapped = match self.genesis_swap() {
                    Ok(Some(_)) => ", put the new genesis file in place",
                    _ => "",
                };
                let image = self.new_image();
                let image = image.map_or(String::new(), |image| format!(" ({})", image.short()));
                format!("{stopped}{swapped} and started {}{image}", release.version)
            }
        }
    }
}
