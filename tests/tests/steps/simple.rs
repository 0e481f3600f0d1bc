//! Stop, start and restart of the same container.

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use muster_agent::journal::Policy;
use muster_agent::runtime::Engine;
use muster_proto::documents::plan::{Action, Compatibility};
use muster_proto::evidence::Event;
use muster_proto::rule::Final;

use crate::kit::{self, End, on_host, on_host_with};

#[tokio::test]
async fn a_stop_holds_and_a_start_brings_the_same_node_back() -> Result<()> {
    on_host("stop", async |host| {
        let genesis = std::fs::read(host.home.genesis())?;
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let stop = kit::plan(42, Action::Stop);
        ensure!(kit::drive(&runner, &stop).await? == End::Final(Final::Done));
        let node = host.inspect(&host.first).await?;
        ensure!(node["State"]["Running"] == false && node["State"]["ExitCode"] == 0);
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "no");
        let words = kit::words(&journal, &stop.id)?;
        ensure!(words == ["acknowledged", "prepared", "began", "stopped", "done"], "{words:?}");

        let start = kit::plan(43, Action::Start);
        let start = kit::changed(&start, |plan| plan.compatibility = Compatibility::Halting);
        ensure!(kit::drive(&runner, &start).await? == End::Final(Final::Done));
        host.is_the_old_node(&genesis).await?;
        let words = kit::words(&journal, &start.id)?;
        ensure!(words == ["acknowledged", "prepared", "began", "done"], "{words:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restart_ends_with_the_same_container_and_its_policy() -> Result<()> {
    on_host("restart", async |host| {
        let genesis = std::fs::read(host.home.genesis())?;
        let started = host.inspect(&host.first).await?["State"]["StartedAt"].clone();
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let restart = kit::plan(42, Action::Restart);
        ensure!(kit::drive(&runner, &restart).await? == End::Final(Final::Done));
        host.is_the_old_node(&genesis).await?;
        ensure!(host.inspect(&host.first).await?["State"]["StartedAt"] != started);
        let done = kit::receipts(&journal)?.into_iter().find_map(|one| match one.event {
            Event::Done(outcome) => Some(outcome),
            _ => None,
        });
        ensure!(done.is_some_and(|outcome| outcome.away_ms.is_some()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_node_that_fails_its_test_is_handed_back_to_its_policy() -> Result<()> {
    on_host("back", async |host| {
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let stop = kit::plan(42, Action::Stop);
        ensure!(kit::drive(&runner, &stop).await? == End::Final(Final::Done));
        let mut start = kit::plan(43, Action::Start);
        start = kit::changed(&start, |plan| plan.health.hold_ms = 60_000);
        let failed = {
            let drive = kit::drive(&runner, &start);
            let kill = async {
                host.advances().await?;
                let engine = Engine::new(kit::SOCKET, kit::PATIENCE);
                engine.signal(&host.first, "SIGKILL").await?;
                std::future::pending::<Result<End>>().await
            };
            tokio::select! { end = drive => end?, end = kill => end? }
        };
        ensure!(failed == End::Stuck("E316".into()), "{failed:?}");
        let words = kit::words(&journal, &start.id)?;
        ensure!(words == ["acknowledged", "prepared", "began", "failed"], "{words:?}");

        runner.keep().await?;
        let node = host.inspect(&host.first).await?;
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_node_that_crashes_in_a_loop_is_stopped_all_the_same() -> Result<()> {
    on_host("loop", async |host| {
        let mut config = std::fs::read_to_string(host.home.config())?;
        config.push_str("unknownSection: true\n");
        std::fs::write(host.home.config(), config)?;
        let engine = Engine::new(kit::SOCKET, kit::PATIENCE);
        // Its own exit, not ours: the Engine starts it again and again.
        let node = engine.inspect(&host.first).await?.context("the node")?;
        let policy = Policy { name: "always".into(), retries: 0 };
        engine.set_policy(&node.id, &policy).await?;
        let pid = node.raw["State"]["Pid"].to_string();
        let killed = std::process::Command::new("kill").args(["-9", &pid]).status()?;
        ensure!(killed.success());
        let deadline = std::time::Instant::now() + kit::PATIENCE;
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
        while engine.inspect(&host.first).await?.is_none_or(|node| node.restart_count < 3) {
            ensure!(std::time::Instant::now() < deadline, "it does not crash in a loop");
            pace.tick().await;
        }
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let stop = kit::plan(42, Action::Stop);
        ensure!(kit::drive(&runner, &stop).await? == End::Final(Final::Done));
        let node = engine.inspect(&host.first).await?.context("the node")?;
        ensure!(node.state.is_down() && node.policy.is_no(), "{:?}", node.state);
        ensure!(journal.remembered_policy(&host.first)? == Some(policy));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_stop_meets_the_beat() -> Result<()> {
    // One second between blocks: the Engine's own delays are a few hundredths of it.
    on_host_with("beat", 2.5, async |host| {
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        let mut kills = kit::kills(host);
        for serial in 42..45 {
            let restart = kit::plan(serial, Action::Restart);
            let restart = kit::changed(&restart, |plan| plan.deadline.per_node_ms = 60_000);
            ensure!(kit::drive(&runner, &restart).await? == End::Final(Final::Done));
            let sent_ms = kills.next().await.context("no signal was sent")??;
            let report = host.referee.report(0);
            let before = report.blocks.iter().rev().map(|mined| mined.time_ms);
            let block = before.clone().find(|at| *at <= sent_ms).context("a block")?;
            let phase = (sent_ms - block) * 1_000 / report.interval_ms;
            println!("signal at {phase} per mille of the interval");
            ensure!((600..=900).contains(&phase), "{phase} per mille");
        }
        Ok(())
    })
    .await
}
