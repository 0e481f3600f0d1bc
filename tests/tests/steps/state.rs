//! States of a real node in which a step is refused, each by its code; the node is left as it is,
//! or is the old one again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use muster_agent::steps::{PlanContext, Ran, Runner, StepError};
use muster_proto::documents::plan::Action;
use muster_proto::documents::release::Release;
use muster_proto::rule::{Final, Stage, Step};
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::node::host::Container;

use crate::kit::by_hand::{ACKNOWLEDGE, begin, refusal, remove, replace, steps};
use crate::kit::{self, End, Host, on_host};

/// More than any test takes: no retry turns into a failure by the clock.
const LONG_MS: u64 = 600_000;

fn is(error: &StepError, code: &str) -> Result<()> {
    ensure!(error.code.code == code, "{code}: {error}");
    Ok(())
}

fn without_hurry(context: &PlanContext) -> PlanContext {
    kit::changed(context, |plan| plan.deadline.per_node_ms = LONG_MS)
}

/// The genesis file of the node, and one that a release brings.
fn geneses(host: &Host) -> Result<(Vec<u8>, Vec<u8>)> {
    let old = std::fs::read(host.home.genesis())?;
    let new = [&old[..], b"# of v2.4.5\n"].concat();
    Ok((old, new))
}

/// An upgrade with a genesis file of its own.
async fn upgrade(host: &Host, serial: u64, new: &[u8]) -> Result<PlanContext> {
    let image = host.load(&kit::new_version()).await?;
    let release = kit::release_of(host, &image, "v2.4.5", Some(new));
    Ok(without_hurry(&kit::upgrade(serial, &release, Some(new))))
}

/// A file beside the genesis file, as plan 42 names it.
fn beside(host: &Host, end: &str) -> PathBuf {
    host.home.genesis().with_file_name(format!("genesis.yaml.muster-42.{end}"))
}

