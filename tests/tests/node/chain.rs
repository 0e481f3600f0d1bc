//! The chain of a fleet of stand-ins: quorum, lying readiness, the sync tick, kills and twins.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use muster_tests::fleet::process;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::host::{Home, Place, Spec};
use muster_tests::node::process::{Process, loopback};
use muster_tests::referee::client::Client;
use muster_tests::referee::report::Report;

const PATIENCE: Duration = Duration::from_secs(30);

fn at_scale(scale: f64) -> Behaviour {
    Behaviour::version("v2.4.4").scaled(scale).starting_in(50)
}

/// Whether so many intervals have passed since the mark.
fn passed(intervals: u64, mark: u64) -> impl Fn(&Report) -> bool {
    move |r| r.now_ms >= mark + intervals * r.interval_ms
}

/// `enough` of `size` advance, one fewer halts, and one more cures it.
async fn quorum(number: u8, size: u8, enough: usize, scale: f64) -> Result<()> {
    let mut fleet = Fleet::start(number, size, &at_scale(scale), "30s", PATIENCE).await?;
    for delegate in &mut fleet.delegates[enough..] {
        delegate.kill().await?;
    }
    fleet.until(0, PATIENCE, |r| r.online() == enough).await?;
    let height = fleet.referee.client().height().await?;
    fleet.until(0, PATIENCE, |r| r.height >= height + 3).await?;

    fleet.delegates[enough - 1].kill().await?;
    fleet.until(0, PATIENCE, |r| r.online() == enough - 1).await?;
    // A block that was locked before still commits.
    let mark = fleet.mark();
    fleet.until(mark, PATIENCE, passed(1, mark)).await?;
    let mark = fleet.mark();
    let halted = fleet.until(mark, PATIENCE, passed(8, mark)).await?;
    assert_eq!(halted.blocks.len(), 0, "{} of {size} must halt", enough - 1);
    assert!(halted.longest_gap_ms >= 8 * halted.interval_ms);

    fleet.delegates[enough - 1].start()?;
    fleet.until(mark, PATIENCE, |r| !r.blocks.is_empty()).await?;
    Ok(())
}

#[tokio::test]
async fn three_of_4_advance_and_two_halt() -> Result<()> {
    quorum(0, 4, 3, 10.0).await
}

#[tokio::test]
async fn five_of_7_advance_and_four_halt() -> Result<()> {
    quorum(1, 7, 5, 10.0).await
}

#[tokio::test]
async fn seventeen_of_24_advance_and_sixteen_halt() -> Result<()> {
    quorum(2, 24, 17, 5.0).await
}

