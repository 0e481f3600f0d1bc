//! A halted fleet with two tips, and blocks that were reversed: who starts first decides which chain goes on.

use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_proto::wire::iotexapi as api;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::process::client;
use muster_tests::referee::report::Report;

const PATIENCE: Duration = Duration::from_secs(20);

async fn start(number: u8) -> Result<Fleet> {
    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    Fleet::start(number, 4, &behaviour, "10s", PATIENCE).await
}

/// The hash of a node's block at `height`, as it tells; `None` when it has none.
async fn hash(fleet: &Fleet, n: usize, height: u64) -> Result<Option<String>> {
    let mut client = client((fleet.delegates[n].spec.external_host, 14_014).into()).await?;
    let wanted = api::GetBlockMetasByIndexRequest { start: height, count: 1 };
    let lookup = Some(api::get_block_metas_request::Lookup::ByIndex(wanted));
    let answer = client.get_block_metas(api::GetBlockMetasRequest { lookup }).await?;
    Ok(answer.into_inner().blk_metas.pop().map(|block| block.hash))
}

/// Lets one block reach only the first `holders`, after which the chain halts. Returns its height.
async fn split(fleet: &Fleet, holders: usize) -> Result<u64> {
    let addresses: Vec<&str> = fleet.delegates[..holders].iter().map(|d| d.address()).collect();
    // Not while a block is certain that some have already.
    fleet.phase(0.05).await?;
    let before = fleet.mark();
    fleet.referee.split(&addresses);
    let halted = |r: &Report| {
        let high = |n: usize| r.seats[n].height == Some(r.height);
        !r.blocks.is_empty() && (0..holders).all(high) && !(holders..4).any(high)
    };
    let report = fleet.until(before, PATIENCE, halted).await?;
    let passed = |r: &Report| r.now_ms >= report.now_ms + 8 * r.interval_ms;
    let later = fleet.until(before, PATIENCE, passed).await?;
    assert_eq!(later.height, report.height, "it has halted");
    Ok(report.height)
}

async fn stop(fleet: &mut Fleet) -> Result<()> {
    for delegate in &mut fleet.delegates {
        let exit = delegate.node()?.stop(PATIENCE).await?;
        assert_eq!(exit.code(), Some(0));
    }
    fleet.until(0, PATIENCE, |r| r.online() == 0).await.map(|_| ())
}

#[tokio::test]
async fn a_halted_fleet_has_two_tips_and_started_together_ends_with_the_higher_one() -> Result<()> {
    let mut fleet = start(0).await?;
    let height = split(&fleet, 2).await?;
    for n in 0..4 {
        let told = hash(&fleet, n, height).await?;
        assert_eq!(told.is_some(), n < 2, "{n}");
        assert_eq!(fleet.delegates[n].node()?.status("/readiness").await, 200);
    }
    let block = hash(&fleet, 0, height).await?;
    stop(&mut fleet).await?;
    fleet.referee.mend();
    for delegate in &mut fleet.delegates {
        delegate.start()?;
    }
    fleet.until(0, PATIENCE, |r| r.height > height + 1 && r.all_at_tip()).await?;
    for n in 0..4 {
        assert_eq!(hash(&fleet, n, height).await?, block);
    }
    Ok(())
}

#[tokio::test]
async fn those_at_the_lower_tip_started_first_build_another_block_than_they_endorsed() -> Result<()>
{
    let mut fleet = start(1).await?;
    let height = split(&fleet, 1).await?;
    let old = hash(&fleet, 0, height).await?.context("the holder's block")?;
    stop(&mut fleet).await?;
    // The holder is down: nobody who is up has it.
    fleet.referee.reverse(height - 1);
    for delegate in &mut fleet.delegates[1..] {
        let votes = delegate.home.data().join("consensus.db");
        assert!(!std::fs::read_to_string(&votes)?.is_empty(), "it knew what it endorsed");
        delegate.start()?;
    }
    let report = fleet.until(0, PATIENCE, |r| r.height > height + 1).await?;
    let endorsed = report.reversed[0].endorsed;
    assert!(report.reversed.len() == 1 && endorsed >= 3, "a restart forgets: {endorsed}");
    let new = hash(&fleet, 1, height).await?.context("the others' block")?;
    assert_ne!(old, new);

    fleet.delegates[0].start()?;
    let node = fleet.delegates[0].node()?;
    let refuses = |log: &str| log.contains("failed to commit block") && log.contains("wrong prev");
    node.until(PATIENCE, async |n| refuses(&n.output())).await?;
    assert_eq!(hash(&fleet, 0, height).await?, Some(old), "it stays on its own tip");
    let report = fleet.until(0, PATIENCE, |r| r.height > height + 3).await?;
    assert_eq!((report.seats[0].height, report.seats[0].at_tip), (Some(height), false));
    Ok(())
}

#[tokio::test]
async fn reversed_blocks_come_back_from_one_node_that_still_holds_them() -> Result<()> {
    let mut fleet = start(2).await?;
    fleet.until(0, PATIENCE, |r| r.height >= 8).await?;
    stop(&mut fleet).await?;
    let tip = fleet.referee.report(0).height;
    let earlier = tip - 4;
    for delegate in &fleet.delegates[1..] {
        delegate.home.reverse(earlier)?;
    }
    fleet.referee.reverse(earlier);
    assert_eq!(fleet.referee.report(0).height, earlier);
    fleet.delegates[0].start()?;
    let back = fleet.until(0, PATIENCE, |r| r.height > earlier).await?;
    assert!(back.height + 1 >= tip, "all that it holds: {} of {tip}", back.height);
    let known = hash(&fleet, 0, earlier + 1).await?;
    for delegate in &mut fleet.delegates[1..] {
        delegate.start()?;
    }
    fleet.until(0, PATIENCE, |r| r.height > tip && r.all_at_tip()).await?;
    for n in 1..4 {
        assert_eq!(hash(&fleet, n, earlier + 1).await?, known, "nothing was rolled back");
    }
    Ok(())
}
