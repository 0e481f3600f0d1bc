//! The daemon against a real board: attachment, promises, the operator's answers, its end.
//! No Engine is reachable here: what touches a node is tested with containers.

use super::host::Host;
use crate::world::{Board, NETWORK, World, roster};
use anyhow::{Context as _, Result};
use muster_agent::control::view::{BoardState, Enrolled, Pending};
use muster_proto::documents::{Digest, NodeName, PlanId};
use muster_proto::evidence::book::Book;
use muster_proto::rule::{Final, PlanFacts};
use muster_proto::wire::muster::board_message::Message;

pub(super) fn at(board: &Board) -> (std::net::SocketAddr, Digest) {
    (board.addr, board.pin.clone())
}

/// All that the board hands out, verified.
async fn book(world: &World, board: &Board) -> Book {
    let (trust, messages) = world.follow(board).await;
    let mut book = Book::new(NETWORK);
    book.admit(trust.last_roster().expect("a roster"), trust.plans());
    for message in messages {
        let Message::Evidence(evidence) = message else { continue };
        for receipt in &evidence.receipts {
            book.receipt(receipt).expect("a good receipt");
        }
        for beacon in &evidence.beacons {
            book.beacon(beacon, jiff::Timestamp::now()).expect("a good beacon");
        }
    }
    book
}

/// Waits until the board holds what is wanted of `node` under `plan`.
pub(super) async fn told(
    world: &World,
    board: &Board,
    node: &str,
    plan: &PlanId,
    wanted: impl Fn(&PlanFacts) -> bool,
) -> PlanFacts {
    let node: NodeName = node.parse().expect("a name");
    let deadline = tokio::time::Instant::now() + crate::world::PATIENCE;
    let mut look = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        look.tick().await;
        let book = book(world, board).await;
        if let Some(facts) = book.evidence().plan(&node, plan).filter(|facts| wanted(facts)) {
            return facts.clone();
        }
        let evidence = book.evidence();
        assert!(tokio::time::Instant::now() < deadline, "{node}: {evidence:?}");
    }
}

#[tokio::test]
async fn an_agent_that_no_roster_lists_says_so_and_attaches_once_it_is_listed() -> Result<()> {
    let world = World::new();
    let board = world.start().await;
    world.publish_keys(&board).await;
    let mut host = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    host.start()?;
    let refused = |state: &BoardState| matches!(state, BoardState::NotEnrolled { .. });
    let status = host.until(|status| refused(&status.boards[0].state)).await?;
    assert_eq!(status.enrolled, Enrolled::No);
    let screen = host.ask("status", &[]).await?.out;
    assert!(screen.contains("not enrolled") && screen.contains("bob-1.enrol"), "{screen}");
    world.publish_roster(&board, &roster(1, &[("ann-1", Some(1)), ("bob-1", Some(2))])).await;
    let status = host.attached().await?;
    host.until(|status| status.enrolled == Enrolled::Yes).await?;
    assert_eq!(status.trust.root, 1);
    Ok(())
}

#[tokio::test]
async fn a_plan_is_promised_by_its_order_and_by_everybody_else_it_counts() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Host::new(&world, "ann-1", 1, &[at(&board)]).await?;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    ann.start()?;
    bob.start()?;
    bob.attached().await?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "ann-1", &plan, |facts| facts.acknowledged.is_some()).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    // Without an Engine the node cannot be prepared: said with its code, tried again.
    let view = bob.plan(&plan, |view| view.text.starts_with("E3")).await?;
    assert_eq!((view.stage.as_str(), view.over), ("acknowledged", false));
    let log = bob.ask("log", &[]).await?.out;
    assert!(log.contains("#1") && log.contains("acknowledged"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_plan_that_asks_waits_for_the_operator_and_a_no_is_a_receipt() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.policy("default: ask");
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.asked.is_some()).await;
    let said = bob.ask("pending", &["--json"]).await?;
    let pending: Vec<Pending> = serde_json::from_str(&said.out)?;
    assert_eq!(pending.len(), 1);
    assert_eq!((&pending[0].plan, pending[0].what.as_str()), (&plan, "stop"));
    assert!(pending[0].since.is_some() && pending[0].absent_from.is_some());

    let said = bob.ask("decline", &["hotfix/1", "--why", "on holiday"]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    let facts = told(&world, &board, "bob-1", &plan, |facts| facts.outcome.is_some()).await;
    assert_eq!(facts.outcome.map(|(last, _)| last), Some(Final::Declined));
    let said = bob.ask("approve", &["1", "--yes"]).await?;
    assert!(said.code == 3 && said.err.contains("E533"), "{}", said.err);
    assert!(bob.ask("log", &[]).await?.out.contains("on holiday"));
    Ok(())
}

#[tokio::test]
async fn an_approved_plan_goes_on_and_stays_approved_over_a_restart() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.policy("default: ask");
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    bob.plan(&plan, |view| view.text.contains("operator")).await?;
    assert_eq!(bob.ask("approve", &["1", "--yes"]).await?.code, 0);
    bob.plan(&plan, |view| view.text.starts_with("E3")).await?;
    assert!(bob.stop().await?.success());
    bob.start()?;
    bob.plan(&plan, |view| view.text.starts_with("E3")).await?;
    let said = bob.ask("explain", &["1"]).await?;
    assert!(said.out.contains("approved by you"), "{}", said.out);
    assert!(said.out.contains("1 of 1, wave all"), "{}", said.out);
    Ok(())
}

