//! Upgrades of real containers by real agents over a real board.

use anyhow::{Context as _, Result};
use muster_proto::rule::Final;
use muster_tests::faults::engine::Call;
use muster_tests::fleet::script::{Script, see};
use muster_tests::fleet::{Fleet, Make};
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::registry::{Registry, remove_local};

/// The deadline of a plan whose node never becomes well.
const SHORT: &str = "per-node: 9s";

fn next(version: &str) -> Behaviour {
    Behaviour::version(version).scaled(10.0).starting_in(100)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_and_a_wave_are_upgraded_in_order_while_the_chain_advances() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let release = fleet.release(&next("v2.4.4")).await?;
    let mark = fleet.referee.client().mark().await?;
    fleet.officers.publish_plan(&Script::upgrade(1, "v2.4.4", 4).yaml()).await?;
    fleet.until("all four are done", |seen| seen.ended(1, Final::Done) == 4).await?;

    let seen = see(&mut fleet.officers).await?;
    let order: Vec<_> = seen.began(1).into_iter().map(|(_, node)| node.to_string()).collect();
    assert_eq!(order, ["robot-1", "robot-2", "robot-3", "robot-4"]);
    for node in order {
        let words = seen.words(&node, 1);
        assert_eq!(words, ["acknowledged", "prepared", "began", "stopped", "done"], "{node}");
        let (image, running) = fleet.container(&node).await?;
        assert_eq!(image, release.images["linux/amd64"].config.to_string());
        assert!(running);
    }
    let report = fleet.referee.report(mark);
    assert!(
        report.lowest_online >= Some(3),
        "never more than one away: {:?}",
        report.lowest_online
    );
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_no_host_has_is_pulled_from_a_registry_by_its_digest() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let registry = Registry::start().await?;
    let mut release = fleet.unsigned_release(&next("v2.4.4")).await?;
    let image = release.images.get_mut("linux/amd64").context("this platform")?;
    let loaded = image.config.to_string();
    let pushed = registry.push(&fleet.docker, &loaded, "v2.4.4").await?;
    assert_eq!(pushed.config, image.config);
    (image.repository, image.manifest) = (pushed.repository.clone(), Some(pushed.manifest.clone()));
    remove_local(&fleet.docker, &loaded).await?;
    fleet.officers.publish_release(&release, None).await?;
    fleet.publish(&Script::upgrade(1, "v2.4.4", 4)).await?;
    fleet.until("all four are done", |seen| seen.ended(1, Final::Done) == 4).await?;

    for delegate in 1..=4 {
        let (image, running) = fleet.container(&format!("robot-{delegate}")).await?;
        assert_eq!((image.as_str(), running), (loaded.as_str(), true));
    }
    let pulls = fleet.delegates.iter().flat_map(|delegate| delegate.proxy.calls());
    let pulled = pulls.filter(|call| call.path.contains("/images/create")).collect::<Vec<_>>();
    let by_digest = |call: &Call| call.path.contains(pushed.manifest.hex());
    assert!(!pulled.is_empty() && pulled.iter().all(by_digest), "{pulled:?}");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_stops_at_its_canary_and_is_rolled_back_there() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let (before, _) = fleet.container("robot-1").await?;
    fleet.release(&next("v2.4.4").with(Defect::ReadyNotAdvancing)).await?;
    // It looks as if it might still come, so it has all the time that the plan gives.
    let upgrade = Script::upgrade(1, "v2.4.4", 4).yaml();
    let upgrade = upgrade.replace("ready: 10s", "ready: 3s").replace("per-node: 30s", SHORT);
    assert!(upgrade.contains(SHORT));
    fleet.officers.publish_plan(&upgrade).await?;
    fleet.until("the canary is back", |seen| seen.ended(1, Final::RolledBack) == 1).await?;

    let seen = see(&mut fleet.officers).await?;
    assert_eq!(seen.began(1).len(), 1, "nobody after the canary");
    assert!(seen.words("robot-1", 1).ends_with(&["failed", "rolled-back"]));
    let (after, running) = fleet.container("robot-1").await?;
    assert_eq!((after, running), (before, true));
    fleet.end().await
}
