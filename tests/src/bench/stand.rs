//! Stand-ins in containers around a referee, as delegates have them before anybody knows Muster.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::Docker;
use tempfile::TempDir;

use super::Scale;
use crate::fleet::process::binary;
use crate::image::{self, Image};
use crate::node::behaviour::Behaviour;
use crate::node::host::{Container, Home, Network, Place, Spec};
use crate::referee::{Referee, Setup};

/// From the first `docker start` until the last node is at the tip; 32 containers on two cores
/// take half a minute.
const UP: Duration = Duration::from_secs(180);

/// Address of the first node on its network; 1 is the host's.
const FIRST: u8 = 10;

/// A chain that advances, in containers.
pub struct Stand {
    /// The Engine.
    pub docker: Docker,
    /// Holds the chain.
    pub referee: Referee,
    /// The containers' names.
    pub names: Vec<String>,
    run: String,
    scale: Scale,
    _folder: TempDir,
}

impl Stand {
    /// Builds the image, makes and starts all nodes, and waits until all are at the tip.
    ///
    /// # Errors
    /// When that is not so in time.
    pub async fn up(docker: &Docker, run: &str, scale: Scale, version: &str) -> Result<Self> {
        let behaviour = Behaviour::version(version).scaled(scale.factor);
        let image = build(docker, run, scale, version).await?;
        let network = Network::create(docker, run, run).await?;
        let spec = |n: u8| Spec::new(u64::from(n), network.address(FIRST + n), Vec::new());
        let mut specs: Vec<Spec> = (0..scale.nodes).map(spec).collect();
        let referee = Referee::start(Setup {
            seats: specs.iter().map(Spec::address).collect(),
            timing: behaviour.timing(),
            p2p: (network.gateway(), 0).into(),
            api: ([127, 0, 0, 1], 0).into(),
        })
        .await?;
        let folder = tempfile::tempdir()?;
        let mut names = Vec::new();
        for (n, spec) in specs.iter_mut().enumerate() {
            spec.bootstrap = vec![referee.p2p().to_string()];
            let home = Home::lay_out(folder.path().join(n.to_string()), spec, Place::Container)?;
            let name = format!("{run}-{:02}", n + 1);
            let container = Container {
                name: &name,
                image: &image.id,
                home: &home,
                network: (&network, spec.external_host),
                run,
                env: Vec::new(),
            };
            container.run(docker).await?;
            names.push(name);
        }
        let (docker, run) = (docker.clone(), run.to_owned());
        let stand = Self { docker, referee, names, run, scale, _folder: folder };
        stand.at_tip().await?;
        Ok(stand)
    }

    /// Builds the image of another version.
    ///
    /// # Errors
    /// When the Engine refuses.
    pub async fn image(&self, version: &str) -> Result<Image> {
        build(&self.docker, &self.run, self.scale, version).await
    }

    /// Waits until every node is at the tip of a chain that advances.
    ///
    /// # Errors
    /// When that is not so in time.
    pub async fn at_tip(&self) -> Result<()> {
        let mark = self.referee.report(u64::MAX).now_ms;
        let client = self.referee.client();
        let up = client.until(mark, UP, |report| report.all_at_tip() && report.blocks.len() > 1);
        up.await.context("the stand-ins do not come up").map(|_| ())
    }
}

async fn build(docker: &Docker, run: &str, scale: Scale, version: &str) -> Result<Image> {
    let behaviour = Behaviour::version(version).scaled(scale.factor);
    let tag = format!("{}:{run}-{version}", image::REPOSITORY);
    Ok(image::build_as(docker, &binary("iotex-server")?, &behaviour, run, &tag).await?)
}
