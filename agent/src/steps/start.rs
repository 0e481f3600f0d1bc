//! The node runs: the successor in an upgrade, else the container itself. Never two producers.

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::policy::inspect;
use super::stop;
use super::work::Work;
use crate::journal::{Effect, Fact};

/// Effect [`Effect::Start`].
pub(super) struct Start;

impl Act for Start {
    fn effect(&self) -> Effect {
        Effect::Start
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let id = work.target()?;
        let node = inspect(work, &id).await?;
        Ok(match node.state.running {
            true => Precheck::Done(Fact::Started { id }),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let id = work.target()?;
        nobody_else(work, &id).await?;
        Ok(work.engine().start(&id).await?)
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        let id = work.target()?;
        let node = inspect(work, &id).await?;
        // A process that has left already was started all the same: the test will say so.
        let intended = work.intended(&Effect::Start);
        let started = node.state.started_at.zip(intended).is_some_and(|(at, since)| at >= since);
        match node.state.running || (started && node.state.error.is_empty()) {
            true => Ok(Fact::Started { id }),
            false => Err(StepError::passing(code::ENGINE, not_started(&node.state.error))),
        }
    }

    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        let node = inspect(work, &work.target()?).await?;
        let grace = stop::grace_of(work, &node).await;
        stop::bring_down(work, &node, grace).await
    }
}

/// Starts a container and verifies that it runs.
pub(super) async fn begin(work: &Work<'_>, id: &str) -> Result<(), StepError> {
    if inspect(work, id).await?.state.running {
        return Ok(());
    }
    nobody_else(work, id).await?;
    let asked = work.engine().start(id).await;
    let node = inspect(work, id).await?;
    if node.state.running {
        return Ok(());
    }
    asked?;
    Err(StepError::passing(code::UNDO, not_started(&node.state.error)))
}

fn not_started(error: &str) -> String {
    format!("it was not started {error}")
}

/// Before anything with the node's key is started: every other container with its data is
/// verified down, and the Engine will not start one by itself. Unknown means stay down.
pub(super) async fn nobody_else(work: &Work<'_>, id: &str) -> Result<(), StepError> {
    for other in work.runner.with_same_data(id).await? {
        if !other.state.is_down() || !other.policy.is_no() {
            return Err(StepError::passing(code::STILL_RUNNING, &other.name));
        }
    }
    Ok(())
}
