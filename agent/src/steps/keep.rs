//! What is looked after on every tick: permissions that a crash left open, nodes whose restart
//! policy is `no` meanwhile, old containers whose time is over.

use jiff::{SignedDuration, Timestamp};
use muster_proto::rule::Stage;

use super::error::StepError;
use super::files;
use super::policy::{Rearm, inspect};
use super::stage::io;
use super::start;
use super::work::Work;
use crate::journal::{Effect, Fold, Kept, Record};
use crate::node::keeper;

impl super::Runner {
    /// Looks after the node; call it on every tick, whether a plan is open or not. Does nothing
    /// while a step runs.
    ///
    /// # Errors
    /// [`StepError`]; the next tick tries again.
    pub async fn keep(&self) -> Result<(), StepError> {
        let Ok(_one_at_a_time) = self.busy.try_lock() else { return Ok(()) };
        for id in self.journal.all_in_hand() {
            let work = self.reopen(&id)?;
            let fold = work.fold();
            // What an emergency stopped stays down.
            if fold.interrupted.is_some() {
                continue;
            }
            if fold.stage == Stage::Begun && fold.undoing.is_none() {
                work.settle().await?;
                self.show_nothing();
            }
            work.hand_back().await?;
            work.keep_running().await?;
        }
        self.let_go().await
    }

    /// Removes old containers whose retention is over, or that a newer commit made older still.
    async fn let_go(&self) -> Result<(), StepError> {
        let kept = self.journal.kept()?;
        let retention = SignedDuration::try_from(self.settings.retention);
        let retention = retention.unwrap_or(SignedDuration::MAX);
        let newest = kept.len().saturating_sub(1);
        for (at, old) in kept.iter().enumerate() {
            if at < newest || old.is_due(retention, Timestamp::now()) {
                self.remove_kept(old).await?;
            }
        }
        Ok(())
    }

    async fn remove_kept(&self, old: &Kept) -> Result<(), StepError> {
        if let Some(container) = self.engine.inspect(&old.container).await? {
            // Somebody uses it again: it is no longer ours to remove.
            if container.state.is_down() && container.policy.is_no() {
                self.engine.remove(&old.container).await?;
            }
        }
        if let Some(before) = &old.before {
            files::remove(before).map_err(|error| io("old genesis", &error))?;
        }
        tracing::info!(container = old.container, "old container let go");
        Ok(self.journal.let_go(&old.container)?)
    }
}

impl Work<'_> {
    /// A node that failed its test and has nothing to go back to is the Engine's again, under
    /// the operator's own policy, while people look.
    async fn hand_back(&self) -> Result<(), StepError> {
        let fold = self.fold();
        let left = fold.stage == Stage::Started && fold.failed.is_some() && !self.is_upgrade();
        if left && fold.undoing.is_none() && !fold.done.contains_key(&Effect::Rearm) {
            self.carry(&Rearm).await?;
        }
        Ok(())
    }

    /// Starts the node again where its restart policy would, were it not `no` meanwhile.
    async fn keep_running(&self) -> Result<(), StepError> {
        let fold = self.fold();
        let Some(id) = self.expected(&fold)? else { return Ok(()) };
        let node = inspect(self, &id).await?;
        if !node.state.is_down() || !node.policy.is_no() {
            return Ok(());
        }
        let found = self.found()?;
        let ran = node.state.finished_at.zip(node.state.started_at);
        let ran = ran.map_or(0, |(end, start)| end.duration_since(start).as_millis());
        let ran_ms = u64::try_from(ran).unwrap_or(0);
        let testing = fold.stage == Stage::Started && fold.undoing.is_none();
        let testing = testing && fold.failed.is_none();
        if !keeper::start_again(&found.policy, node.state.exit, ran_ms, fold.kept, testing) {
            return Ok(());
        }
        start::nobody_else(self, &id).await?;
        self.record(Record::Kept { exit: node.state.exit })?;
        tracing::info!(container = node.name, exit = node.state.exit, "started again");
        Ok(self.engine().start(&id).await?)
    }

    /// The container that the journal says runs, disarmed.
    fn expected(&self, fold: &Fold) -> Result<Option<String>, StepError> {
        if Self::runs_by(fold) {
            return self.target().map(Some);
        }
        let found = fold.found.as_ref().filter(|found| found.running);
        let back = fold.undoing.is_some() && fold.undone.contains(&Effect::Stop);
        Ok(found.filter(|_| back).map(|found| found.id.clone()))
    }
}
