//! Bad versions: each fails in its own way, and each looks well where the real one would.

use std::time::Duration;

use anyhow::Result;
use muster_proto::wire::iotexapi as api;
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::node::fleet::Fleet;
use muster_tests::node::process::client;

const PATIENCE: Duration = Duration::from_secs(20);

fn good() -> Behaviour {
    Behaviour::version("v2.4.4").scaled(10.0).starting_in(50)
}

/// Four nodes at the tip, of which the last is stopped and comes back with the defect.
async fn with(number: u8, defect: Defect) -> Result<Fleet> {
    let mut fleet = Fleet::start(number, 4, &good(), "5s", PATIENCE).await?;
    let delegate = &mut fleet.delegates[3];
    assert_eq!(delegate.node()?.stop(PATIENCE).await?.code(), Some(0));
    delegate.behaviour = Behaviour { version: "v2.5.0".into(), ..good() }.with(defect);
    delegate.start()?;
    Ok(fleet)
}

#[tokio::test]
async fn one_never_becomes_ready_and_does_not_hear_sigterm() -> Result<()> {
    let mut fleet = with(0, Defect::NeverReady).await?;
    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 503).await?;
    let mark = fleet.mark();
    fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 5).await?;
    let node = fleet.delegates[3].node()?;
    assert_eq!((node.status("/liveness").await, node.status("/readiness").await), (200, 503));
    node.signal("TERM").await?;
    assert!(node.exit(Duration::from_secs(1)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn one_is_ready_and_does_not_advance() -> Result<()> {
    let mut fleet = with(1, Defect::ReadyNotAdvancing).await?;
    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await?;
    let height = node.height().await;
    let mark = fleet.mark();
    // Far beyond its sync tick.
    fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 8).await?;
    let node = fleet.delegates[3].node()?;
    assert_eq!((node.height().await, node.status("/readiness").await), (height, 200));
    Ok(())
}

#[tokio::test]
async fn one_crashes_after_some_blocks_with_2() -> Result<()> {
    let mut fleet = with(2, Defect::CrashAfterBlocks(3)).await?;
    let node = fleet.delegates[3].node()?;
    assert_eq!(node.exit(PATIENCE).await?.code(), Some(2));
    assert!(node.output().contains("panic: runtime error"));
    Ok(())
}

#[tokio::test]
async fn one_reports_another_version() -> Result<()> {
    let mut fleet = with(3, Defect::WrongVersion("v2.4.3".into())).await?;
    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.height().await.is_some()).await?;
    let mut client = client((fleet.delegates[3].spec.external_host, 14_014).into()).await?;
    let meta = client.get_server_meta(api::GetServerMetaRequest {}).await?.into_inner();
    assert_eq!(meta.server_meta.map(|m| m.package_version).as_deref(), Some("v2.4.3"));
    Ok(())
}

#[tokio::test]
async fn one_is_slow_to_stop() -> Result<()> {
    let mut fleet = with(4, Defect::SlowToStop(1_500)).await?;
    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await?;
    let asked = std::time::Instant::now();
    assert_eq!(node.stop(PATIENCE).await?.code(), Some(0));
    assert!(asked.elapsed() >= Duration::from_millis(1_500));
    Ok(())
}

#[tokio::test]
async fn one_fails_after_it_passed() -> Result<()> {
    let mut fleet = with(5, Defect::FailsAfterBlocks(10)).await?;
    let address = fleet.delegates[3].address().to_owned();
    fleet.until(0, PATIENCE, |r| r.seat(&address).is_some_and(|s| s.at_tip)).await?;
    let fallen = |r: &muster_tests::referee::report::Report| {
        let height = r.seat(&address).and_then(|s| s.height);
        height.is_some_and(|height| height + 6 < r.height)
    };
    fleet.until(0, PATIENCE, fallen).await?;
    let node = fleet.delegates[3].node()?;
    assert_eq!(node.status("/readiness").await, 200, "and it still looks ready");
    Ok(())
}
