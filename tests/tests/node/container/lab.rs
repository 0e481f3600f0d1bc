//! One delegate with the only seat of a chain, his container made by hand on a network of its own.

use anyhow::{Context as _, Result};
use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use muster_tests::fleet::process::binary;
use muster_tests::image::{self, Image};
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::{Container, Home, Network, Place, Spec};
use muster_tests::referee::report::Report;
use muster_tests::referee::{Referee, Setup};

use super::PATIENCE;

/// What the delegate has.
pub(crate) struct Lab {
    pub(crate) docker: Docker,
    pub(crate) run: String,
    pub(crate) image: Image,
    pub(crate) network: Network,
    pub(crate) referee: Referee,
    pub(crate) spec: Spec,
    pub(crate) folder: tempfile::TempDir,
}

/// Runs a test in a lab, and removes all that it made, whatever comes of it.
pub(crate) async fn within(
    name: &str,
    behaviour: Behaviour,
    test: impl AsyncFnOnce(&Lab) -> Result<()>,
) -> Result<()> {
    let docker = image::engine().await?;
    let run = format!("node-{name}-{}", std::process::id());
    let done = async {
        let lab = Lab::make(docker.clone(), run.clone(), behaviour).await?;
        test(&lab).await
    };
    let done = done.await;
    image::clean_up(&docker, &run).await?;
    done
}

impl Lab {
    async fn make(docker: Docker, run: String, behaviour: Behaviour) -> Result<Self> {
        let tag = format!("iotex/iotex-core:{run}");
        let image =
            image::build_as(&docker, &binary("iotex-server")?, &behaviour, &run, &tag).await?;
        let network = Network::create(&docker, &run, &run).await?;
        let mut spec = Spec::new(0, network.address(10), Vec::new());
        let referee = Referee::start(Setup {
            seats: vec![spec.address()],
            timing: behaviour.timing(),
            p2p: (network.gateway(), 0).into(),
            api: ([127, 0, 0, 1], 0).into(),
        })
        .await?;
        spec.bootstrap = vec![referee.p2p().to_string()];
        let folder = tempfile::tempdir()?;
        Ok(Self { docker, run, image, network, referee, spec, folder })
    }

    /// A home of this name with the delegate's files.
    pub(crate) fn home(&self, name: &str) -> Result<Home> {
        let root = self.folder.path().join(name);
        Ok(Home::lay_out(root, &self.spec, Place::Container)?)
    }

    /// The name of a container of this run.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }

    /// Makes and starts a container of this home, with this last byte in its address.
    pub(crate) async fn start(&self, name: &str, home: &Home, last: u8) -> Result<String> {
        let container = Container {
            name: &self.name(name),
            image: &self.image.tag,
            home,
            network: (&self.network, self.network.address(last)),
            run: &self.run,
            env: Vec::new(),
        };
        Ok(container.run(&self.docker).await?)
    }

    /// Waits for the commit of a block that is not there yet.
    pub(crate) async fn next_block(&self) -> Result<()> {
        let height = self.referee.report(u64::MAX).height;
        let next = |r: &Report| r.height > height;
        self.referee.client().until(0, PATIENCE, next).await.context("no block").map(|_| ())
    }

    /// What the Engine shows of a container.
    pub(crate) async fn inspect(&self, id: &str) -> Result<ContainerInspectResponse> {
        Ok(self.docker.inspect_container(id, None).await?)
    }
}

/// `137 oom=false restarts=0 running=false`, as the recordings say it.
pub(crate) fn state(seen: &ContainerInspectResponse) -> Result<String> {
    let state = seen.state.as_ref().context("no state")?;
    Ok(format!(
        "{} oom={} restarts={} running={}",
        state.exit_code.context("no exit code")?,
        state.oom_killed.context("no oom")?,
        seen.restart_count.context("no count")?,
        state.running.context("not said whether it runs")?,
    ))
}