#[tokio::test]
async fn a_step_that_does_not_follow_is_refused_and_nothing_is_done() -> Result<()> {
    on_host("order", async |host| {
        let (old, _) = geneses(host)?;
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let restart = kit::plan(42, Action::Restart);
        steps(&runner, &restart, &[ACKNOWLEDGE]).await?;
        for step in [Step::Swap, Step::Start, Step::Commit] {
            is(&refusal(&runner, &restart, &step).await?, "E328")?;
            host.is_the_old_node(&old).await?;
        }
        ensure!(kit::drive(&runner, &restart).await? == End::Final(Final::RolledBack));
        let words = kit::words(&journal, &restart.id)?;
        ensure!(words == ["acknowledged", "failed", "rolled-back"], "{words:?}");
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_node_that_is_down_has_no_version_and_a_file_in_the_way_is_not_overwritten() -> Result<()>
{
    on_host("unknown", async |host| {
        let (old, new) = geneses(host)?;
        let context = upgrade(host, 42, &new).await?;
        host.docker.stop_container(&host.first, None).await?;
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        steps(&runner, &context, &[ACKNOWLEDGE]).await?;
        is(&refusal(&runner, &context, &Step::Prepare).await?, "E305")?;
        ensure!(host.inspect(&host.first).await?["State"]["Running"] == false, "left down");

        // Started, as the code's cure says, it can be asked.
        host.docker.start_container(&host.first, None).await?;
        host.advances().await?;
        runner.look(true).await;
        std::fs::create_dir(beside(host, "new"))?;
        is(&refusal(&runner, &context, &Step::Prepare).await?, "E313")?;
        std::fs::remove_dir(beside(host, "new"))?;
        host.is_the_old_node(&old).await?;

        steps(&runner, &context, &[Step::Prepare]).await?;
        ensure!(std::fs::read(beside(host, "new"))? == new, "staged");
        runner.unprepare(&context.id).await?;
        host.is_the_old_node(&old).await
    })
    .await
}

/// A container of somebody else's that bears the labels of the plan's own successor.
async fn stranger(host: &Host, context: &PlanContext) -> Result<String> {
    let labels = [
        ("muster.test", host.run.as_str()),
        ("muster.plan", context.id.digest.as_str()),
        ("muster.predecessor", host.first.as_str()),
    ];
    let body = ContainerCreateBody {
        image: Some(format!("{}:v2.4.4", host.repository())),
        labels: Some(labels.map(|(key, value)| (key.into(), value.into())).into()),
        ..Default::default()
    };
    let name = format!("{}-stranger", host.run);
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    Ok(host.docker.create_container(Some(options), body).await?.id)
}

/// The preparation is refused by this code, and the plan ends with the old node.
async fn ends_by(host: &Host, runner: &Runner, context: &PlanContext, code: &str) -> Result<()> {
    steps(runner, context, &[ACKNOWLEDGE]).await?;
    is(&refusal(runner, context, &Step::Prepare).await?, code)?;
    ensure!(host.inspect(&host.first).await?["State"]["Running"] == true, "{code}");
    let end = kit::drive(runner, context).await?;
    ensure!(end == End::Final(Final::RolledBack), "{code}: {end:?}");
    Ok(())
}

#[tokio::test]
async fn a_release_without_a_place_for_its_genesis_fails_and_is_not_tried_by_itself() -> Result<()>
{
    on_host("sticky", async |host| {
        let (old, new) = geneses(host)?;
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        let away = host.home.root().join("genesis.yaml");
        std::fs::rename(host.home.genesis(), &away)?;
        let image = host.load(&kit::new_version()).await?;
        let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        let plan = |serial, of: &Release| without_hurry(&kit::upgrade(serial, of, Some(&new)));
        ends_by(host, &runner, &plan(42, &release), "E311").await?;
        std::fs::rename(&away, host.home.genesis())?;
        host.is_the_old_node(&old).await?;

        ends_by(host, &runner, &plan(43, &release), "E310").await?;
        host.is_the_old_node(&old).await?;

        // A mended release, as the code's cure says, is another one and gets further.
        let mended = Release { from: vec!["v2.4.3".into(), "v2.4.4".into()], ..release };
        let third = plan(44, &mended);
        let stranger = stranger(host, &third).await?;
        ends_by(host, &runner, &third, "E314").await?;
        ensure!(host.inspect(&stranger).await?["State"]["Status"] == "created", "not touched");
        host.is_the_old_node(&old).await
    })
    .await
}

/// Takes the plan back until that is refused, and says why.
async fn not_taken_back(
    runner: &Runner,
    context: &PlanContext,
    why: &StepError,
) -> Result<StepError> {
    let deadline = Instant::now() + kit::PATIENCE;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    while Instant::now() < deadline {
        match runner.undo(&why.why(), context).await {
            Err(error) => return Ok(error),
            Ok(Ran::Waits(_)) => pace.tick().await,
            Ok(ran) => bail!("taken back: {ran:?}"),
        };
    }
    bail!("no end in sight")
}

#[tokio::test]
async fn a_genesis_changed_by_hand_stops_the_upgrade_until_it_is_put_back() -> Result<()> {
    on_host("changed", async |host| {
        let (old, new) = geneses(host)?;
        let context = upgrade(host, 42, &new).await?;
        let (runner, journal) = host.runner(kit::undisturbed())?;
        steps(&runner, &context, &[ACKNOWLEDGE, Step::Prepare, begin()]).await?;
        let by_hand = [&old[..], b"# by hand\n"].concat();
        std::fs::write(host.home.genesis(), &by_hand)?;
        let changed = refusal(&runner, &context, &Step::Swap).await?;
        is(&changed, "E312")?;
        ensure!(std::fs::read(host.home.genesis())? == by_hand, "not overwritten");

        // The old node runs again, and is not the one that it was.
        is(&not_taken_back(&runner, &context, &changed).await?, "E331")?;
        let stuck = journal.fold(&context.id).stuck;
        ensure!(stuck.as_ref().is_some_and(|cause| cause.code == "E331"), "{stuck:?}");
        ensure!(host.inspect(&host.run).await?["Id"] == *host.first);
        ensure!(host.inspect(&host.first).await?["State"]["Running"] == true, "left as it is");

        std::fs::write(host.home.genesis(), &old)?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn without_the_old_genesis_nothing_is_started_until_it_is_there_again() -> Result<()> {
    on_host("lost", async |host| {
        let (old, new) = geneses(host)?;
        let context = upgrade(host, 42, &new).await?;
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let until = [ACKNOWLEDGE, Step::Prepare, begin(), Step::Swap];
        steps(&runner, &context, &until).await?;
        let away = host.home.root().join("genesis.before");
        std::fs::rename(beside(host, "before"), &away)?;
        let why = StepError::fatal(muster_agent::steps::code::NOT_ADVANCING, "");
        is(&not_taken_back(&runner, &context, &why).await?, "E334")?;
        let fold = journal.fold(&context.id);
        ensure!(fold.stuck.as_ref().is_some_and(|cause| cause.code == "E334"), "{:?}", fold.stuck);
        for id in [Some(host.first.as_str()), fold.successor()] {
            let id = id.unwrap_or_default();
            ensure!(host.inspect(id).await?["State"]["Running"] == false, "{id} runs");
        }
        ensure!(std::fs::read(host.home.genesis())? == new);

        std::fs::rename(&away, beside(host, "before"))?;
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn nothing_is_started_while_another_container_may_use_the_data() -> Result<()> {
    on_host("second", async |host| {
        let (old, _) = geneses(host)?;
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        let restart = without_hurry(&kit::plan(42, Action::Restart));
        steps(&runner, &restart, &[ACKNOWLEDGE, Step::Prepare, begin()]).await?;
        // Somebody makes a node by hand while this one is down.
        let name = format!("{}-second", host.run);
        let second = Container {
            name: &name,
            image: &format!("{}:v2.4.4", host.repository()),
            home: &host.home,
            network: (&host.network, host.network.address(20)),
            run: &host.run,
            env: Vec::new(),
        };
        let second = second.create(&host.docker).await?;
        is(&refusal(&runner, &restart, &Step::Start).await?, "E315")?;
        ensure!(host.inspect(&host.first).await?["State"]["Running"] == false, "it stays down");
        ensure!(host.inspect(&second).await?["State"]["Status"] == "created", "not touched");

        remove(host, &second).await?;
        ensure!(kit::drive(&runner, &restart).await? == End::Final(Final::Done));
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_node_in_start_up_and_one_that_stopping_would_delete_are_not_stopped() -> Result<()> {
    on_host("deaf", async |host| {
        let deaf = Behaviour { version: "v2.4.5".into(), ..kit::old_version() };
        let deaf = host.load(&deaf.with(Defect::NeverReady)).await?;
        let id = replace(host, |node| node.image = Some(deaf.tag.clone())).await?;
        let started = host.inspect(&id).await?["State"]["StartedAt"].clone();
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let restart = kit::plan(42, Action::Restart);
        let restart = kit::changed(&restart, |plan| plan.health.ready_ms = LONG_MS);
        steps(&runner, &restart, &[ACKNOWLEDGE, Step::Prepare]).await?;
        is(&refusal(&runner, &restart, &begin()).await?, "E326")?;
        ensure!(journal.fold(&restart.id).stage == Stage::Prepared, "nothing was begun");
        let node = host.inspect(&host.run).await?;
        ensure!(node["Id"] == *id && node["State"]["StartedAt"] == started, "{}", node["State"]);
        ensure!(node["State"]["Running"] == true);
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure");

        let id = replace(host, |node| {
            node.image = Some(format!("{}:v2.4.4", host.repository()));
            if let Some(host) = &mut node.host_config {
                (host.auto_remove, host.restart_policy) = (Some(true), None);
            }
        });
        let id = id.await?;
        host.advances().await?;
        let restart = kit::plan(43, Action::Restart);
        steps(&runner, &restart, &[ACKNOWLEDGE]).await?;
        is(&refusal(&runner, &restart, &Step::Prepare).await?, "E302")?;
        let node = host.inspect(&host.run).await?;
        ensure!(node["Id"] == *id && node["State"]["Running"] == true, "{}", node["State"]);
        host.advances().await
    })
    .await
}
