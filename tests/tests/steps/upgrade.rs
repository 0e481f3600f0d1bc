//! Upgrades that go through, and upgrades that are taken back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use muster_agent::journal::JournalView;
use muster_agent::runtime::Engine;
use muster_agent::steps::{PlanContext, Settings};
use muster_proto::evidence::Event;
use muster_proto::rule::Final;
use muster_tests::image::Image;
use muster_tests::node::behaviour::{Behaviour, Defect};

use crate::kit::{self, End, Host, on_host};

const UPGRADED: [&str; 5] = ["acknowledged", "prepared", "began", "stopped", "done"];
const TAKEN_BACK: [&str; 6] =
    ["acknowledged", "prepared", "began", "stopped", "failed", "rolled-back"];

/// A genesis that the old version refuses to start with.
fn newer_genesis(host: &Host) -> Result<Vec<u8>> {
    let old = String::from_utf8(std::fs::read(host.home.genesis())?)?;
    Ok(old.replace("  wakeHeight: 1\n", "  wakeHeight: 1\n  yapHeight: 1\n").into_bytes())
}

#[tokio::test]
async fn an_upgrade_with_a_new_genesis_ends_with_exactly_the_new_node() -> Result<()> {
    on_host("upgrade", async |host| {
        let image = host.load(&kit::new_version()).await?;
        let (old, new) = (std::fs::read(host.home.genesis())?, newer_genesis(host)?);
        let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        let context = kit::upgrade(42, &release, Some(&new));
        let neighbour = neighbours_successor(host, &context, &image).await?;
        let (runner, journal) = host.runner(kit::undisturbed())?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::Done));
        ensure!(host.inspect(&neighbour).await?["State"]["Status"] == "created", "not touched");

        host.is_the_new_node(&image, 42).await?;
        ensure!(std::fs::read(host.home.genesis())? == new);
        let before = host.home.genesis().with_file_name("genesis.yaml.muster-42.before");
        ensure!(std::fs::read(before)? == old, "the old genesis is kept");
        ensure!(kit::words(&journal, &context.id)? == UPGRADED);
        for receipt in kit::receipts(&journal)? {
            match receipt.event {
                Event::Stopped { height, block_hash, exit, beside } => {
                    ensure!(exit == 0 && height > Some(1) && block_hash.is_some());
                    ensure!(beside.is_none(), "{beside:?}");
                }
                Event::Done(outcome) => {
                    ensure!(outcome.version.as_deref() == Some("v2.4.5"));
                    ensure!(outcome.image.as_str() == image.id);
                    ensure!(outcome.away_ms.is_some_and(|ms| (100..8_000).contains(&ms)));
                }
                _ => {}
            }
        }
        let kept = journal.kept()?;
        ensure!(kept.len() == 1 && kept[0].container == host.first);
        Ok(())
    })
    .await
}

/// Another agent of this host carries out the same plan on a node of its own.
async fn neighbours_successor(host: &Host, context: &PlanContext, image: &Image) -> Result<String> {
    let labels = [
        ("muster.test", host.run.as_str()),
        ("muster.plan", context.id.digest.as_str()),
        ("muster.predecessor", "another"),
    ];
    let body = ContainerCreateBody {
        image: Some(image.tag.clone()),
        labels: Some(labels.map(|(key, value)| (key.into(), value.into())).into()),
        ..Default::default()
    };
    let name = format!("{}-neighbour-muster-42", host.run);
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    Ok(host.docker.create_container(Some(options), body).await?.id)
}

