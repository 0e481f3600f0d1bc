//! The main job on real containers, told as it goes: seven delegates, three officers with the
//! real `muster`, one controller that nobody trusts.

pub mod afterwards;
pub mod documents;
pub mod forger;
pub mod people;
pub mod scenes;
pub mod stage;

use anyhow::Result;

pub use stage::Stage;

/// Everything from the ceremony to the closing table.
///
/// # Errors
/// The first thing that did not go as it should.
pub async fn play(stage: &mut Stage) -> Result<()> {
    let mut told = Vec::new();
    told.push(scenes::upgrade(stage).await?);
    told.push(scenes::bad_release(stage).await?);
    scenes::tampered(stage).await?;
    told.push(scenes::stop(stage).await?);
    told.push(scenes::start(stage).await?);
    afterwards::table(&told);
    Ok(())
}
