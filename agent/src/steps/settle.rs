//! `began` is journaled and nobody knows whether the effect happened: find out, and never go on
//! with a permission that is spent (rule 11).

use muster_proto::rule::Stage;
use tokio::time::Instant;

use super::error::StepError;
use super::policy::{Disarm, inspect};
use super::stop::Stop;
use super::work::Work;
use crate::journal::{Effect, Found, Milestone, Record};
use crate::runtime::Container;

/// A node that was told to stop leaves at the end of its round: one that still took two blocks
/// was never told.
const BLOCKS_NOT_TOLD: u64 = 2;

impl Work<'_> {
    /// Brings a plan at `Begun` to `Stopped` or `Started` when the effect is seen, else back to
    /// `Prepared`, exactly as it was. Returns the stage.
    pub(super) async fn settle(&self) -> Result<Stage, StepError> {
        if self.fold().stage != Stage::Begun {
            return Ok(self.fold().stage);
        }
        if self.is_dry() {
            return self.lapse();
        }
        self.runner.show(&self.id, "finding out how far it came");
        let found = self.found()?;
        let node = inspect(self, &found.id).await?;
        if !self.takes_away() {
            return self.settle_start(&node).await;
        }
        if node.state.is_down() || self.leaves(&found, node).await? {
            self.carry(&Disarm).await?;
            self.carry(&Stop).await?;
            self.stopped()?;
            return Ok(Stage::Stopped);
        }
        if self.fold().touched(&Effect::Stop) {
            self.record(Record::Undone(Effect::Stop))?;
        }
        self.take_back(&Disarm).await?;
        self.lapse()
    }

    async fn settle_start(&self, node: &Container) -> Result<Stage, StepError> {
        if node.state.running {
            self.start().await?;
            return Ok(self.fold().stage);
        }
        if self.fold().touched(&Effect::Start) {
            self.record(Record::Undone(Effect::Start))?;
        }
        self.lapse()
    }

    fn lapse(&self) -> Result<Stage, StepError> {
        self.milestone(Milestone::Lapsed)?;
        tracing::info!(plan = %self.id, "the effect was not seen: the rule is asked afresh");
        Ok(Stage::Prepared)
    }

    /// The stop signal may be on its way: waits until the node left, or shows by two more blocks
    /// that it was never told, at most for the grace.
    async fn leaves(&self, found: &Found, node: Container) -> Result<bool, StepError> {
        if !self.fold().touched(&Effect::Stop) {
            return Ok(false);
        }
        let mut watch = self.engine().watch_exit(&found.id).await?;
        let deadline = Instant::now() + self.grace();
        let grows = async {
            let mut first = None;
            loop {
                if let Some(height) = self.runner.probe.height(&node).await {
                    let first = *first.get_or_insert(height);
                    if height >= first + BLOCKS_NOT_TOLD {
                        return;
                    }
                }
                tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            }
        };
        tokio::select! {
            down = watch.down(deadline) => Ok(down?.is_some()),
            () = grows => Ok(false),
        }
    }
}