#[tokio::test]
async fn old_containers_go_when_their_time_is_over() -> Result<()> {
    on_host("retention", async |host| {
        let new = newer_genesis(host)?;
        let image = host.load(&kit::new_version()).await?;
        let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        let context = kit::upgrade(42, &release, Some(&new));
        let (runner, journal) = host.runner(kit::undisturbed())?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::Done));
        runner.keep().await?;
        host.is_the_new_node(&image, 42).await?;
        drop((runner, journal));

        let at_once = Settings { retention: Duration::ZERO, ..host.settings() };
        let (runner, journal) = host.runner_with(at_once, kit::undisturbed())?;
        runner.keep().await?;
        let engine = Engine::new(kit::SOCKET, kit::PATIENCE);
        ensure!(engine.inspect(&host.first).await?.is_none(), "the old container is gone");
        ensure!(journal.kept()?.is_empty());
        let files = std::fs::read_dir(host.home.genesis().parent().context("a folder")?)?;
        ensure!(files.count() == 2, "config and genesis");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_old_node_that_dies_while_it_is_tested_again_is_started_again() -> Result<()> {
    on_host("undead", async |host| {
        let old = std::fs::read(host.home.genesis())?;
        let image = host.load(&kit::new_version().with(Defect::CrashAfterBlocks(1))).await?;
        let release = kit::release_of(host, &image, "v2.4.5", None);
        let context = kit::upgrade(42, &release, None);
        let context = kit::changed(&context, |plan| plan.health.hold_ms = 1_500);
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let engine = Engine::new(kit::SOCKET, kit::PATIENCE);
        let kill_once_it_is_back = async {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            while journal.fold(&context.id).undoing.is_none() {
                pace.tick().await;
            }
            while !engine.inspect(&host.first).await?.is_some_and(|node| node.state.running) {
                pace.tick().await;
            }
            engine.signal(&host.first, "SIGKILL").await?;
            anyhow::Ok(())
        };
        let (end, killed) = tokio::join!(kit::drive(&runner, &context), kill_once_it_is_back);
        killed?;
        ensure!(end? == End::Final(Final::RolledBack));
        ensure!(journal.fold(&context.id).kept == 1, "{:?}", journal.fold(&context.id).kept);
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_second_user_of_the_data_is_refused() -> Result<()> {
    on_host("shared", async |host| {
        let image = host.load(&kit::new_version()).await?;
        let second = format!("{}-second", host.run);
        let container = muster_tests::node::host::Container {
            name: &second,
            image: &image.tag,
            home: &host.home,
            network: (&host.network, host.network.address(20)),
            run: &host.run,
            env: Vec::new(),
        };
        container.create(&host.docker).await?;
        let release = kit::release_of(host, &image, "v2.4.5", None);
        let context = kit::upgrade(42, &release, None);
        let (runner, journal) = host.runner(kit::undisturbed())?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));
        let code = kit::receipts(&journal)?.into_iter().find_map(|one| match one.event {
            Event::Failed { code, .. } => Some(code),
            _ => None,
        });
        ensure!(code.as_deref() == Some("E303"), "{code:?}");
        ensure!(host.inspect(&host.run).await?["State"]["Running"] == true);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_nodes_key_is_in_nothing_that_is_written() -> Result<()> {
    on_host("secret", async |host| {
        let key = muster_tests::node::key::test_key(0);
        ensure!(std::fs::read_to_string(host.home.config())?.contains(&key), "it is planted");
        let image = host.load(&kit::new_version().with(Defect::CrashAfterBlocks(1))).await?;
        let release = kit::release_of(host, &image, "v2.4.5", None);
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let context = kit::upgrade(42, &release, None);
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));
        drop((runner, journal));
        for file in std::fs::read_dir(host.data())? {
            let path = file?.path();
            let bytes = std::fs::read(&path)?;
            let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            ensure!(!found, "the key is in {}", path.display());
        }
        Ok(())
    })
    .await
}

/// A release with this defect is taken back with this code.
async fn is_taken_back(name: &str, defect: Defect, code: &str) -> Result<()> {
    on_host(name, async |host| {
        let image = host.load(&kit::new_version().with(defect)).await?;
        let (old, new) = (std::fs::read(host.home.genesis())?, newer_genesis(host)?);
        let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        let context = kit::upgrade(42, &release, Some(&new));
        let (runner, journal) = host.runner(kit::undisturbed())?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));

        host.is_the_old_node(&old).await?;
        let words = kit::words(&journal, &context.id)?;
        ensure!(words == TAKEN_BACK, "{words:?}");
        for receipt in kit::receipts(&journal)? {
            match receipt.event {
                Event::Failed { code: said, why } => ensure!(said == code, "{said} {why}"),
                Event::RolledBack(outcome) => {
                    ensure!(outcome.version.as_deref() == Some("v2.4.4"));
                    ensure!(outcome.away_ms.is_some());
                }
                _ => {}
            }
        }
        let again = kit::upgrade(43, &release, Some(&new));
        ensure!(kit::drive(&runner, &again).await? == End::Final(Final::RolledBack));
        let words = kit::words(&journal, &again.id)?;
        ensure!(words == ["acknowledged", "failed", "rolled-back"], "sticky: {words:?}");
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_release_that_does_not_advance_is_taken_back() -> Result<()> {
    is_taken_back("still", Defect::ReadyNotAdvancing, "E317").await
}

#[tokio::test]
async fn a_release_that_never_gets_ready_is_taken_back() -> Result<()> {
    is_taken_back("never", Defect::NeverReady, "E319").await
}

#[tokio::test]
async fn a_release_that_crashes_is_taken_back() -> Result<()> {
    is_taken_back("crash", Defect::CrashAfterBlocks(1), "E316").await
}

#[tokio::test]
async fn a_release_that_is_another_version_is_taken_back() -> Result<()> {
    is_taken_back("other", Defect::WrongVersion("v2.4.9".into()), "E320").await
}

#[tokio::test]
async fn a_node_that_is_slow_to_stop_is_killed_and_the_receipt_says_so() -> Result<()> {
    on_host("slow", async |host| {
        let slow = Behaviour { version: "v2.4.5".into(), ..kit::old_version() };
        let image = host.load(&slow.with(Defect::SlowToStop(60_000))).await?;
        let release = kit::release_of(host, &image, "v2.4.5", None);
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let to_slow = kit::upgrade(42, &release, None);
        ensure!(kit::drive(&runner, &to_slow).await? == End::Final(Final::Done));

        let stop = kit::plan(43, muster_proto::documents::plan::Action::Stop);
        ensure!(kit::drive(&runner, &stop).await? == End::Final(Final::Done));
        let all = kit::receipts(&journal)?;
        let killed = all.iter().filter(|one| one.plan == stop.id).find_map(|one| match one.event {
            Event::Stopped { exit, .. } => Some(exit),
            _ => None,
        });
        ensure!(killed == Some(137), "{killed:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn another_version_than_the_release_may_follow_is_left_alone() -> Result<()> {
    on_host("from", async |host| {
        let old = std::fs::read(host.home.genesis())?;
        let image = host.load(&kit::new_version()).await?;
        let mut release = kit::release_of(host, &image, "v2.4.5", None);
        release.from = vec!["v2.4.3".into()];
        let context = kit::upgrade(42, &release, None);
        let (runner, journal) = host.runner(kit::undisturbed())?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));
        ensure!(kit::words(&journal, &context.id)? == ["acknowledged", "failed", "rolled-back"]);
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_plan_that_can_no_longer_begin_leaves_nothing_behind() -> Result<()> {
    on_host("unprepare", async |host| {
        let (old, new) = (std::fs::read(host.home.genesis())?, newer_genesis(host)?);
        let image = host.load(&kit::new_version()).await?;
        let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        let mut context = kit::upgrade(42, &release, Some(&new));
        let held = || muster_proto::rule::Reason::Clock;
        context.again = std::sync::Arc::new(move || Err(held()));
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let steps = [
            muster_proto::rule::Step::Acknowledge { in_hand: None },
            muster_proto::rule::Step::Prepare,
        ];
        runner.look(false).await;
        for step in &steps {
            runner.run(step, &context).await.context("a step")?;
        }
        let permit = muster_proto::rule::Permit { sum: None, heads: Default::default() };
        let ran = runner.run(&muster_proto::rule::Step::Begin(permit), &context).await?;
        ensure!(ran == muster_agent::steps::Ran::NotNow(held()), "{ran:?}");
        runner.unprepare(&context.id).await?;
        host.is_the_old_node(&old).await?;
        drop((runner, journal));
        let view = JournalView::open(&host.data())?;
        let stage = view.fold(&context.id)?.stage;
        ensure!(stage == muster_proto::rule::Stage::Acknowledged, "{stage:?}");
        Ok(())
    })
    .await
}
