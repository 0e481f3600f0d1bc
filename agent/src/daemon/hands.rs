//! The one task that touches the node: asks the rule, does what it says, asks again.

use std::sync::Arc;
use std::time::Duration;

use muster_proto::documents::PlanId;
use muster_proto::rule::{Decision, Reason, Stage};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::core::Shared;
use crate::decide::{turns, words};
use crate::steps::{PlanContext, Ran, Runner, StepError};

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
    kept: Instant,
    failures: u32,
}

/// What a turn came to.
enum Went {
    /// Something took effect: what follows is decided anew, at once.
    On,
    /// Nothing to do until something changes.
    Nowhere,
}

/// A step that failed and may go away is tried again after this, doubling up to [`RETRY_MOST`].
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(30);

impl Hands {
    pub(super) fn new(core: Shared, runner: Arc<Runner>, draining: watch::Receiver<bool>) -> Self {
        let (changed, tell) = {
            let core = core.lock();
            (core.changed.clone(), core.tell.clone())
        };
        Self { core, runner, changed, tell, draining, kept: Instant::now(), failures: 0 }
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
        let turns = self.core.lock().turns();
        for id in turns {
            if *self.draining.borrow() && !self.core.lock().must_go_on(&id) {
                continue;
            }
            match self.turn(&id).await {
                Ok(Went::On) => {
                    self.failures = 0;
                    self.tell.notify_one();
                    return Duration::ZERO;
                }
                Ok(Went::Nowhere) => {}
                Err(error) => return self.failed(&id, &error),
            }
        }
        self.core.lock().tick()
    }

    async fn turn(&mut self, id: &PlanId) -> Result<Went, StepError> {
        let Some(context) = self.context(id) else {
            self.core.lock().note(id, "its signed bytes are not here".into());
            return Ok(Went::Nowhere);
        };
        let folded = self.core.lock().folded(id);
        let observed = match turns::begun(folded.stage) {
            true => self.runner.observe(&context).await?,
            false => folded,
        };
        let decision = self.core.lock().judge(id, &observed);
        match decision {
            Decision::Do(step) => {
                let ran = self.runner.run(&step, &context).await?;
                Ok(self.ran(id, ran))
            }
            Decision::Undo(why) => {
                let ran = self.runner.undo(&why, &context).await?;
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
        let never =
            matches!(reason, Reason::Expired(_) | Reason::Over { .. } | Reason::Superseded(_));
        if never && stage == Stage::Prepared {
            self.runner.unprepare(id).await?;
            return Ok(Went::On);
        }
        Ok(Went::Nowhere)
    }

    /// Settles what a crash left open, does what the restart policy would do.
    async fn keep(&mut self) {
        let pace = self.core.lock().keep_pace();
        if self.kept.elapsed() < pace && self.failures == 0 {
            return;
        }
        self.kept = Instant::now();
        if let Err(error) = self.runner.keep().await {
            tracing::warn!(%error, "the node could not be kept");
        }
    }

    fn context(&self, id: &PlanId) -> Option<PlanContext> {
        self.core.lock().context(id, &self.core)
    }

    fn failed(&mut self, id: &PlanId, error: &StepError) -> Duration {
        tracing::warn!(plan = %id, code = error.code.code, retry = error.retry, "{error}");
        self.core.lock().note(id, error.to_string());
        if !error.retry {
            // The failure is in the journal; the rule says what follows.
            return Duration::ZERO;
        }
        let wait = RETRY.saturating_mul(2_u32.saturating_pow(self.failures)).min(RETRY_MOST);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    fn must_go_on(&self) -> bool {
        let core = self.core.lock();
        core.turns().iter().any(|id| core.must_go_on(id))
    }
}