#[tokio::test]
async fn a_policy_that_refuses_declines_by_receipt_and_a_new_file_needs_no_restart() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.policy("default: ask");
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    bob.plan(&plan, |view| view.text.contains("operator")).await?;

    bob.policy("hotfix: {routine: refyse}");
    let status = bob.until(|status| status.policy.problem.is_some()).await?;
    let problem = status.policy.problem.expect("it was there");
    assert!(problem.contains("policy.yaml:2:") && problem.contains("E503"), "{problem}");
    assert!(bob.plan(&plan, |_| true).await?.text.contains("operator"), "the old one stands");

    bob.policy("hotfix: {routine: refuse}");
    let facts = told(&world, &board, "bob-1", &plan, |facts| facts.outcome.is_some()).await;
    assert_eq!(facts.outcome.map(|(last, _)| last), Some(Final::Declined));
    bob.plan(&plan, |view| view.over && view.text == "declined").await?;
    Ok(())
}

#[tokio::test]
async fn it_works_on_when_one_of_its_boards_is_gone() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    // Nobody listens on port 1.
    let gone = ("127.0.0.1:1".parse()?, Digest::of(b"gone"));
    let mut bob = Host::new(&world, "bob-1", 2, &[gone, at(&board)]).await?;
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    let status = bob.until(|status| status.boards[1].state == BoardState::Attached).await?;
    assert!(matches!(&status.boards[0].state, BoardState::Lost { why } if why.contains("N010")));
    Ok(())
}

#[tokio::test]
async fn a_board_with_another_key_than_the_pinned_one_is_not_talked_to() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let other = (board.addr, Digest::of(b"another key"));
    let mut bob = Host::new(&world, "bob-1", 2, &[other]).await?;
    bob.start()?;
    let wrong =
        |state: &BoardState| matches!(state, BoardState::Lost { why } if why.contains("N012"));
    let status = bob.until(|status| wrong(&status.boards[0].state)).await?;
    assert_eq!(status.trust.timestamp, 0, "nothing was taken from it");
    Ok(())
}

#[tokio::test]
async fn a_board_restored_from_an_old_copy_is_given_the_whole_chain_again() -> Result<()> {
    let world = World::new();
    let mut config = world.config();
    config.listen = free_port()?;
    let board = world.start_with(config.clone()).await?;
    world.publish_keys(&board).await;
    let listed = roster(1, &[("ann-1", Some(1)), ("bob-1", Some(2))]);
    world.publish_roster(&board, &listed).await;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    board.stop().await;
    let copy = world.dir.path().join("copy");
    std::fs::copy(world.store(), &copy)?;

    let board = world.start_with(config.clone()).await?;
    bob.start()?;
    told(&world, &board, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    board.stop().await;
    std::fs::copy(&copy, world.store())?;
    let board = world.start_with(config).await?;
    told(&world, &board, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    Ok(())
}

pub(super) fn free_port() -> Result<std::net::SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[tokio::test]
async fn it_ends_with_code_0_when_asked_to_and_only_one_runs_per_folder() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.start()?;
    bob.attached().await?;
    let second = bob.ask("run", &[]).await?;
    assert!(second.code == 1 && second.err.contains("E103"), "{}", second.err);
    bob.status().await?;
    assert!(bob.stop().await?.success(), "{}", bob.log());
    assert_eq!(bob.ask("status", &[]).await?.code, 5);
    assert!(bob.log().contains("draining"), "{}", bob.log());
    Ok(())
}

/// What the service manager is told next.
async fn told_next(manager: &tokio::net::UnixDatagram) -> Result<String> {
    let mut room = [0; 1_024];
    let heard = tokio::time::timeout(crate::world::PATIENCE, manager.recv(&mut room)).await;
    let length = heard.context("the service manager is told nothing")??;
    Ok(String::from_utf8(room[..length].to_vec())?)
}

#[tokio::test]
async fn the_service_manager_is_told_when_it_is_ready_and_when_it_stops() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    let socket = bob.file("notify.sock");
    let manager = tokio::net::UnixDatagram::bind(&socket)?;
    bob.start_with(&[("NOTIFY_SOCKET", &socket.display().to_string())])?;
    let ready = told_next(&manager).await?;
    let ready: Vec<_> = ready.lines().collect();
    assert_eq!(ready, ["READY=1", "STATUS=looks after bob-1"]);
    // Ready means that it answers, whether or not a board does.
    bob.status().await?;
    assert!(bob.stop().await?.success(), "{}", bob.log());
    assert_eq!(told_next(&manager).await?.trim_end(), "STOPPING=1");
    Ok(())
}
