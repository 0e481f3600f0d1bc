//! The one task that touches the node: asks the rule, does what it says, asks again.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use muster_proto::documents::PlanId;
use muster_proto::rule::{Decision, Reason, Stage, Step};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::core::Shared;
use crate::decide::{turns, words};
use crate::steps::{PlanContext, Ran, Runner, StepError, code};

/// What the hands need.
pub(super) struct Hands {
    pub(super) core: Shared,
    pub(super) runner: Arc<Runner>,
    /// Rung when a decision may come out otherwise.
    pub(super) changed: Arc<Notify>,
    /// Rings the pulse.
    pub(super) tell: Arc<Notify>,
    /// True from the moment on when nothing more is begun.
    pub(super) draining: watch::Receiver<bool>,
    kept: Option<Instant>,
    retries: BTreeMap<PlanId, Retry>,
}

/// What a turn came to.
enum Went {
    /// Something took effect: what follows is decided anew, at once.
    On,
    /// Nothing to do until something changes.
    Nowhere,
}

/// A step that failed and may go away is tried again after this, doubling.
const RETRY: Duration = Duration::from_millis(500);
/// At the longest: while the node runs untouched, a registry or an Engine is given time.
const RETRY_MOST: Duration = Duration::from_secs(30);
/// At the longest while the plan is in hand: the node may be down.
const RETRY_MOST_IN_HAND: Duration = Duration::from_secs(2);

/// When a plan whose step failed is tried again.
#[derive(Debug, Clone, Copy)]
struct Retry {
    failures: u32,
    at: Instant,
}

impl Hands {
    pub(super) fn new(core: Shared, runner: Arc<Runner>, draining: watch::Receiver<bool>) -> Self {
        let (changed, tell) = {
            let core = core.lock();
            (core.changed.clone(), core.tell.clone())
        };
        Self { core, runner, changed, tell, draining, kept: None, retries: BTreeMap::new() }
    }

    /// Works until the agent drains and nothing is left that must go on.
    pub(super) async fn run(mut self) {
        loop {
            let pause = self.round().await;
            if *self.draining.borrow() && !self.must_go_on() {
                return;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.changed.notified() => {}
                _ = self.draining.changed() => {}
            }
        }
    }

    /// Asks about every plan once; ends early when something took effect.
    async fn round(&mut self) -> Duration {
        self.keep().await;
        let mut pause = self.core.lock().tick();
        let turns = self.core.lock().turns();
        for id in turns {
            if *self.draining.borrow() && !self.core.lock().must_go_on(&id) {
                continue;
            }
            let wait = self.retries.get(&id).map(|retry| retry.at - Instant::now());
            if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
                pause = pause.min(wait);
                continue;
            }
            match self.turn(&id).await {
                Ok(Went::On) => {
                    self.retries.remove(&id);
                    self.tell.notify_one();
                    return Duration::ZERO;
                }
                Ok(Went::Nowhere) => {}
                Err(error) => self.failed(id, &error),
            }
        }
        pause
    }

    async fn turn(&mut self, id: &PlanId) -> Result<Went, StepError> {
        let folded = self.core.lock().folded(id);
        let observed = match turns::begun(folded.stage) {
            true => self.runner.observe(&self.context(id)?).await?,
            false => folded,
        };
        let decision = self.core.lock().judge(id, &observed);
        match decision {
            Decision::Do(step @ (Step::Prepare | Step::Begin(_))) => {
                self.before_the_effect(&step, &self.context(id)?).await
            }
            Decision::Do(step) => {
                let ran = self.runner.run(&step, &self.context(id)?).await?;
                Ok(self.ran(id, ran))
            }
            Decision::Undo(why) => {
                let ran = self.runner.undo(&why, &self.context(id)?).await?;
                Ok(self.ran(id, ran))
            }
            Decision::Wait(reason) => self.wait(id, observed.stage, &reason).await,
            Decision::Finished(last) => {
                self.core.lock().settle(id, last);
                Ok(Went::Nowhere)
            }
            Decision::Stuck(_) => Ok(Went::Nowhere),
        }
    }

    /// To pull an image takes minutes, the beat some intervals: until the effect begins it is
    /// dropped, as a crash would drop it, when another plan calls (a promise that is missing holds
    /// up everybody, and a stop waits for nobody) or the agent ends.
    async fn before_the_effect(
        &mut self,
        step: &Step,
        context: &PlanContext,
    ) -> Result<Went, StepError> {
        let runner = self.runner.clone();
        let mut work = pin!(runner.run(step, context));
        loop {
            tokio::select! {
                ran = &mut work => return ran.map(|ran| self.ran(&context.id, ran)),
                () = self.changed.notified() => {}
                _ = self.draining.changed() => {}
            }
            let core = self.core.lock();
            let begun = turns::begun(core.folded(&context.id).stage);
            if !begun && (*self.draining.borrow() || core.another_calls(&context.id)) {
                return Ok(Went::On);
            }
        }
    }

    fn ran(&mut self, id: &PlanId, ran: Ran) -> Went {
        match ran {
            Ran::Did(stage) => {
                if let Stage::Over(last) = stage {
                    let mut core = self.core.lock();
                    core.settle(id, last);
                    core.note(id, words::outcome(last).into());
                }
                Went::On
            }
            Ran::AskAfresh => Went::On,
            Ran::NotNow(reason) => {
                self.core.lock().note(id, reason.to_string());
                Went::Nowhere
            }
            Ran::Waits(_) => Went::Nowhere,
        }
    }

    /// What was prepared for a plan that can no longer begin is taken away again.
    async fn wait(&self, id: &PlanId, stage: Stage, reason: &Reason) -> Result<Went, StepError> {
        if reason.is_for_good() && stage == Stage::Prepared {
            self.runner.unprepare(id).await?;
            return Ok(Went::On);
        }
        Ok(Went::Nowhere)
    }

    /// Settles what a crash left open, does what the restart policy would do.
    async fn keep(&mut self) {
        let pace = self.core.lock().keep_pace();
        if self.kept.is_some_and(|kept| kept.elapsed() < pace) {
            return;
        }
        self.kept = Some(Instant::now());
        if let Err(error) = self.runner.keep().await {
            tracing::warn!(%error, "the node could not be kept");
        }
    }

    fn context(&self, id: &PlanId) -> Result<PlanContext, StepError> {
        let context = self.core.lock().context(id, &self.core);
        context.ok_or_else(|| StepError::passing(code::NO_RELEASE, "the plan's signed bytes"))
    }

    /// One that trying again does not cure is in the journal, and the rule says what follows.
    fn failed(&mut self, id: PlanId, error: &StepError) {
        let mut core = self.core.lock();
        core.note(&id, error.to_string());
        let most = match turns::begun(core.folded(&id).stage) {
            true => RETRY_MOST_IN_HAND,
            false => RETRY_MOST,
        };
        drop(core);
        let failures = self.retries.get(&id).map_or(0, |retry| retry.failures);
        let wait = RETRY.saturating_mul(2_u32.saturating_pow(failures)).min(most);
        self.retries.insert(id, Retry { failures: failures + 1, at: Instant::now() + wait });
    }

    fn must_go_on(&self) -> bool {
        let core = self.core.lock();
        core.turns().iter().any(|id| core.must_go_on(id))
    }
}
