//! Controllers that die, come back, forget, and are not the only one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use muster_agent::control::view::{BoardState, Status};
use muster_proto::documents::{PlanId, canonical};
use muster_proto::rule::Final;
use muster_proto::trust::{Publication, draft};
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};

const ORDER: [&str; 3] = ["robot-1", "robot-2", "robot-3"];
const WHOLE: [&str; 5] = ["acknowledged", "prepared", "began", "stopped", "done"];

/// A step of it takes long enough for a board to die under it.
fn restart() -> Script {
    Script::new(1, "restart", 4).of(&ORDER)
}

/// Everybody restarted in order, and the board has every receipt of it.
fn finished_in_order(seen: &Seen) {
    assert_eq!(seen.order(1), ORDER);
    for node in ORDER {
        assert_eq!(seen.words(node, 1), WHOLE, "{node}");
    }
    for pair in ORDER.windows(2) {
        assert!(seen.at(pair[0], 1, "done") < seen.at(pair[1], 1, "began"), "{pair:?}");
    }
}

/// Receipts that the board holds of all nodes.
fn receipts(seen: &Seen) -> usize {
    seen.book.evidence().nodes.keys().map(|node| seen.receipts(node.as_str(), 1).len()).sum()
}

/// What the board said when it began about the receipts in its store.
fn restored(output: &str) -> Result<usize> {
    let line = output.lines().find(|line| line.contains("evidence receipts="));
    let said = line.and_then(|line| line.split_once("receipts="));
    let (_, rest) = said.with_context(|| format!("not said: {output}"))?;
    Ok(rest.split_whitespace().next().unwrap_or_default().parse()?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cannot copy {}", from.display());
    Ok(())
}

/// The store of a board that does not run, copied beside it.
fn keep_store(dir: &Path) -> Result<PathBuf> {
    let kept = dir.join("kept");
    copy(&dir.join("data"), &kept)?;
    Ok(kept)
}

/// An administrator puts the old copy back.
fn put_back(dir: &Path, kept: &Path) -> Result<()> {
    std::fs::remove_dir_all(dir.join("data"))?;
    copy(kept, &dir.join("data"))
}

/// The first board runs again, and the officers look at it again.
async fn back(fleet: &mut Fleet) -> Result<()> {
    fleet.boards[0].start().await?;
    let address = fleet.boards[0].address.clone();
    fleet.officers.attach(&address).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_in_hand_is_finished_without_any_board_and_reported_when_one_is_back() -> Result<()>
{
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.publish(&restart()).await?;
    fleet.until("robot-1 is at work", |seen| seen.order(1) == ["robot-1"]).await?;
    let before = fleet.see().await?;
    fleet.boards[0].kill().await?;
    fleet.until_status("robot-1", |status| status.plans[0].stage == "done").await?;
    let waits = |status: &Status| {
        let plan = &status.plans[0];
        plan.stage == "prepared" && plan.text.starts_with("no board can be reached")
    };
    fleet.until_status("robot-2", waits).await?;
    assert!(fleet.container("robot-1").await?.1);

    let back_at = Timestamp::now();
    back(&mut fleet).await?;
    fleet.until("all three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    let seen = fleet.see().await?;
    finished_in_order(&seen);
    assert!(seen.at("robot-1", 1, "done") < Some(back_at), "without a board");
    assert!(seen.at("robot-2", 1, "began") > Some(back_at), "and nobody else without evidence");
    for node in ORDER {
        let (then, now) = (before.receipts(node, 1), seen.receipts(node, 1));
        assert_eq!(then, now[..then.len()], "the board lost a receipt of {node}");
    }
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_restored_from_the_middle_is_handed_its_receipts_again() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let dir = fleet.boards[0].dir.clone();
    fleet.publish(&restart()).await?;
    fleet.until("robot-1 is at work", |seen| seen.order(1) == ["robot-1"]).await?;
    fleet.boards[0].kill().await?;
    let kept = keep_store(&dir)?;
    back(&mut fleet).await?;
    fleet.until("robot-2 is at work", |seen| seen.began(1).len() == 2).await?;
    let then = receipts(&fleet.see().await?);
    fleet.boards[0].kill().await?;
    put_back(&dir, &kept)?;
    back(&mut fleet).await?;
    assert!(restored(&fleet.boards[0].output())? < then, "the copy is older");

    fleet.until("all three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    finished_in_order(&fleet.see().await?);
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_restored_from_before_the_plan_goes_on_when_it_is_published_again() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let dir = fleet.boards[0].dir.clone();
    let (id, plan) = signed(&mut fleet, &restart()).await?;
    fleet.boards[0].kill().await?;
    let kept = keep_store(&dir)?;
    back(&mut fleet).await?;
    fleet.officers.hand_in(plan.clone()).await?;
    fleet.until("robot-1 is at work", |seen| seen.order(1) == ["robot-1"]).await?;
    fleet.boards[0].kill().await?;
    put_back(&dir, &kept)?;
    back(&mut fleet).await?;
    let known = fleet.see().await?.trust.plans().contains_key(&id);
    assert!(!known, "the copy does not know the plan");

    fleet.officers.hand_in(plan).await?;
    fleet.until("all three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    finished_in_order(&fleet.see().await?);
    fleet.end().await
}

async fn signed(fleet: &mut Fleet, script: &Script) -> Result<(PlanId, Publication)> {
    fleet.officers.refresh().await?;
    let plan = fleet.officers.freeze(&script.yaml())?;
    let draft = draft::freeze_plan(&plan, &fleet.officers.trust, Timestamp::now())?;
    let bytes = canonical::to_bytes(&plan)?;
    Ok((plan.id(&bytes), fleet.officers.signed(&draft, 2)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_boards_one_dies_and_the_work_goes_on_by_the_other() -> Result<()> {
    let mut fleet = Fleet::up(Make { boards: 2, ..Make::quick(4) }).await?;
    fleet.publish(&restart()).await?;
    fleet.share().await?;
    fleet.until("robot-1 is at work", |seen| seen.order(1) == ["robot-1"]).await?;
    fleet.boards[0].kill().await?;
    let second = fleet.boards[1].address.clone();
    fleet.officers.attach(&second).await?;
    fleet.until("all three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    finished_in_order(&fleet.see().await?);
    fleet
        .until_status("robot-4", |status| {
            let attached = |at: usize| status.boards[at].state == BoardState::Attached;
            !attached(0) && attached(1)
        })
        .await?;
    fleet.end().await
}
