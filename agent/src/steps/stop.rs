//! The container is down, verified by id: its stop signal, its grace, and only then SIGKILL.

use std::time::Duration;

use tokio::time::Instant;

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::policy::inspect;
use super::start;
use super::work::Work;
use crate::journal::{Effect, Exited, Fact, Tip};
use crate::runtime::{Container, ExitWatch};

/// A node in start-up ignores its stop signal until it is killed (IOTEX.md): when it must be
/// stopped all the same, more waiting is only more time away.
const STARTUP_GRACE: Duration = Duration::from_secs(10);

/// After SIGKILL the kernel needs a moment, a loaded host a few seconds.
const KILL_GRACE: Duration = Duration::from_secs(20);

/// Between two questions for the newest block while the node leaves.
const TIP_EVERY: Duration = Duration::from_millis(200);

/// Effect [`Effect::Stop`].
pub(super) struct Stop;

impl Act for Stop {
    fn effect(&self) -> Effect {
        Effect::Stop
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let old = inspect(work, &work.found()?.id).await?;
        if !old.policy.is_no() {
            return Err(StepError::fatal(code::OUT_OF_ORDER, "the restart policy is not `no`"));
        }
        Ok(match old.state.is_down() {
            true => Precheck::Done(Fact::Exited(exited(work, &old))),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let old = inspect(work, &work.found()?.id).await?;
        bring_down(work, &old, work.grace()).await
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        let old = inspect(work, &work.found()?.id).await?;
        match old.state.is_down() && old.policy.is_no() {
            true => Ok(Fact::Exited(exited(work, &old))),
            false => Err(StepError::passing(code::STILL_RUNNING, &old.name)),
        }
    }

    /// The old container runs again, if it ran when it was found.
    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        match found.running {
            true => start::begin(work, &found.id).await,
            false => Ok(()),
        }
    }
}

/// How it left, with the newest block that it told: just before it left, else when it began.
fn exited(work: &Work<'_>, old: &Container) -> Exited {
    let fold = work.fold();
    if let Some(known) = fold.exited() {
        return known.clone();
    }
    let heard = work.tip.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let tip = heard.map(|block| Tip { height: block.height, hash: block.hash }).or(fold.tip);
    Exited {
        exit: old.state.exit,
        height: tip.as_ref().map(|tip| tip.height),
        block_hash: tip.map(|tip| tip.hash),
    }
}

/// Stops a container and waits until it is verified down: signal, grace, SIGKILL.
pub(super) async fn bring_down(
    work: &Work<'_>,
    container: &Container,
    grace: Duration,
) -> Result<(), StepError> {
    let id = &container.id;
    let mut watch = work.engine().watch_exit(id).await?;
    if container.state.is_down() {
        return Ok(());
    }
    work.engine().signal(id, stop_signal(container)).await?;
    if wait(work, container, &mut watch, Instant::now() + grace).await?.is_some() {
        return Ok(());
    }
    tracing::warn!(container = container.name, grace_ms = grace.as_millis(), "killed after grace");
    work.engine().signal(id, "SIGKILL").await?;
    match watch.down(Instant::now() + KILL_GRACE).await? {
        Some(_) => Ok(()),
        None => Err(StepError::passing(code::STILL_RUNNING, &container.name)),
    }
}

/// The grace that a container gets when it must be stopped: a short one while it is in start-up.
pub(super) async fn grace_of(work: &Work<'_>, container: &Container) -> Duration {
    let grace = work.runner.settings.grace;
    let seen = work.runner.probe.look(&container.id, false).await;
    if seen.ready { grace } else { grace.min(STARTUP_GRACE) }
}

/// Waits until it is down, asking meanwhile for the newest block as long as it answers.
async fn wait(
    work: &Work<'_>,
    container: &Container,
    watch: &mut ExitWatch<'_>,
    deadline: Instant,
) -> Result<Option<Container>, StepError> {
    let tips = async {
        loop {
            if let Some(block) = work.runner.probe.newest(container).await {
                *work.tip.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(block);
            }
            tokio::time::sleep(TIP_EVERY).await;
        }
    };
    tokio::select! {
        down = watch.down(deadline) => Ok(down?),
        never = tips => never,
    }
}

/// What the container's owner or image says, else SIGTERM.
fn stop_signal(container: &Container) -> &str {
    let own = container.raw.pointer("/Config/StopSignal").and_then(serde_json::Value::as_str);
    own.filter(|signal| !signal.is_empty()).unwrap_or("SIGTERM")
}
