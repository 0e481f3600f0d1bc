//! The stand-in in a real container: image, command line, probes and gRPC at its own address.

mod admin;
mod ends;
mod events;
mod failures;
mod inspect;
mod lab;

use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::errors::Error;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures::StreamExt as _;
use muster_tests::fleet::observer::Observer;
use muster_tests::fleet::process::binary;
use muster_tests::image;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::{Container, Home, Network, Place, Spec};
use muster_tests::node::{http, process};
use muster_tests::referee::report::Report;
use muster_tests::referee::{Referee, Setup};

const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_container_runs_under_the_real_command_line_and_stops_by_sigterm() -> Result<()> {
    let docker = image::engine().await?;
    let run = format!("node-container-{}", std::process::id());
    let done = one_container(&docker, &run).await;
    image::clean_up(&docker, &run).await?;
    done
}

async fn one_container(docker: &bollard::Docker, run: &str) -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(100);
    let tag = format!("iotex/iotex-core:{run}");
    let image = image::build_as(docker, &binary("iotex-server")?, &behaviour, run, &tag).await?;
    let network = Network::create(docker, run, run).await?;
    // Begins at the same subnet, which is taken now.
    let beside = Network::create(docker, &format!("{run}-beside"), run).await?;
    assert_ne!(beside.gateway(), network.gateway());
    let (own, gateway) = (network.address(10), network.gateway());
    let mut spec = Spec::new(0, own, Vec::new());
    let referee = Referee::start(Setup {
        seats: vec![spec.address()],
        timing: behaviour.timing(),
        p2p: (gateway, 0).into(),
        api: ([127, 0, 0, 1], 0).into(),
    })
    .await?;
    spec.bootstrap = vec![referee.p2p().to_string()];
    let folder = tempfile::tempdir()?;
    let home = Home::lay_out(folder.path(), &spec, Place::Container)?;
    let container = Container {
        name: run,
        image: &image.tag,
        home: &home,
        network: (&network, own),
        run,
        env: Vec::new(),
    };
    let observer = Observer::start(docker.clone(), run).await?;
    let id = container.run(docker).await?;
    referee.client().until(0, PATIENCE, |r| r.height >= 3).await.context("no blocks")?;

    let seen = docker.inspect_container(&id, None).await?;
    assert_eq!(seen.image.as_ref(), Some(&image.id));
    assert_eq!(seen.path.as_deref(), Some("/usr/local/bin/entrypoint.sh"));
    let arguments = seen.args.context("no arguments")?;
    assert_eq!(arguments[0], "iotex-server");
    assert_eq!(arguments[1], "-config-path=/etc/iotex/config_override.yaml");
    assert_eq!(http::get((own, 8_080).into(), "/readiness").await?, (200, "OK".into()));
    assert!(process::height((own, 14_014).into()).await >= Some(3));
    assert!(std::fs::read_to_string(home.log().join("s.log"))?.contains("Server is ready."));

    let second = format!("{run}-second");
    let other = network.address(11);
    let later = Container { name: &second, network: (&network, other), ..container };
    let later = later.run(docker).await?;
    let (probe, mut pace) = ((other, 8_080).into(), tokio::time::interval(POLL));
    while http::get(probe, "/liveness").await.is_err() {
        pace.tick().await;
    }
    assert_eq!(http::get(probe, "/readiness").await?.0, 503, "the data is locked");

    let kill = KillContainerOptionsBuilder::new().signal("KILL").build();
    let twins = observer.verdict().await.expect_err("two containers run with one key");
    assert!(twins.to_string().contains(home.operator()), "{twins:#}");
    docker.kill_container(&id, Some(kill)).await?;
    assert_eq!(end(docker, &id).await?, 137);
    let taken = |r: &Report| r.joins.len() == 2 && r.all_at_tip();
    referee.client().until(0, PATIENCE, taken).await.context("the lock is not free")?;
    assert!(referee.report(0).equivocations.is_empty());

    let patience = StopContainerOptionsBuilder::new().t(20).build();
    docker.stop_container(&later, Some(patience)).await?;
    assert_eq!(end(docker, &later).await?, 0);
    Ok(())
}

/// The exit code, once there is one.
async fn end(docker: &bollard::Docker, id: &str) -> Result<i64> {
    let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
    let ended = std::pin::pin!(docker.wait_container(id, Some(options))).next().await;
    match ended.context("no end")? {
        Ok(ended) => Ok(ended.status_code),
        // The client takes a code other than 0 for an error.
        Err(Error::DockerContainerWaitError { code, .. }) => Ok(code),
        Err(error) => Err(error.into()),
    }
}
