//! The successor exists, not started, restart policy `no`; it is known by its label.

use serde_json::Value;

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::work::Work;
use crate::journal::{Effect, Fact, Found};
use crate::runtime::successor::LABEL_PLAN;
use crate::runtime::{Container, CreateSpec, successor};

/// Effect [`Effect::Create`].
pub(super) struct Create;

impl Act for Create {
    fn effect(&self) -> Effect {
        Effect::Create
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        match ours(work).await?.as_slice() {
            [] => Ok(Precheck::Needed),
            [only] => as_planned(work, only).map(Precheck::Done),
            several => {
                let text = format!("{} containers bear this plan's label", several.len());
                Err(StepError::fatal(code::SUCCESSOR_ODD, text))
            }
        }
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let found = work.found()?;
        let spec = spec(work, &found).await?;
        work.engine().create(&work.successor_name(&found), &spec).await?;
        Ok(())
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        match self.precheck(work).await? {
            Precheck::Done(fact) => Ok(fact),
            Precheck::Needed => Err(StepError::passing(code::SUCCESSOR_ODD, "it was not created")),
        }
    }

    async fn undo(&self, work: &Work<'_>) -> Result<(), StepError> {
        for container in ours(work).await? {
            if !container.state.is_down() {
                return Err(StepError::passing(code::STILL_RUNNING, &container.name));
            }
            work.engine().remove(&container.id).await?;
        }
        match ours(work).await?.is_empty() {
            true => Ok(()),
            false => Err(StepError::passing(code::UNDO, "the successor is still there")),
        }
    }
}

/// What to create, from the old container as it is now.
pub(super) async fn spec(work: &Work<'_>, found: &Found) -> Result<CreateSpec, StepError> {
    let gone = |what: &str| StepError::fatal(code::GONE, what);
    let old = work.engine().inspect(&found.id).await?.ok_or_else(|| gone("the old container"))?;
    let old_image = work.engine().image(old.image.as_str()).await?;
    let old_image = old_image.ok_or_else(|| gone("the old container's image"))?;
    let image = work.new_image().ok_or_else(|| gone("the new image"))?;
    let named = named(work, image.as_str()).await?;
    Ok(successor(&old.raw, &old_image.config, &named, work.id.digest.as_str()))
}

/// The release's tag where it names this very image, because people read it in `docker ps`;
/// else the id. What was created is checked by id in any case.
async fn named(work: &Work<'_>, image: &str) -> Result<String, StepError> {
    let version = &work.release()?.version;
    let tags = work.engine().image(image).await?.map(|image| image.tags).unwrap_or_default();
    let tag = tags.into_iter().find(|tag| tag.rsplit_once(':').is_some_and(|(_, t)| t == version));
    Ok(tag.unwrap_or_else(|| image.to_owned()))
}

/// Every container with this plan's label.
async fn ours(work: &Work<'_>) -> Result<Vec<Container>, StepError> {
    let label = format!("{LABEL_PLAN}={}", work.id.digest);
    let mut all = Vec::new();
    for id in work.engine().ids(Some(&label)).await? {
        all.extend(work.engine().inspect(&id).await?);
    }
    Ok(all)
}

fn as_planned(work: &Work<'_>, container: &Container) -> Result<Fact, StepError> {
    let odd = |text: &str| StepError::fatal(code::SUCCESSOR_ODD, text);
    if Some(&container.image) != work.new_image().as_ref() {
        return Err(odd("its image is another one"));
    }
    if !container.state.is_down() || !container.policy.is_no() {
        return Err(odd("somebody started it or gave it a restart policy"));
    }
    Ok(Fact::Created { id: container.id.clone() })
}

/// Effect [`Effect::Connect`]: the successor is attached to one more network.
pub(super) struct Connect {
    pub(super) network: String,
    pub(super) end: Value,
}

impl Connect {
    async fn is_joined(&self, work: &Work<'_>) -> Result<bool, StepError> {
        let id = work.target()?;
        let gone = || StepError::fatal(code::GONE, "the successor");
        let container = work.engine().inspect(&id).await?.ok_or_else(gone)?;
        let networks = container.raw.pointer("/NetworkSettings/Networks");
        Ok(networks.and_then(|networks| networks.get(&self.network)).is_some())
    }
}

impl Act for Connect {
    fn effect(&self) -> Effect {
        Effect::Connect(self.network.clone())
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        Ok(match self.is_joined(work).await? {
            true => Precheck::Done(Fact::Connected { network: self.network.clone() }),
            false => Precheck::Needed,
        })
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        Ok(work.engine().join(&work.target()?, &self.network, &self.end).await?)
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        match self.is_joined(work).await? {
            true => Ok(Fact::Connected { network: self.network.clone() }),
            false => Err(StepError::passing(code::SUCCESSOR_ODD, "not attached to its network")),
        }
    }

    /// The container goes as a whole.
    async fn undo(&self, _: &Work<'_>) -> Result<(), StepError> {
        Ok(())
    }
}
