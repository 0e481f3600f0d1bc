//! Stop, start and restart of the same container.

use anyhow::{Result, ensure};
use muster_proto::documents::plan::{Action, Compatibility};
use muster_proto::evidence::Event;
use muster_proto::rule::Final;

use crate::kit::{self, End, on_host};

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
async fn a_node_whose_policy_is_taken_is_started_again_in_its_stead() -> Result<()> {
    on_host("keep", async |host| {
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let stop = kit::plan(42, Action::Stop);
        ensure!(kit::drive(&runner, &stop).await? == End::Final(Final::Done));
        // The node leaves in the middle of its test, as by its own watchdog but too early.
        let mut start = kit::plan(43, Action::Start);
        start = kit::changed(&start, |plan| plan.health.hold_ms = 60_000);
        let failed = {
            let drive = kit::drive(&runner, &start);
            let kill = async {
                host.advances().await?;
                let engine = muster_agent::runtime::Engine::new(kit::SOCKET, kit::PATIENCE);
                engine.signal(&host.first, "SIGKILL").await?;
                std::future::pending::<Result<End>>().await
            };
            tokio::select! { end = drive => end?, end = kill => end? }
        };
        ensure!(failed == End::Stuck("E316".into()), "{failed:?}");
        let words = kit::words(&journal, &start.id)?;
        ensure!(words == ["acknowledged", "prepared", "began", "failed"], "{words:?}");

        // Handed back to its policy; once it is well again the plan can end.
        runner.keep().await?;
        let node = host.inspect(&host.first).await?;
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure");
        Ok(())
    })
    .await
}