#[tokio::test]
async fn who_missed_a_block_is_ready_and_behind_until_its_tick_and_then_jumps() -> Result<()> {
    let mut fleet = Fleet::start(3, 4, &at_scale(10.0), "30s", PATIENCE).await?;
    let away = fleet.mark();
    fleet.delegates[3].kill().await?;
    fleet.until(away, PATIENCE, |r| r.blocks.len() >= 3).await?;
    fleet.delegates[3].start()?;
    let address = fleet.delegates[3].address().to_owned();
    let back = |r: &Report| r.joins.iter().any(|j| j.address == address && j.missed() > 0);
    fleet.until(away, PATIENCE, back).await?;
    let joined = Instant::now();

    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await?;
    let stuck = node.height().await;
    node.until(PATIENCE, async |n| metric(n, "iotex_consensus_round").await >= Some(4)).await?;
    assert_eq!(node.height().await, stuck, "ready, and its height stands still");
    assert_eq!(node.status("/readiness").await, 200);
    assert_eq!(metric(node, "iotex_consensus_height").await, stuck.map(|h| h + 1));

    let seat = |r: &Report| r.seat(&address).is_some_and(|s| s.at_tip);
    fleet.until(away, PATIENCE, seat).await?;
    let tick = at_scale(10.0).timing().seconds(30.0);
    let waited = joined.elapsed();
    assert!(waited > tick.mul_f64(0.8), "{waited:?} is before the tick of {tick:?}");
    assert!(waited < tick * 2, "{waited:?} is long after the tick of {tick:?}");
    let node = fleet.delegates[3].node()?;
    assert!(node.output().contains(r#""msg":"Successfully committed block.""#));
    Ok(())
}

async fn metric(node: &Process, name: &str) -> Option<u64> {
    let (_, page) = node.get("/metrics").await.ok()?;
    let line = page.lines().find(|l| l.starts_with(&format!("{name} ")))?;
    line.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn on_the_beat_a_node_leaves_with_its_block_and_comes_back_at_the_tip() -> Result<()> {
    let mut fleet = Fleet::start(4, 4, &at_scale(2.5), "30s", PATIENCE).await?;
    fleet.phase(0.62).await?;
    let mark = fleet.mark();
    let delegate = &mut fleet.delegates[1];
    let node = delegate.node()?;
    let asked = Instant::now();
    node.signal("TERM").await?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 503).await?;
    assert_eq!(node.exit(PATIENCE).await?.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_millis(800), "it leaves at the round's end");
    let log = node.output();
    assert!(
        log.contains("p2p is shutting down.") && log.contains("Stopping IotxConsensus scheme.")
    );
    delegate.start()?;
    let address = delegate.address().to_owned();
    let back = |r: &Report| r.joins.iter().any(|j| j.address == address);
    let report = fleet.until(mark, PATIENCE, back).await?;
    let join = report.joins.iter().find(|j| j.address == address).expect("it joined");
    assert_eq!(join.missed(), 0);
    assert_eq!(report.lowest_online, Some(3));
    Ok(())
}

#[tokio::test]
async fn data_opens_again_after_a_kill_and_grpc_tells_the_same_blocks_as_others() -> Result<()> {
    let mut fleet = Fleet::start(5, 4, &at_scale(10.0), "5s", PATIENCE).await?;
    for n in 0..4 {
        fleet.delegates[n].kill().await?;
        fleet.delegates[n].start()?;
        let address = fleet.delegates[n].address().to_owned();
        fleet.until(0, PATIENCE, |r| r.seat(&address).is_some_and(|s| s.at_tip)).await?;
    }
    let report = fleet.until(0, PATIENCE, |r| r.height >= 8 && r.all_at_tip()).await?;
    assert!(report.joins.iter().all(|j| j.missed() < 4), "nobody began anew");
    assert!(report.equivocations.is_empty(), "a kill closes the connection");
    let mut told = Vec::new();
    for delegate in &fleet.delegates {
        told.push(blocks(delegate.spec.external_host).await?);
    }
    assert!(told.windows(2).all(|w| w[0] == w[1]), "{told:?}");
    let hashes: Vec<_> = report.blocks[..3].iter().map(|m| m.block.hash.clone()).collect();
    assert_eq!(told[0], hashes);
    Ok(())
}

async fn blocks(ip: std::net::Ipv4Addr) -> Result<Vec<String>> {
    use muster_proto::wire::iotexapi as api;
    let mut client = muster_tests::node::process::client((ip, 14_014).into()).await?;
    let wanted = api::GetBlockMetasByIndexRequest { start: 1, count: 3 };
    let lookup = Some(api::get_block_metas_request::Lookup::ByIndex(wanted));
    let answer = client.get_block_metas(api::GetBlockMetasRequest { lookup }).await?;
    Ok(answer.into_inner().blk_metas.into_iter().map(|b| b.hash).collect())
}

#[tokio::test]
async fn two_nodes_with_one_key_are_seen_by_the_referee() -> Result<()> {
    let fleet = Fleet::start(6, 4, &at_scale(10.0), "30s", PATIENCE).await?;
    let ip = loopback(6, 99);
    let spec = Spec { external_host: ip, ..fleet.delegates[2].spec.clone() };
    let folder = tempfile::tempdir()?;
    let home = Home::lay_out(folder.path(), &spec, Place::Process(ip))?;
    assert!(fleet.referee.report(0).equivocations.is_empty());
    let _clone = Process::start(&home, &at_scale(10.0), ip)?;
    let report = fleet.until(0, PATIENCE, |r| !r.equivocations.is_empty()).await?;
    assert_eq!(report.equivocations[0].address, spec.address());
    assert_eq!(report.online(), 4);
    Ok(())
}

#[tokio::test]
async fn a_fleet_that_was_stopped_as_a_whole_starts_again_together() -> Result<()> {
    let mut fleet = Fleet::start(7, 4, &at_scale(10.0), "5s", PATIENCE).await?;
    for delegate in &mut fleet.delegates {
        delegate.node()?.signal("TERM").await?;
    }
    for delegate in &mut fleet.delegates {
        assert_eq!(delegate.node()?.exit(PATIENCE).await?.code(), Some(0));
    }
    let mark = fleet.mark();
    fleet.until(mark, PATIENCE, passed(3, mark)).await?;
    let halted = fleet.referee.client().height().await?;
    for delegate in &mut fleet.delegates {
        delegate.start()?;
    }
    fleet.until(mark, PATIENCE, |r| r.height > halted + 1 && r.all_at_tip()).await?;
    Ok(())
}

#[tokio::test]
async fn the_referee_runs_as_a_program_too() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let ip = loopback(8, 1);
    let mut spec = Spec::new(1, ip, vec![]);
    let mut command = tokio::process::Command::new(process::binary("referee")?);
    let listen = format!("{}:4689", loopback(8, 250));
    command.args(["--listen", &listen, "--api", "127.0.0.1:0", "--scale", "10"]);
    command.args(["--seats", &spec.address()]);
    let mut referee = process::Process::start("referee", command, &folder.path().join("referee"))?;
    referee.says("questions", PATIENCE).await?;
    let said = referee.output();
    let api = said.split_whitespace().last().context("no address")?.parse()?;

    spec.bootstrap = vec![listen];
    let home = Home::lay_out(folder.path().join("node"), &spec, Place::Process(ip))?;
    let _node = Process::start(&home, &at_scale(10.0), ip)?;
    let report = Client::new(api).until(0, PATIENCE, |r| r.height >= 3).await?;
    assert_eq!(report.seats[0].address, spec.address());
    Ok(())
}
