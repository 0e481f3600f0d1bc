//! Officers and watchers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::trust::Publication;
use muster_proto::trust::draft;
use muster_proto::wire::muster::{HistoryRequest, HoldRequest, PublishRequest, ReleaseHoldRequest};
use tonic::{Code, Status};

use super::agent::{Agent, acknowledged};
use crate::world::{ANN, Board, NETWORK, WES, World, key, sign};

fn hold(serial: u64, seconds: u32) -> HoldRequest {
    let reason = "look at the canary first".into();
    HoldRequest { network: NETWORK.into(), class: "hotfix".into(), serial, reason, seconds }
}

fn release(serial: u64) -> ReleaseHoldRequest {
    ReleaseHoldRequest { network: NETWORK.into(), class: "hotfix".into(), serial }
}

fn history() -> HistoryRequest {
    HistoryRequest { network: NETWORK.into(), limit: 0 }
}

fn refused<T>(answer: Result<T, Status>, code: &str) {
    let status = answer.err().expect("a refusal");
    assert!(status.message().starts_with(code), "{status:?}");
}

#[tokio::test]
async fn an_empty_board_hands_out_its_roots_and_takes_nothing_before_the_keys() {
    let world = World::new();
    let board = world.start().await;
    let (trust, rest) = world.follow(&board).await;
    assert_eq!(trust.versions().root, 1);
    assert!(trust.roster().is_none());
    assert_eq!(rest.len(), 1, "{rest:?}");
    let request = PublishRequest { role: "roster".into(), ..PublishRequest::default() };
    refused(board.desk(ANN).await.publish(request).await, "C104");
}

#[tokio::test]
async fn each_right_is_asked_for_on_each_call() {
    let world = World::new();
    let board = world.start_with_roster().await;
    world.publish_plan(&board, 1).await;
    let stranger = 99;
    refused(board.follow(stranger, true).await, "C100");
    refused(board.desk(stranger).await.history(history()).await, "C100");
    refused(board.desk(stranger).await.publish(PublishRequest::default()).await, "C100");
    board.follow(WES, true).await.unwrap();
    board.desk(WES).await.history(history()).await.unwrap();
    refused(board.desk(WES).await.publish(PublishRequest::default()).await, "C101");
    refused(board.desk(WES).await.hold(hold(1, 60)).await, "C101");
    refused(board.desk(WES).await.release_hold(release(1)).await, "C101");
    board.desk(ANN).await.hold(hold(1, 60)).await.unwrap();
}

#[tokio::test]
async fn an_agents_key_opens_no_desk_and_a_persons_key_no_stream() {
    let world = World::new();
    let board = world.start_with_roster().await;
    refused(board.follow(1, true).await, "C100");
    let status = Agent::try_attach(&world, &board, "ann-1", ANN).await.err().unwrap();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn another_network_is_refused_by_name() {
    let world = World::new();
    let board = world.start().await;
    let asked = HistoryRequest { network: "mainnet".into(), limit: 0 };
    refused(board.desk(ANN).await.history(asked).await, "C102");
}

#[tokio::test]
async fn a_draft_that_was_overtaken_is_refused_and_says_so() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let overtaken = world.plan(&board, 1).await;
    let plan = world.publish_plan(&board, 1).await;
    // The very same again is no news and no error.
    let same = board.publish(overtaken.clone()).await;
    let second = world.plan(&board, 2).await;
    world.publish_plan(&board, 2).await;
    match same {
        Ok(reply) => assert_eq!(reply.version, 1),
        Err(status) => assert!(status.message().starts_with("C103"), "{status:?}"),
    }
    let overtaken = Publication { metadata: changed(&second.metadata), ..second };
    refused(board.publish(overtaken).await, "C1");
    assert!(world.follow(&board).await.0.plans().contains_key(&plan));
}

fn changed(metadata: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(metadata.to_vec()).unwrap();
    text.replacen("\"sig\":\"", "\"sig\":\"00", 1).into_bytes()
}

#[tokio::test]
async fn tampered_and_under_signed_documents_are_refused_and_change_nothing() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let good = world.plan(&board, 1).await;
    let tampered = Publication { metadata: changed(&good.metadata), ..good.clone() };
    refused(board.publish(tampered).await, "C104");
    let target = |path: &String| (path.clone(), b"{}".to_vec());
    let swapped =
        Publication { targets: good.targets.keys().map(target).collect(), ..good.clone() };
    refused(board.publish(swapped).await, "C104");
    let withheld = Publication { targets: BTreeMap::new(), ..good.clone() };
    let answer = board.publish(withheld).await;
    if answer.is_ok() {
        panic!("a document without its content was published");
    }
    let (trust, _) = world.follow(&board).await;
    assert!(trust.plans().is_empty());
    board.publish(good).await.unwrap();
}

#[tokio::test]
async fn a_role_that_is_none_is_refused() {
    let world = World::new();
    let board = world.start().await;
    let request = PublishRequest { role: "snapshot".into(), ..PublishRequest::default() };
    refused(board.desk(ANN).await.publish(request).await, "C107");
}

