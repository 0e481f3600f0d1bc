//! A real registry on loopback: Debian's `docker-registry` over a folder that goes with it.
//!
//! The Engine speaks plain HTTP to registries on loopback unasked, so its configuration stays as
//! it is.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use muster_proto::documents::Digest;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::fleet::process::Process;
use crate::image::REPOSITORY;

/// It listens within half a second; a machine under load needs longer.
const START: Duration = Duration::from_secs(20);

/// What it logs once its port is known.
const LISTENING: &str = "listening on ";

/// Without it the registry answers in a format that nobody pulls any more.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A running registry; it and its folder are gone when dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    process: Process,
    folder: TempDir,
}

/// An image as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Without tag, such as `127.0.0.1:41234/iotex/iotex-core`.
    pub repository: String,
    /// What to pull it by.
    pub manifest: Digest,
    /// What the manifest says its configuration is.
    pub config: Digest,
}

impl Pushed {
    /// `repository@manifest`, as the Engine pulls it.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.repository, self.manifest)
    }
}

impl Registry {
    /// Starts it on a free port and waits until it answers.
    ///
    /// # Errors
    /// When the program is missing or does not listen.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("registry.yml");
        std::fs::write(&file, configuration(folder.path()))?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&file);
        let log = folder.path().join("registry.log");
        let mut process = Process::start("docker-registry", command, &log)
            .context("apt-get install docker-registry")?;
        process.says(LISTENING, START).await?;
        let address = listening(&process.output()).context("the registry names no address")?;
        let registry = Self { address, process, folder };
        let (status, _) = registry.get("/v2/").await?;
        anyhow::ensure!(status == 200, "the registry answers {status}");
        Ok(registry)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The repository that images are pushed to.
    pub fn repository(&self) -> String {
        format!("{}/{REPOSITORY}", self.address)
    }

    /// Tags a loaded image for this registry and pushes it under `version`.
    ///
    /// # Errors
    /// When the Engine refuses, or the registry has something else afterwards.
    pub async fn push(&self, docker: &Docker, image: &str, version: &str) -> Result<Pushed> {
        let repository = self.repository();
        let tag = TagImageOptionsBuilder::new().repo(&repository).tag(version).build();
        docker.tag_image(image, Some(tag)).await?;
        let options = PushImageOptionsBuilder::new().tag(version).build();
        // Without the header that carries them the Engine refuses, though nobody asks for any.
        let nobody = Some(DockerCredentials::default());
        let mut progress = std::pin::pin!(docker.push_image(&repository, Some(options), nobody));
        while let Some(step) = progress.next().await {
            step.context("the push")?;
        }
        self.manifest(version).await
    }

    /// What the registry has under a tag.
    ///
    /// # Errors
    /// When it has nothing there, or nothing that is a manifest.
    pub async fn manifest(&self, version: &str) -> Result<Pushed> {
        let (status, body) = self.get(&format!("/v2/{REPOSITORY}/manifests/{version}")).await?;
        anyhow::ensure!(status == 200, "the registry answers {status} for {version}");
        let read: serde_json::Value = serde_json::from_slice(&body)?;
        let config = read["config"]["digest"].as_str().context("a manifest without config")?;
        let config = config.parse().context("a config that is no digest")?;
        Ok(Pushed { repository: self.repository(), manifest: Digest::of(&body), config })
    }

    /// Ends it in the middle of whatever it does: a registry that is away.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Where it keeps what was pushed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    async fn get(&self, path: &str) -> Result<(u16, Bytes)> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let request = Request::get(path)
            .header("host", self.address.to_string())
            .header("accept", MANIFEST)
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        driver.abort();
        Ok((status, body))
    }
}

/// Takes an image out of the Engine under all its names, so that only a pull brings it back.
///
/// # Errors
/// When the Engine refuses, for one because a container uses it.
pub async fn remove_local(docker: &Docker, image: &str) -> Result<()> {
    let force = RemoveImageOptionsBuilder::new().force(true).build();
    docker.remove_image(image, Some(force), None).await?;
    anyhow::ensure!(docker.inspect_image(image).await.is_err(), "{image} is still here");
    Ok(())
}

fn configuration(folder: &Path) -> String {
    let folder = folder.join("images");
    format!(
        "\
version: 0.1
storage:
  filesystem: {{rootdirectory: {}}}
http: {{addr: 127.0.0.1:0}}
log: {{level: info}}
",
        folder.display()
    )
}

/// `… msg="listening on 127.0.0.1:45255" …`
fn listening(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(LISTENING)?;
    rest.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::listening;

    #[test]
    fn the_port_is_read_from_the_log() {
        let line = "level=info msg=\"listening on 127.0.0.1:45255\" go.version=go1.19.8";
        assert_eq!(listening(line), Some(([127, 0, 0, 1], 45_255).into()));
        assert_eq!(listening("level=info msg=\"redis not configured\""), None);
    }
}
