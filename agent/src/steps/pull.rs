//! The release's image is here, and is the one that was signed.

use muster_proto::documents::release;

use super::code;
use super::effect::{Act, Precheck};
use super::error::StepError;
use super::work::Work;
use crate::journal::{Effect, Fact};
use crate::runtime::Image;

/// Effect [`Effect::Pull`].
pub(super) struct Pull;

impl Act for Pull {
    fn effect(&self) -> Effect {
        Effect::Pull
    }

    async fn precheck(&self, work: &Work<'_>) -> Result<Precheck, StepError> {
        let signed = signed(work).await?;
        match find(work, &signed).await? {
            Some(image) => checked(work, &signed, image).await.map(Precheck::Done),
            None if signed.manifest.is_none() => {
                Err(StepError::passing(code::NO_IMAGE, format!("image id {}", signed.config)))
            }
            None => Ok(Precheck::Needed),
        }
    }

    async fn apply(&self, work: &Work<'_>) -> Result<(), StepError> {
        let signed = signed(work).await?;
        match &signed.manifest {
            Some(manifest) => Ok(work.engine().pull(&signed.repository, manifest).await?),
            None => Ok(()),
        }
    }

    async fn verify(&self, work: &Work<'_>) -> Result<Fact, StepError> {
        let signed = signed(work).await?;
        let missing = || StepError::passing(code::NO_IMAGE, "not here after the pull");
        let image = find(work, &signed).await?.ok_or_else(missing)?;
        checked(work, &signed, image).await
    }

    /// The image stays: it harms nobody, and the next attempt needs no network.
    async fn undo(&self, _: &Work<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// What was signed for this host's platform.
async fn signed(work: &Work<'_>) -> Result<release::Image, StepError> {
    let platform = work.engine().platform().await?;
    let found = work.release()?.images.get(&platform).cloned();
    found.ok_or_else(|| StepError::fatal(code::NO_PLATFORM, platform))
}

/// The image by its config digest, else by its manifest digest: which of them is the Engine's
/// id depends on its store.
async fn find(work: &Work<'_>, signed: &release::Image) -> Result<Option<Image>, StepError> {
    if let Some(image) = work.engine().image(signed.config.as_str()).await? {
        return belongs(image, signed).map(Some);
    }
    let Some(manifest) = &signed.manifest else { return Ok(None) };
    let reference = format!("{}@{manifest}", signed.repository);
    match work.engine().image(&reference).await? {
        Some(image) => belongs(image, signed).map(Some),
        None => Ok(None),
    }
}

fn belongs(image: Image, signed: &release::Image) -> Result<Image, StepError> {
    if image.is(signed) {
        return Ok(image);
    }
    let text = format!("it is {}, signed is {}", image.id, signed.config);
    Err(StepError::fatal(code::WRONG_IMAGE, text))
}

/// A tag is only a name; one that names another image would mislead everybody who reads it.
async fn checked(
    work: &Work<'_>,
    signed: &release::Image,
    image: Image,
) -> Result<Fact, StepError> {
    let tag = format!("{}:{}", signed.repository, work.release()?.version);
    match work.engine().image(&tag).await? {
        Some(other) if other.id != image.id => {
            let text = format!("{tag} is {}, signed is {}", other.id, image.id);
            Err(StepError::fatal(code::TAG_ELSEWHERE, text))
        }
        _ => Ok(Fact::Pulled { image: image.id }),
    }
}
