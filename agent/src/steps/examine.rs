//! The test under way: of the node after its start, or of the old node after an undo.

use std::path::Path;

use jiff::Timestamp;
use muster_proto::documents::PlanId;
use muster_proto::documents::plan::Action;
use muster_proto::rule::Stage;
use muster_proto::rule::decision::Test;

use super::code;
use super::context::{Observed, PlanContext};
use super::error::{self, StepError};
use super::work::Work;
use crate::journal::{Effect, Fold, Record};
use crate::node::fleet::Fleet;
use crate::node::post::{Post, Sample, Terms};
use crate::node::{Seen, redact};

/// Time that stood still is written down in pieces of this length: a crash loses one at most.
const STOOD_STILL_PIECE_MS: u64 = 5_000;

/// A test under way.
pub(super) struct Examination {
    plan: PlanId,
    post: Post,
    /// Of [`Post::stood_still_ms`], what is in the journal.
    written_ms: u64,
}

impl super::Runner {
    /// How far a plan has come and how the node is under it. Takes a sample while a test runs.
    ///
    /// # Errors
    /// [`StepError`] when journal or Engine fail; nothing is known then.
    pub async fn observe(&self, context: &PlanContext) -> Result<Observed, StepError> {
        let fold = self.journal.fold(&context.id);
        let test = match fold.stage {
            _ if fold.interrupted.is_some() => Test::Unknown,
            Stage::Stopped | Stage::Started if fold.undoing.is_none() => {
                self.reopen(&context.id)?.examine(context.fleet).await?
            }
            Stage::Passed => Test::Pass,
            _ => Test::Unknown,
        };
        // The examination may have written a failure.
        let fold = self.journal.fold(&context.id);
        // A node that has nothing to go back to and came well after all, by itself or by its
        // people's hands, is no failure any more: what was begun can be finished.
        let upgrade = matches!(context.plan.action, Action::Upgrade(_));
        let well = !upgrade && matches!(test, Test::Pass | Test::Holding);
        Ok(Observed {
            stage: fold.stage,
            undoing: fold.undoing.is_some(),
            interrupted: fold.interrupted.is_some(),
            failed: fold.failed.as_ref().filter(|_| !well).map(error::why),
            asked: fold.asked,
            test,
        })
    }

    /// Since when the node of the test under way has been well.
    pub(super) fn well_since(&self, plan: &PlanId) -> Option<Timestamp> {
        let examination = self.examination();
        examination.as_ref().filter(|open| open.plan == *plan)?.post.well_since()
    }

    fn examination(&self) -> std::sync::MutexGuard<'_, Option<Examination>> {
        self.examination.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Work<'_> {
    /// Takes a sample and says how the test stands.
    pub(super) async fn examine(&self, fleet: Fleet) -> Result<Test, StepError> {
        let fold = self.fold();
        if fold.stage == Stage::Stopped && fold.undoing.is_none() {
            return self.examine_stop(&fold).await;
        }
        let terms = self.terms(&fold)?;
        let seen = self.runner.probe.look(&terms.id, true).await;
        if let (Some(container), Some(version)) = (&seen.container, &seen.version) {
            self.runner.journal.learn_version(&container.image, version)?;
        }
        let (test, stood_still) = self.judge(terms, &Sample::of(&seen, fleet));
        if stood_still > 0 {
            self.record(Record::StoodStill { ms: stood_still })?;
        }
        if let Test::Fail(why) = &test
            && fold.failed.is_none()
            && fold.undoing.is_none()
        {
            self.failed(error::cause(why))?;
            self.quote_log(&seen).await;
        }
        Ok(test)
    }

    /// What the node itself wrote last, for the agent's own log: receipts are public, and a
    /// node's log is not.
    async fn quote_log(&self, seen: &Seen) {
        const LINES: u32 = 10;
        let Some(container) = &seen.container else { return };
        let config = container.flag("config-path").map(Path::new);
        let config = config.and_then(|inside| container.host_path(inside));
        let config = config.and_then(|path| std::fs::read_to_string(path).ok());
        let secrets = config.as_deref().map(redact::secrets_of).unwrap_or_default();
        match self.engine().log_tail(&container.id, LINES, &secrets).await {
            Ok(lines) => lines.iter().for_each(|line| tracing::warn!(node_log = line)),
            Err(error) => tracing::warn!(%error, "the node's log cannot be read"),
        }
    }

    /// Adds a sample to the test under way; also says what to write down as stood still.
    fn judge(&self, terms: Terms, sample: &Sample) -> (Test, u64) {
        let mut open = self.runner.examination();
        let same = |open: &Examination| {
            open.plan == self.id
                && (&open.post.terms().id, open.post.terms().since) == (&terms.id, terms.since)
        };
        if !open.as_ref().is_some_and(same) {
            let post = Post::new(terms);
            *open = Some(Examination { plan: self.id.clone(), post, written_ms: 0 });
        }
        let Some(open) = open.as_mut() else { return (Test::Unknown, 0) };
        let test = open.post.add(sample);
        let unwritten = open.post.stood_still_ms() - open.written_ms;
        let told = !matches!(test, Test::CannotTell(_));
        if unwritten >= STOOD_STILL_PIECE_MS || (told && unwritten > 0) {
            open.written_ms += unwritten;
            return (test, unwritten);
        }
        (test, 0)
    }

    /// A stop is well when the container is down and the Engine will not start it.
    async fn examine_stop(&self, fold: &Fold) -> Result<Test, StepError> {
        let found = self.found()?;
        if !matches!(self.plan.action, Action::Stop) {
            return Ok(Test::Unknown);
        }
        let node = self.engine().inspect(&found.id).await?;
        let down = node.is_none_or(|node| node.state.is_down() && node.policy.is_no());
        Ok(match down && fold.exited().is_some() {
            true => Test::Pass,
            false => Test::Fail(StepError::fatal(code::STILL_RUNNING, &found.name).why()),
        })
    }

    fn terms(&self, fold: &Fold) -> Result<Terms, StepError> {
        let found = self.found()?;
        let back = fold.undoing.is_some() || !self.is_upgrade();
        let (id, image, version, genesis) = match back {
            true => (found.id, found.image, None, found.genesis),
            false => {
                let swapped = self.genesis_swap()?.map(|swap| swap.new);
                let missing = || StepError::fatal(code::OUT_OF_ORDER, "no new image");
                let version = self.release()?.version.clone();
                let image = self.new_image().ok_or_else(missing)?;
                (self.target()?, image, Some(version), swapped.or(found.genesis))
            }
        };
        let since = fold.undoing_since.or(fold.began);
        Ok(Terms {
            health: self.plan.health,
            id,
            image,
            version,
            genesis: genesis.map(|file| file.digest),
            since: since.or(fold.last).unwrap_or(Timestamp::UNIX_EPOCH),
            per_node_ms: self.plan.deadline.per_node_ms,
            stood_still_ms: fold.stood_still_ms,
            halted: self.is_halted(),
        })
    }

    /// The effect of the plan is a node that runs now, tested or not.
    pub(super) fn runs_by(fold: &Fold) -> bool {
        fold.done.contains_key(&Effect::Start) && fold.undoing.is_none()
    }
}
