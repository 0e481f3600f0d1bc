//! A board that stops, starts, is restored from an old copy, or finds its folder damaged.

use std::fs;

use muster_controller::mark::MarkError;
use muster_controller::serve::ServeError;
use muster_controller::store::StoreError;
use muster_proto::wire::muster::{HoldRequest, board_message::Message};

use super::agent::{Agent, acknowledged};
use crate::world::{ANN, NETWORK, World};

#[tokio::test]
async fn a_restart_loses_nothing() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    bob.receipt(&plan, acknowledged()).await;
    let beacon = bob.chain.beacon(42);
    bob.say(muster_proto::wire::muster::agent_message::Message::Beacon(beacon)).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.height_of("bob-1") == Some(42)).await;
    let hold = HoldRequest {
        network: NETWORK.into(),
        class: "hotfix".into(),
        serial: 1,
        reason: "wait".into(),
        seconds: 3600,
    };
    board.desk(ANN).await.hold(hold).await.unwrap();
    board.stop().await;

    let again = world.start().await;
    let mut ann = Agent::attach(&world, &again, "ann-1", 1).await;
    ann.until(|ann| {
        ann.trust.plans().contains_key(&plan)
            && ann.saw_acknowledged("bob-1", &plan)
            && ann.height_of("bob-1") == Some(42)
            && ann.holds.len() == 1
    })
    .await;
    world.publish_plan(&again, 2).await;
    ann.until(|ann| ann.trust.plans().len() == 2).await;
}

#[tokio::test]
async fn agents_are_told_that_the_board_goes_down_and_then_nobody_is_attached() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    board.stop().await;
    assert!(ann.ended().await.message().starts_with("N028"));
    let again = world.start().await;
    let attached = world.follow(&again).await.1.into_iter().find_map(|message| match message {
        Message::Attachments(all) => Some(all.attachments),
        _ => None,
    });
    assert!(attached.unwrap().iter().all(|attachment| !attachment.attached));
}

#[tokio::test]
async fn a_store_restored_from_an_old_copy_is_stale_and_harms_nobody() {
    let world = World::new();
    let board = world.start_with_roster().await;
    board.stop().await;
    let copy = fs::read(world.store()).unwrap();
    let board = world.start().await;
    let publication = world.plan(&board, 1).await;
    board.publish(publication.clone()).await.unwrap();
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.trust.plans().len() == 1).await;
    board.stop().await;
    fs::write(world.store(), copy).unwrap();

    let old = world.start().await;
    let held = ann.trust.fresh_until();
    let mut ann = Agent::attach_holding(ann.trust, &old, "ann-1", 1).await.unwrap();
    ann.until(|ann| ann.messages > 0).await;
    assert_eq!(ann.trust.plans().len(), 1, "what an agent holds stays");
    assert_eq!(ann.trust.fresh_until(), held, "an old list of documents is not vouched for anew");

    // The same document again, and the board is whole.
    old.publish(publication).await.unwrap();
    ann.until(|ann| ann.trust.fresh_until() > held).await;
    assert_eq!(ann.trust.plans().len(), 1);
}

#[tokio::test]
async fn receipts_that_an_old_copy_lacks_come_back_from_their_agents() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let plan = world.publish_plan(&board, 1).await;
    board.stop().await;
    let copy = fs::read(world.store()).unwrap();
    let board = world.start().await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    let first = bob.chain.receipt(&plan, acknowledged());
    bob.say(muster_proto::wire::muster::agent_message::Message::Receipt(first.clone())).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &plan)).await;
    board.stop().await;
    fs::write(world.store(), copy).unwrap();

    let old = world.start().await;
    let mut again = Agent::attach(&world, &old, "bob-1", 2).await;
    again.chain = bob.chain;
    again.receipt(&plan, muster_proto::evidence::Event::Prepared).await;
    again.until(|bob| bob.own_chain.as_ref().is_some_and(|own| own.counter == 0)).await;
    again.say(muster_proto::wire::muster::agent_message::Message::Receipt(first)).await;
    let mut ann = Agent::attach(&world, &old, "ann-1", 1).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &plan)).await;
}

#[tokio::test]
async fn a_damaged_store_or_mark_is_refused_by_code() {
    let world = World::new();
    world.start_with_roster().await.stop().await;
    let mark = world.config().mark();
    let good = fs::read(&mark).unwrap();
    fs::write(&mark, "{").unwrap();
    let refused = world.start_with(world.config()).await.err().unwrap();
    assert!(matches!(refused, ServeError::Mark(MarkError::Damaged { .. })), "{refused}");
    assert!(refused.to_string().starts_with("C016"));
    fs::write(&mark, good).unwrap();

    let mut bytes = fs::read(world.store()).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(world.store(), bytes).unwrap();
    let refused = world.start_with(world.config()).await.err().unwrap();
    assert!(matches!(refused, ServeError::Store(StoreError::Corrupt { .. })), "{refused}");
    assert!(refused.to_string().starts_with("C011"));
}

#[tokio::test]
async fn a_store_of_another_network_is_refused_by_code() {
    let world = World::new();
    world.start().await.stop().await;
    let mut config = world.config();
    config.network = "mainnet".into();
    let refused = world.start_with(config).await.err().unwrap();
    assert!(refused.to_string().starts_with("C013"), "{refused}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_by_code() {
    let world = World::new();
    let board = world.start().await;
    let other = World::new();
    let mut config = other.config();
    config.listen = board.addr;
    let refused = other.start_with(config).await.err().unwrap();
    assert!(refused.to_string().starts_with("C021"), "{refused}");
}
