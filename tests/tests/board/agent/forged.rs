//! The daemon against a stolen controller: forged documents, pinned and stamped with the board's own
//! online keys. Each is refused by its code and reported, and nothing is promised.

use super::board::FalseBoard;
use super::host::Host;
use crate::forge::{forgeries, stamped};
use crate::world::World;
use anyhow::Result;
use muster_agent::control::view::Status;
use muster_proto::trust::{Offer, Publication};
use muster_proto::wire::muster::agent_message::Message as Said;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{Bulletin, OwnChain};

fn bulletin(offer: Offer) -> Message {
    Message::Bulletin(Bulletin::from(offer))
}

async fn host(world: &World, board: &FalseBoard) -> Result<Host> {
    let mut host = Host::new(world, "bob-1", 2, &[(board.addr, board.pin.clone())]).await?;
    host.start()?;
    Ok(host)
}

fn refused(status: &Status, code: &str) -> bool {
    status.refused.iter().any(|refused| refused.code == code)
}

/// Waits until the board is told of a refusal by that code; a receipt on the way fails.
async fn reports(board: &mut FalseBoard, code: &str) -> Result<()> {
    let told = |said| match said {
        Said::Refusal(refusal) if refusal.code == code => Some(()),
        Said::Receipt(_) => panic!("a receipt about a plan that was refused by {code}"),
        _ => None,
    };
    board.hears(told).await?;
    assert!(!board.rest().iter().any(|said| matches!(said, Said::Receipt(_))), "{code}");
    Ok(())
}

#[tokio::test]
async fn every_forged_document_is_refused_by_its_code_and_nothing_is_promised() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let good = world.plan(&board, 1).await;
    let offer = world.follow(&board).await.0.offer(0);
    board.stop().await;
    for forgery in forgeries(&good) {
        let forged = stamped(&world, offer.clone(), &forgery.publication);
        let mut board = FalseBoard::start(vec![bulletin(forged)], OwnChain::default()).await?;
        let host = host(&world, &board).await?;
        let status = host.until(|status| refused(status, forgery.code)).await?;
        assert!(status.plans.is_empty(), "{}: {:?}", forgery.name, status.plans);
        reports(&mut board, forgery.code).await?;
    }
    // The forgeries were refused for what was forged: stamped in the same way, the plan is taken.
    let honest = stamped(&world, offer, &good);
    let board = FalseBoard::start(vec![bulletin(honest)], OwnChain::default()).await?;
    let host = host(&world, &board).await?;
    let status = host.until(|status| !status.plans.is_empty()).await?;
    assert!(status.refused.is_empty(), "{:?}", status.refused);
    Ok(())
}

#[tokio::test]
async fn a_list_of_plans_of_before_is_refused_and_the_newer_one_stays() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let first = world.plan(&board, 1).await;
    board.publish(first.clone()).await.expect("published");
    let second = world.publish_plan(&board, 2).await;
    let offer = world.follow(&board).await.0.offer(0);
    board.stop().await;
    let replayed = stamped(&world, offer.clone(), &Publication { ..first });
    let script = vec![bulletin(offer), bulletin(replayed)];
    let board = FalseBoard::start(script, OwnChain::default()).await?;
    let host = host(&world, &board).await?;
    let status = host.until(|status| refused(status, "T005")).await?;
    assert!(status.plans.iter().any(|view| view.plan == second), "{:?}", status.plans);
    Ok(())
}
