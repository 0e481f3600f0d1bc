//! Images from a real registry on loopback, by manifest digest.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use bollard::query_parameters::{
    PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use futures::StreamExt as _;
use muster_proto::evidence::Event;
use muster_proto::rule::Final;
use muster_tests::image::Image;
use tokio::process::{Child, Command};

use crate::kit::{self, End, Host, on_host};

/// A registry; it ends when dropped.
struct Registry {
    _child: Child,
    _folder: tempfile::TempDir,
    address: String,
}

impl Registry {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let store = folder.path().display();
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {store}}}\n\
             http: {{addr: {address}}}\n"
        );
        let config = folder.path().join("config.yml");
        std::fs::write(&config, text)?;
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("docker-registry is not installed")?;
        let deadline = tokio::time::Instant::now() + kit::PATIENCE;
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(50));
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            ensure!(tokio::time::Instant::now() < deadline, "the registry does not listen");
            pace.tick().await;
        }
        Ok(Self { _child: child, _folder: folder, address })
    }

    /// Pushes an image and removes it here; returns its repository and manifest digest.
    async fn take(&self, host: &Host, image: &Image) -> Result<(String, String)> {
        let repository = format!("{}/iotex-core", self.address);
        let tag = TagImageOptionsBuilder::new().repo(&repository).tag("v2.4.5").build();
        host.docker.tag_image(&image.tag, Some(tag)).await?;
        let push = PushImageOptionsBuilder::new().tag("v2.4.5").build();
        let mut progress = host.docker.push_image(&repository, Some(push), None);
        while let Some(step) = progress.next().await {
            step.context("the push")?;
        }
        let pushed = host.docker.inspect_image(&format!("{repository}:v2.4.5")).await?;
        let digests = pushed.repo_digests.unwrap_or_default();
        let digest = digests.iter().find_map(|one| one.strip_prefix(&format!("{repository}@")));
        let digest = digest.context("no digest of the push")?.to_owned();
        let force = RemoveImageOptionsBuilder::new().force(true).build();
        host.docker.remove_image(&image.id, Some(force), None).await?;
        Ok((repository, digest))
    }
}

#[tokio::test]
async fn an_image_is_pulled_by_its_manifest_and_checked_against_its_config() -> Result<()> {
    on_host("pull", async |host| {
        let registry = Registry::start().await?;
        let image = host.load(&kit::new_version()).await?;
        let (repository, manifest) = registry.take(host, &image).await?;
        let mut release = kit::release_of(host, &image, "v2.4.5", None);
        let signed = release.images.get_mut("linux/amd64").context("an image")?;
        signed.repository = repository;
        signed.manifest = Some(manifest.parse()?);
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        let context = kit::upgrade(42, &release, None);
        ensure!(kit::drive(&runner, &context).await? == End::Final(Final::Done));
        host.is_the_new_node(&image, 42).await
    })
    .await
}

#[tokio::test]
async fn a_manifest_that_leads_to_another_image_is_refused() -> Result<()> {
    on_host("belongs", async |host| {
        let genesis = std::fs::read(host.home.genesis())?;
        let registry = Registry::start().await?;
        let image = host.load(&kit::new_version()).await?;
        let (repository, manifest) = registry.take(host, &image).await?;
        let mut release = kit::release_of(host, &image, "v2.4.5", None);
        let signed = release.images.get_mut("linux/amd64").context("an image")?;
        signed.repository = repository;
        signed.manifest = Some(manifest.parse()?);
        signed.config = muster_proto::documents::Digest::of(b"another image");
        is_refused(host, &release, "E308").await?;
        host.is_the_old_node(&genesis).await
    })
    .await
}

#[tokio::test]
async fn a_tag_that_points_elsewhere_is_refused() -> Result<()> {
    on_host("tag", async |host| {
        let genesis = std::fs::read(host.home.genesis())?;
        let image = host.load(&kit::new_version()).await?;
        // The version's tag is put on the old image, as a careless hand would.
        let old = format!("{}:v2.4.4", host.repository());
        let keep = TagImageOptionsBuilder::new().repo(&host.repository()).tag("right").build();
        host.docker.tag_image(&image.tag, Some(keep)).await?;
        let tag = TagImageOptionsBuilder::new().repo(&host.repository()).tag("v2.4.5").build();
        host.docker.tag_image(&old, Some(tag)).await?;
        is_refused(host, &kit::release_of(host, &image, "v2.4.5", None), "E309").await?;
        host.is_the_old_node(&genesis).await
    })
    .await
}

/// The upgrade ends before it touches anything, with this code.
async fn is_refused(
    host: &Host,
    release: &muster_proto::documents::Release,
    code: &str,
) -> Result<()> {
    let (runner, journal) = host.runner(kit::undisturbed())?;
    let context = kit::upgrade(42, release, None);
    ensure!(kit::drive(&runner, &context).await? == End::Final(Final::RolledBack));
    let said = kit::receipts(&journal)?.into_iter().find_map(|one| match one.event {
        Event::Failed { code, .. } => Some(code),
        _ => None,
    });
    ensure!(said.as_deref() == Some(code), "{said:?}");
    Ok(())
}
