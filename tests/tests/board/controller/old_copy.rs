//! A board restored from an old copy of its data folder says so: by its mark, which lies beside the
//! folder, or, when the mark is as old, by the first agent that knows more.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use muster_proto::documents::PlanId;
use muster_proto::trust::Publication;

use super::agent::Agent;
use super::process::{Running, check};
use crate::world::World;

fn copy(from: &Path, to: &Path) -> Result<()> {
    ensure!(Command::new("cp").arg("-a").arg(from).arg(to).status()?.success(), "cp");
    Ok(())
}

/// A world whose board has carried a plan since the copies of its data folder and its mark were
/// made, and what ann holds of it.
struct Copied {
    world: World,
    ann: Agent,
    plan: (PlanId, Publication),
    copies: PathBuf,
}

impl Copied {
    async fn new() -> Result<Self> {
        let world = World::new();
        world.start_with_roster().await.stop().await;
        let copies = world.dir.path().join("copies");
        std::fs::create_dir(&copies)?;
        let config = world.config();
        copy(&config.data, &copies.join("data"))?;
        copy(&config.mark(), &copies.join("mark"))?;

        let board = world.start().await;
        let publication = world.plan(&board, 1).await;
        let plan = board.publish_plan(publication.clone(), 1).await;
        let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
        ann.until(|ann| ann.trust.plans().contains_key(&plan)).await;
        board.stop().await;
        std::fs::remove_dir_all(&config.data)?;
        copy(&copies.join("data"), &config.data)?;
        Ok(Self { world, ann, plan: (plan, publication), copies })
    }

    /// The old board again, and ann, who comes back and has heard several stamps of it.
    async fn back(&mut self) -> Result<Running> {
        let running = Running::start(&self.world, None).await?;
        let held = self.ann.trust.clone();
        self.ann = Agent::attach_holding(held, &running.board, "ann-1", 1).await.expect("attached");
        Ok(running)
    }

    /// The cure: the very same document is published again.
    async fn cure(&mut self, running: &Running) -> Result<()> {
        let held = self.ann.trust.fresh_until();
        running.board.publish(self.plan.1.clone()).await?;
        self.ann.until(|ann| ann.trust.fresh_until() > held).await;
        assert!(self.ann.trust.plans().contains_key(&self.plan.0));
        Ok(())
    }
}

#[tokio::test]
async fn a_data_folder_that_is_older_than_its_mark_is_told_and_not_vouched_for() -> Result<()> {
    let mut copied = Copied::new().await?;
    let checked = check(&copied.world, None).await?;
    assert!(checked.out.contains("C018") && checked.out.contains("hotfix"), "{checked:?}");
    let held = copied.ann.trust.fresh_until();
    let mut running = copied.back().await?;
    running.process.says("nothing is signed until", crate::world::PATIENCE).await?;
    assert!(running.lines("hotfix").iter().any(|line| line.contains("C018")), "no role is named");
    copied.ann.until(|ann| ann.messages > 0).await;
    assert_eq!(copied.ann.trust.fresh_until(), held, "an old list is not vouched for anew");
    assert!(copied.ann.trust.plans().contains_key(&copied.plan.0), "what an agent holds stays");
    copied.cure(&running).await?;
    running.stop().await
}

#[tokio::test]
async fn a_mark_that_is_as_old_as_its_store_does_not_deceive_an_agent() -> Result<()> {
    let mut copied = Copied::new().await?;
    copy(&copied.copies.join("mark"), &copied.world.config().mark())?;
    let checked = check(&copied.world, None).await?;
    assert!(checked.out.contains("in order"), "the board cannot know: {checked:?}");
    let held = copied.ann.trust.fresh_until();
    let mut running = copied.back().await?;
    running.process.says("C017", crate::world::PATIENCE).await?;
    let told = running.lines("C017");
    assert!(told.iter().all(|line| line.contains("node=ann-1")), "{told:?}");
    // It stamps its old list anew, and nobody who has seen the newer one takes that.
    copied.ann.until(|ann| ann.messages > 3).await;
    assert_eq!(copied.ann.trust.fresh_until(), held);
    assert!(copied.ann.trust.plans().contains_key(&copied.plan.0));
    copied.cure(&running).await?;
    running.stop().await
}
