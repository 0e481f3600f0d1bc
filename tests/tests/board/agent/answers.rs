//! The operator's answers that are not taken, each by its code: the plan is as it was before.

use std::sync::Arc;

use super::daemon::{at, free_port, told};
use super::host::Host;
use crate::world::{Board, NETWORK, World, key, plan, whole_seconds};
use anyhow::{Result, ensure};
use jiff::SignedDuration;
use muster_agent::control::view::Pending;
use muster_agent::journal::{Identity, Journal, Milestone, Record, Seal};
use muster_proto::documents::PlanId;
use muster_proto::evidence::{Envelope, Event};
use muster_proto::rule::Final;
use muster_tests::fleet::process::{Said, binary};
use muster_tests::terminal::converse;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixListener;

#[track_caller]
fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{said:?}");
    assert!(format!("{}{}", said.out, said.err).contains(code), "{code} in {said:?}");
}

/// Bob, whose policy asks him, and plan 1 that asks.
async fn asked(world: &World, board: &Board) -> Result<(Host, PlanId)> {
    let mut bob = Host::new(world, "bob-1", 2, &[at(board)]).await?;
    bob.policy("default: ask");
    bob.start()?;
    let plan = world.publish_plan(board, 1).await;
    told(world, board, "bob-1", &plan, |facts| facts.asked.is_some()).await;
    Ok((bob, plan))
}

async fn pending(host: &Host) -> Result<Vec<Pending>> {
    Ok(serde_json::from_str(&host.ask("pending", &["--json"]).await?.out)?)
}

/// Nobody's answer stands in the journal.
async fn unanswered(host: &Host) -> Result<()> {
    let log = host.ask("log", &[]).await?.out;
    ensure!(!log.contains("approved") && !log.contains("declined"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_plan_without_a_place_for_this_node_takes_no_answer() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut ann = Host::new(&world, "ann-1", 1, &[at(&board)]).await?;
    ann.start()?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "ann-1", &plan, |facts| facts.acknowledged.is_some()).await;
    refused(&ann.ask("approve", &["1", "--yes"]).await?, 2, "E532");
    refused(&ann.ask("decline", &["1", "--why", "not mine"]).await?, 2, "E532");
    refused(&ann.ask("approve", &["7", "--yes"]).await?, 2, "E530");
    unanswered(&ann).await
}

/// Writes into the journal of an agent that does not run what it would have written when its plan
/// began, before it ended.
fn begin(host: &Host, plan: &PlanId) -> Result<()> {
    let key = key(2);
    let me = Identity { network: NETWORK.into(), node: "bob-1".parse()?, key: key.public() };
    let seal: Seal =
        Arc::new(move |receipt| Envelope::sign(receipt, key.signing_key()).map_err(Into::into));
    let journal = Journal::open(&host.file(""), me, seal)?;
    let began = Event::Began { sum: None, heads: Default::default() };
    let prepared = [Record::Milestone(Milestone::Prepared)];
    journal.record(plan, &prepared, Some(Event::Prepared))?;
    let begun = [Record::Milestone(Milestone::Begun { tip: None })];
    Ok(journal.record(plan, &begun, Some(began))?)
}

#[tokio::test]
async fn a_plan_that_has_begun_here_takes_no_answer() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    assert!(bob.stop().await?.success());
    begin(&bob, &plan)?;
    bob.start()?;
    bob.plan(&plan, |view| view.stage == "begun").await?;
    refused(&bob.ask("approve", &["1", "--yes"]).await?, 3, "E534");
    refused(&bob.ask("decline", &["1", "--why", "too late"]).await?, 3, "E534");
    unanswered(&bob).await?;
    let facts = told(&world, &board, "bob-1", &plan, |facts| facts.began.is_some()).await;
    assert_eq!(facts.outcome, None);
    Ok(())
}

#[tokio::test]
async fn a_plan_whose_time_is_over_takes_no_answer() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.policy("default: ask");
    bob.start()?;
    bob.attached().await?;
    let trust = world.follow(&board).await.0;
    let mut short = plan(1, trust.roster().expect("a roster"));
    short.valid.until = whole_seconds() + SignedDuration::from_secs(6);
    let plan = board.publish_plan(world.signed(&short, &trust), 1).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.asked.is_some()).await;
    bob.plan(&plan, |view| view.over).await?;
    refused(&bob.ask("approve", &["1", "--yes"]).await?, 3, "E535");
    refused(&bob.ask("decline", &["1", "--why", "too late"]).await?, 3, "E535");
    assert!(pending(&bob).await?.is_empty());
    unanswered(&bob).await
}

#[tokio::test]
async fn a_no_is_final_also_before_any_board_has_heard_of_it() -> Result<()> {
    let world = World::new();
    let mut config = world.config();
    config.listen = free_port()?;
    world.start_with_roster().await.stop().await;
    let board = world.start_with(config.clone()).await?;
    let (mut bob, plan) = asked(&world, &board).await?;
    board.stop().await;
    assert!(bob.stop().await?.success());
    bob.start()?;
    bob.plan(&plan, |view| view.text.contains("operator")).await?;
    let said = bob.ask("decline", &["1", "--why", "on holiday"]).await?;
    assert_eq!(said.code, 0, "{said:?}");
    refused(&bob.ask("approve", &["1", "--yes"]).await?, 3, "E536");

    // What it waits for is said with the address and the reason.
    let waits = bob.plan(&plan, |view| view.text.starts_with("no board can be reached")).await?;
    let listen = config.listen.to_string();
    assert!(!waits.over && waits.text.contains(&listen), "{}", waits.text);
    let screen = bob.ask("status", &[]).await?.out;
    let flat = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("no board can be reached") && flat.contains("N010"), "{screen}");

    let board = world.start_with(config).await?;
    let facts = told(&world, &board, "bob-1", &plan, |facts| facts.outcome.is_some()).await;
    assert_eq!(facts.outcome.map(|(last, _)| last), Some(Final::Declined));
    Ok(())
}

#[tokio::test]
async fn a_reason_that_cannot_be_shown_and_a_yes_that_nobody_says_change_nothing() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let (bob, plan) = asked(&world, &board).await?;
    for why in ["", "two\nlines", &"x".repeat(401)] {
        refused(&bob.ask("decline", &["1", "--why", why]).await?, 2, "E537");
    }
    refused(&bob.ask("approve", &["1"]).await?, 2, "E544");
    let (program, dir) = (binary("muster-agent")?, bob.dir.path());
    let approve = ["--dir", "agent", "approve", "1"];
    for no in ["no", "", "y"] {
        let said = converse(&program, &approve, dir, &[("Type `yes`", no)]).await?;
        refused(&said, 3, "E545");
    }
    unanswered(&bob).await?;
    assert_eq!(pending(&bob).await?[0].plan, plan);

    let said = converse(&program, &approve, dir, &[("Type `yes`", "yes")]).await?;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(pending(&bob).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_agent_of_another_version_that_answers_another_question_is_told_so() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    let listener = UnixListener::bind(bob.file("control.sock"))?;
    let other = tokio::spawn(async move {
        // It knows one answer only.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await?;
            let (read, mut write) = stream.split();
            BufReader::new(read).read_line(&mut String::new()).await?;
            write.write_all(b"{\"pending\":[]}\n").await?;
        }
        std::io::Result::Ok(())
    });
    refused(&bob.ask("status", &[]).await?, 1, "E543");
    refused(&bob.ask("approve", &["1", "--yes"]).await?, 1, "E543");
    Ok(other.await??)
}