#[tokio::test]
async fn a_new_root_is_published_and_reaches_agents() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    let trust = world.follow(&board).await.0;
    let spec = world.root_spec(2);
    let draft = draft::freeze_root(&spec, Some(&trust), Timestamp::now()).unwrap();
    board.publish(sign(&draft, Some(&world.trust()), &[50, 51])).await.unwrap();
    ann.until(|ann| ann.trust.versions().root == 2).await;
    ann.until(|ann| ann.trust.roster().is_some()).await;
}

#[tokio::test]
async fn a_root_without_this_boards_online_keys_is_refused() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let trust = world.follow(&board).await.0;
    let mut spec = world.root_spec(2);
    spec.publishers.insert("timestamp".into(), key(77).public());
    let draft = draft::freeze_root(&spec, Some(&trust), Timestamp::now()).unwrap();
    let publication = sign(&draft, Some(&world.trust()), &[50, 51]);
    refused(board.publish(publication).await, "C106");
}

#[tokio::test]
async fn a_hold_reaches_agents_and_is_taken_back() {
    let world = World::new();
    let board = world.start_with_roster().await;
    world.publish_plan(&board, 1).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    let mut desk = board.desk(ANN).await;
    let held = desk.hold(hold(1, 60)).await.unwrap().into_inner();
    assert_eq!((held.holds.len(), held.holds[0].by.as_str()), (1, "ann"));
    ann.until(|ann| ann.holds.len() == 1).await;
    let left = desk.release_hold(release(1)).await.unwrap().into_inner();
    assert!(left.holds.is_empty());
    ann.until(|ann| ann.holds.is_empty()).await;
}

#[tokio::test]
async fn a_hold_ends_by_itself() {
    let world = World::new();
    let board = world.start_with_roster().await;
    world.publish_plan(&board, 1).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    board.desk(ANN).await.hold(hold(1, 1)).await.unwrap();
    ann.until(|ann| !ann.holds.is_empty()).await;
    ann.until(|ann| ann.holds.is_empty()).await;
}

#[tokio::test]
async fn holds_are_bounded_and_need_a_plan() {
    let world = World::new();
    let board = world.start_with_roster().await;
    world.publish_plan(&board, 1).await;
    let mut desk = board.desk(ANN).await;
    refused(desk.hold(hold(1, 24 * 3600 + 1)).await, "C108");
    refused(desk.hold(hold(7, 60)).await, "C109");
    let silent = HoldRequest { reason: String::new(), ..hold(1, 60) };
    refused(desk.hold(silent).await, "C110");
}

#[tokio::test]
async fn a_plan_with_a_serial_that_went_back_is_refused_even_when_its_role_is_new() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let good = world.plan(&board, 2_000).await;
    refused(board.publish(good).await, "C111");
}

#[tokio::test]
async fn history_holds_every_plan_with_its_receipts_newest_first() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let first = world.publish_plan(&board, 1).await;
    world.publish_plan(&board, 2).await;
    let mut bob = Agent::attach(&world, &board, "bob-1", 2).await;
    bob.receipt(&first, acknowledged()).await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &first)).await;
    let told = all_history(&board).await;
    assert_eq!(told, [(2, 0), (1, 1)]);
    board.stop().await;
    assert_eq!(all_history(&world.start().await).await, [(2, 0), (1, 1)]);
}

/// Serials with the number of their receipts.
async fn all_history(board: &Board) -> Vec<(u64, usize)> {
    let told = board.desk(WES).await.history(history()).await.unwrap().into_inner();
    let serial = |plan: &[u8]| {
        let plan: serde_json::Value = serde_json::from_slice(plan).unwrap();
        plan["serial"].as_u64().unwrap()
    };
    told.entries.iter().map(|entry| (serial(&entry.plan), entry.receipts.len())).collect()
}

#[tokio::test]
async fn a_board_without_publisher_keys_serves_what_it_is_given() {
    let world = World::new();
    let with_keys = world.start_with_roster().await;
    let plan = world.plan(&with_keys, 1).await;
    let mut publisher = world.follow(&with_keys).await.0;
    with_keys.stop().await;
    let mut config = world.config();
    let files = config.publisher.take().unwrap();
    let board = world.start_with(config).await.unwrap();
    refused(board.publish(plan.clone()).await, "C105");

    let read = |path| muster_controller::keys::read(path).unwrap();
    let keys =
        muster_proto::trust::Publisher::new(read(&files.snapshot_key), read(&files.timestamp_key));
    let offer = keys.publish(&publisher, &plan, Timestamp::now()).unwrap();
    publisher.take(&offer, Timestamp::now());
    let request = PublishRequest {
        snapshot: offer.snapshot.unwrap(),
        timestamp: offer.timestamp.unwrap(),
        ..plan.into()
    };
    board.desk(ANN).await.publish(request).await.unwrap();
    assert_eq!(world.follow(&board).await.0.plans().len(), 1);
}

#[tokio::test]
async fn timestamps_are_signed_again_and_again() {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Agent::attach(&world, &board, "ann-1", 1).await;
    ann.until(|ann| ann.trust.fresh_until().is_some()).await;
    let first = ann.trust.fresh_until();
    ann.until(|ann| ann.trust.fresh_until() > first).await;
}
