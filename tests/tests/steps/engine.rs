//! An Engine that cannot be reached, says nothing, says no or says nonsense: each by its code, and
//! the node is as it was.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use muster_agent::runtime::Engine;
use muster_agent::steps::StepError;
use muster_proto::documents::plan::Action;
use muster_proto::rule::{Final, Stage, Step};
use muster_tests::faults::engine::{EngineProxy, Fault};

use crate::kit::by_hand::{ACKNOWLEDGE, begin, refusal, steps};
use crate::kit::{self, End, on_host};

/// The agent's deadline for one call of the Engine.
const CALL: Duration = Duration::from_secs(3);

/// What the Engine failed with stands in the text of the step's own code.
fn is(error: &StepError, code: &str) -> Result<()> {
    ensure!(error.code.code == "E300" && error.text.starts_with(code), "{code}: {error}");
    Ok(())
}

/// What the Engine fails with at the call that disarms the node, with the code of each. The last
/// one is not tried again.
const FAULTS: [(Fault, &str); 3] =
    [(Fault::Timeout, "E202"), (Fault::Status(500), "E204"), (Fault::Status(404), "E203")];

#[tokio::test]
async fn an_engine_that_fails_at_the_first_call_leaves_the_node_as_it_was() -> Result<()> {
    on_host("engine", async |host| {
        let old = std::fs::read(host.home.genesis())?;
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("engine.sock");
        let proxy = EngineProxy::start(&socket, Path::new(kit::SOCKET))?;
        let engine = Engine::new(&socket, CALL);
        let (runner, journal) = host.runner_on(engine, host.settings(), kit::undisturbed())?;
        let restart = kit::plan(42, Action::Restart);
        steps(&runner, &restart, &[ACKNOWLEDGE, Step::Prepare]).await?;

        drop(proxy);
        is(&refusal(&runner, &restart, &begin()).await?, "E201")?;
        host.is_the_old_node(&old).await?;
        let proxy = EngineProxy::start(&socket, Path::new(kit::SOCKET))?;
        for (at, (fault, code)) in FAULTS.into_iter().enumerate() {
            proxy.arm(at, fault);
            is(&refusal(&runner, &restart, &begin()).await?, code)?;
            let calls = proxy.calls();
            let first = format!("/containers/{}/update", host.first);
            // Nothing else was asked for: there was nothing to take back.
            ensure!(calls.len() == at + 1 && calls[at].path == first, "{code}: {calls:?}");
            ensure!(journal.fold(&restart.id).stage == Stage::Prepared, "{code}");
            host.is_the_old_node(&old).await?;
        }
        ensure!(kit::drive(&runner, &restart).await? == End::Final(Final::RolledBack));
        let words = kit::words(&journal, &restart.id)?;
        let expected =
            ["acknowledged", "prepared", "began", "began", "began", "failed", "rolled-back"];
        ensure!(words == expected, "{words:?}");
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn an_engine_whose_answer_is_not_understood_made_no_successor() -> Result<()> {
    on_host("nonsense", async |host| {
        let old = std::fs::read(host.home.genesis())?;
        let image = host.load(&kit::new_version()).await?;
        let release = kit::release_of(host, &image, "v2.4.5", None);
        let upgrade = kit::upgrade(42, &release, None);
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("engine.sock");
        let proxy = EngineProxy::start(&socket, Path::new(kit::SOCKET))?;
        let engine = Engine::new(&socket, CALL);
        let (runner, journal) = host.runner_on(engine, host.settings(), kit::undisturbed())?;
        steps(&runner, &upgrade, &[ACKNOWLEDGE]).await?;
        // A yes without the id of what was made, and nothing was made.
        proxy.arm(0, Fault::Status(201));
        is(&refusal(&runner, &upgrade, &Step::Prepare).await?, "E205")?;
        let calls = proxy.calls();
        ensure!(calls.len() == 1 && calls[0].path.starts_with("/containers/create?"), "{calls:?}");
        ensure!(kit::drive(&runner, &upgrade).await? == End::Final(Final::RolledBack));
        let words = kit::words(&journal, &upgrade.id)?;
        ensure!(words == ["acknowledged", "failed", "rolled-back"], "{words:?}");
        host.is_the_old_node(&old).await
    })
    .await
}
