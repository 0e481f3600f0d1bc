//! Documents that lie, handed over gRPC to a controller's desk by somebody who may publish: each is
//! refused by its code, and the board is as it was.

use crate::forge::forgeries;
use crate::world::{Board, World};
use muster_proto::trust::Publication;
use tonic::Status;

/// Everything that a publication could have changed: the clock's stamps go on.
async fn held(world: &World, board: &Board) -> (u64, Vec<(String, Vec<u8>)>, Vec<String>) {
    let (trust, _) = world.follow(board).await;
    let offer = trust.offer(0);
    let plans = trust.plans().keys().map(ToString::to_string).collect();
    (trust.versions().root, offer.roles.into_iter().chain(offer.targets).collect(), plans)
}

#[track_caller]
fn refused<T>(name: &str, answer: Result<T, Status>, desk: &str, why: &str) {
    let Err(status) = answer else { panic!("{name}: published") };
    let said = status.message();
    assert!(said.starts_with(desk) && said.contains(why), "{name}: {desk} {why} in {said}");
}

#[tokio::test]
async fn every_forged_document_is_refused_by_its_code_and_changes_nothing() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let good = world.plan(&board, 1).await;
    let before = held(&world, &board).await;
    for forgery in forgeries(&good) {
        let answer = board.publish(forgery.publication).await;
        refused(forgery.name, answer, "C104", &format!(": {}:", forgery.code));
        assert!(held(&world, &board).await == before, "{} left a trace", forgery.name);
    }
    // The forgeries were refused for what was forged, not for what they began as.
    board.publish(good).await.expect("published");
    assert!(held(&world, &board).await != before);
}

#[tokio::test]
async fn a_plan_of_before_is_refused_and_changes_nothing() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let first = world.plan(&board, 1).await;
    board.publish(first.clone()).await.expect("published");
    world.publish_plan(&board, 2).await;
    let before = held(&world, &board).await;
    refused("replayed", board.publish(first).await, "C103", "");
    assert!(held(&world, &board).await == before);
}

#[tokio::test]
async fn a_plan_handed_in_as_another_role_is_refused_and_changes_nothing() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let good = world.plan(&board, 1).await;
    let before = held(&world, &board).await;
    // Bob has a say in hotfixes and none in the roster; nobody has any in drills.
    for (role, desk, why) in
        [("roster", "C104", "T003"), ("drill", "C104", "T009"), ("timestamp", "C107", "")]
    {
        let metadata = crate::forge::resigned(&good.metadata, &[crate::world::BOB], |_| {});
        let other = Publication { role: role.into(), metadata, ..good.clone() };
        refused(role, board.publish(other).await, desk, why);
        assert!(held(&world, &board).await == before, "{role} left a trace");
    }
}
