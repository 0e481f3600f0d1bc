//! A board whose disk is full stops rather than forget: what it answered for is there when it is
//! started again, what it did not answer for is not.

use anyhow::Result;
use jiff::Timestamp;
use muster_proto::trust::draft;

use super::process::{Running, check};
use crate::disk::Disk;
use crate::world::{ALICE, PATIENCE, World, roster, sign};

#[tokio::test]
async fn a_board_whose_store_fails_stops_and_keeps_what_it_answered_for() -> Result<()> {
    let world = World::new();
    let data = world.config().data;
    std::fs::create_dir(&data)?;
    let disk = Disk::over(&data, 2_048).await?;
    let mut running = Running::start(&world, Some(&disk)).await?;
    world.publish_keys(&running.board).await;
    let first = roster(1, &[("ann-1", Some(1)), ("bob-1", Some(2))]);
    world.publish_roster(&running.board, &first).await;
    let trust = world.follow(&running.board).await.0;
    let second = roster(2, &[("ann-1", Some(1)), ("bob-1", Some(2)), ("cat-1", Some(3))]);
    let draft = draft::freeze_roster(&second, &trust, Timestamp::now())?;
    let second = sign(&draft, Some(&world.trust()), &[ALICE]);

    disk.fill()?;
    // Whether its own timestamp or this meets the full disk first, nobody is told that it is taken.
    let refused = running.board.publish(second.clone()).await;
    assert!(refused.is_err(), "{refused:?}");
    let ended = running.process.ends(PATIENCE).await?;
    assert_eq!(ended.code(), Some(1), "{}", running.process.tail());
    assert!(!running.lines("error: C014").is_empty(), "{}", running.process.tail());

    disk.free()?;
    let checked = check(&world, Some(&disk)).await?;
    assert!(checked.out.contains("in order"), "{checked:?}");
    let again = Running::start(&world, Some(&disk)).await?;
    assert_eq!(world.follow(&again.board).await.0.roster(), Some(&first));
    again.board.publish(second).await?;
    again.stop().await
}
