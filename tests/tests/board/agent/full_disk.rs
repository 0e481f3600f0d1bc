//! An agent whose disk is full: it says so by code, does and promises nothing that is not in its
//! journal, and goes on when there is space again.

use super::daemon::{at, told};
use super::host::Host;
use crate::world::World;
use anyhow::Result;
use muster_agent::journal::Journal;
use muster_proto::rule::Final;

/// Enough for an agent's files and a short journal.
const KIB: usize = 1_024;

/// Two policies of one length: a file that is written over takes no space.
const ASK: &str = "muster: policy/v1\ndefault: ask   \n";
const REFUSE: &str = "muster: policy/v1\ndefault: refuse\n";

#[tokio::test]
async fn a_journal_that_cannot_be_made_is_refused_and_made_when_there_is_space() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.on_small_disk(KIB).await?.fill()?;
    let [key, trust] = ["agent.key", "trust.state"].map(|name| bob.file(name));
    let before = (std::fs::read(&key)?, std::fs::read(&trust)?);
    let said = bob.ask("run", &[]).await?;
    assert!(said.code == 1 && said.err.contains("E105"), "{said:?}");
    assert!((std::fs::read(&key)?, std::fs::read(&trust)?) == before);
    let journal = std::fs::metadata(bob.file(Journal::FILE)).map_or(0, |file| file.len());
    assert_eq!(journal, 0, "nothing was written into it");

    bob.disk().free()?;
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_journaled_is_neither_answered_nor_done() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.on_small_disk(KIB).await?;
    std::fs::write(bob.file("policy.yaml"), ASK)?;
    bob.start()?;
    let plan = world.publish_plan(&board, 1).await;
    told(&world, &board, "bob-1", &plan, |facts| facts.asked.is_some()).await;
    bob.disk().fill()?;

    let said = bob.ask("decline", &["1", "--why", "on holiday"]).await?;
    assert!(said.code == 1 && said.err.contains("E538"), "{said:?}");
    bob.plan(&plan, |view| view.text.contains("operator")).await?;
    let log = bob.ask("log", &[]).await?.out;
    assert!(!log.contains("declined"), "{log}");

    // The daemon's own no, by its policy, cannot be journaled either: no receipt, no last word.
    bob.disk().overwrite("policy.yaml", REFUSE)?;
    bob.plan(&plan, |view| view.text.starts_with("E330")).await?;
    let receipts = log.matches('#').count();
    assert_eq!(bob.ask("log", &[]).await?.out.matches('#').count(), receipts);

    bob.disk().free()?;
    let facts = told(&world, &board, "bob-1", &plan, |facts| facts.outcome.is_some()).await;
    assert_eq!(facts.outcome.map(|(last, _)| last), Some(Final::Declined));
    Ok(())
}
