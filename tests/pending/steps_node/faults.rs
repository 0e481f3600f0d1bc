//! The Engine fails at one mutating call: refuses it, or does it and the answer is lost. The
//! calls are counted from a clean run, so that a new one is covered unasked.

use anyhow::{Context as _, Result, ensure};
use muster_proto::rule::Final;
use muster_tests::faults::engine::{EngineProxy, Fault};

use crate::kit::{self, End, on_host};

/// One upgrade per chosen call, each to a release of its own, each from the old node.
async fn every_call_fails(name: &str, fault: Fault, first: usize, step: usize) -> Result<()> {
    on_host(name, async |host| {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("engine.sock");
        let proxy = EngineProxy::start(&socket, kit::SOCKET.as_ref())?;
        let versions = ["v2.4.4", "v2.4.5"];
        let images = [host.load(&kit::old_version()).await?, host.load(&kit::new_version()).await?];
        let mut which = 1;
        for (serial, call) in (42..).zip((first..).step_by(step)) {
            let mut release = kit::release_of(host, &images[which], versions[which], None);
            release.from = vec![versions[1 - which].into()];
            let context = kit::upgrade(serial, &release, None);
            let (runner, _journal) = host.runner_at(socket.clone(), kit::undisturbed())?;
            let before = proxy.calls().len();
            proxy.arm(before + call, fault);
            let end = kit::drive(&runner, &context).await;
            let failed = proxy.calls().get(before + call).map(|call| call.path.clone());
            let end = end.with_context(|| format!("{fault:?} at {failed:?}"))?;
            ensure!(end == End::Final(Final::Done), "{end:?} after {fault:?} at {failed:?}");
            let node = host.inspect(&host.run).await?;
            ensure!(node["Image"] == *images[which].id, "{fault:?} at {failed:?}");
            ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure");
            host.advances().await?;
            which = 1 - which;
            if !proxy.has_tripped() {
                return Ok(());
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_call_that_the_engine_refuses_is_made_again_1_of_2() -> Result<()> {
    every_call_fails("refuses-1", Fault::Status(500), 0, 2).await
}

#[tokio::test]
async fn a_call_that_the_engine_refuses_is_made_again_2_of_2() -> Result<()> {
    every_call_fails("refuses-2", Fault::Status(500), 1, 2).await
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_looked_after_1_of_2() -> Result<()> {
    every_call_fails("lost-1", Fault::Cut, 0, 2).await
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_looked_after_2_of_2() -> Result<()> {
    every_call_fails("lost-2", Fault::Cut, 1, 2).await
}

#[tokio::test]
async fn a_conflict_is_waited_out_1_of_2() -> Result<()> {
    every_call_fails("conflict-1", Fault::Status(409), 0, 2).await
}

#[tokio::test]
async fn a_conflict_is_waited_out_2_of_2() -> Result<()> {
    every_call_fails("conflict-2", Fault::Status(409), 1, 2).await
}
