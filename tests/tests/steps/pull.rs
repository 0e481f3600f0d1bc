//! The pull from a registry, with a fault at that very call: the new node runs in the end.
//!
//! A pull that is never answered is given up after five minutes, which no test waits for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use muster_agent::runtime::Engine;
use muster_proto::documents::release;
use muster_proto::rule::Final;
use muster_tests::faults::engine::{EngineProxy, Fault};
use muster_tests::image::Image;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::registry::{Registry, remove_local};

use crate::kit::{self, End, Host, on_host};

/// Of one call of the Engine.
const CALL: Duration = Duration::from_secs(5);

/// Pushes `version`, takes it from the Engine, and says what to sign for it.
async fn only_in(
    registry: &Registry,
    host: &Host,
    version: &str,
) -> Result<(Image, release::Image)> {
    let behaviour = Behaviour { version: version.into(), ..kit::new_version() };
    let image = host.load(&behaviour).await?;
    let pushed = registry.push(&host.docker, &image.id, version).await?;
    remove_local(&host.docker, &image.id).await?;
    let signed = release::Image {
        repository: pushed.repository,
        config: pushed.config,
        manifest: Some(pushed.manifest),
    };
    Ok((image, signed))
}

/// Upgrades to images that have to be pulled, one for each fault at the pull.
async fn pulls(faults: &[Fault]) -> Result<()> {
    on_host(&format!("pull-{:?}", faults[0]).to_lowercase().replace(['(', ')'], "-"), async |host| {
        let registry = Registry::start().await?;
        let folder = tempfile::tempdir()?;
        let proxy = EngineProxy::start(&folder.path().join("engine.sock"), Path::new(kit::SOCKET))?;
        let mut from = "v2.4.4".to_owned();
        for (at, fault) in faults.iter().enumerate() {
            let version = format!("v2.5.{at}");
            let (image, signed) = only_in(&registry, host, &version).await?;
            let mut release = kit::release_of(host, &image, &version, None);
            release.images.insert("linux/amd64".into(), signed);
            release.from = vec![std::mem::replace(&mut from, version)];
            let upgrade = kit::upgrade(42 + at as u64, &release, None);
            // The pull is the first call of an upgrade that changes anything.
            let first = proxy.calls().len();
            proxy.arm(first, *fault);
            let engine = || Engine::new(proxy.socket(), CALL);
            if fault.kills() {
                let (runner, journal) =
                    host.runner_on(engine(), host.settings(), kit::undisturbed())?;
                tokio::select! {
                    end = kit::drive(&runner, &upgrade) => anyhow::bail!("not killed: {:?}", end?),
                    () = proxy.tripped() => {}
                }
                drop((runner, journal));
                proxy.caller_is_dead();
            }
            let (runner, _journal) = host.runner_on(engine(), host.settings(), kit::undisturbed())?;
            let end = kit::drive(&runner, &upgrade).await?;
            ensure!(end == End::Final(Final::Done), "{end:?} after {fault:?}");
            let call = &proxy.calls()[first];
            ensure!(call.path.starts_with("/images/create?"), "not the pull: {}", call.path);
            ensure!(proxy.has_tripped(), "{fault:?} was not met");
            let node = host.inspect(&host.run).await?;
            ensure!(node["Image"] == *image.id, "another image after {fault:?}");
            ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure");
            host.advances().await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_around_a_pull_goes_on_to_the_new_node() -> Result<()> {
    pulls(&[Fault::KillBefore, Fault::KillAfter]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_is_refused_or_cut_is_tried_again_and_the_new_node_runs() -> Result<()> {
    pulls(&[Fault::Status(500), Fault::Status(409), Fault::Cut]).await
}
