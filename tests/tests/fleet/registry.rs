//! Images from a real registry: pulled by manifest digest, believed by config digest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerSummary, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, TagImageOptionsBuilder,
};
use jiff::{SignedDuration, Timestamp};
use muster_agent::journal::{Identity, Journal};
use muster_agent::runtime::Engine;
use muster_agent::steps::{PlanContext, Ran, Runner, Settings, StepError};
use muster_proto::documents::plan::{
    Action, BeaconTerms, Budget, Compatibility, Deadline, Drill, Failures, HealthTerms, Plan,
    ReleaseRef, Then, Unmanaged, Urgency, Validity,
};
use muster_proto::documents::release::{ConfigChange, GenesisChange, Image, Release};
use muster_proto::documents::{Class, Digest, canonical};
use muster_proto::evidence::Envelope;
use muster_proto::rule::{Stage, Step};
use muster_proto::trust::keys::SecretKey;
use muster_tests::fleet::process::binary;
use muster_tests::fleet::sweep::Sweep;
use muster_tests::image::{self, LABEL};
use muster_tests::node::behaviour::Behaviour;
use muster_tests::registry::{Pushed, Registry, remove_local};

const SOCKET: &str = "/var/run/docker.sock";

/// The version that the node runs, and the one that the registry has.
const OLD: &str = "v2.4.3";
const NEW: &str = "v2.4.4";

/// An Engine with the old image and a node made of it, and a registry with the new image, which
/// the Engine does not have.
struct Setting {
    docker: Docker,
    run: String,
    registry: Registry,
    old: String,
    new: Pushed,
    folder: tempfile::TempDir,
}

impl Setting {
    async fn lay_out(docker: &Docker, run: &str) -> Result<Self> {
        let registry = Registry::start().await?;
        let old = build(docker, OLD, run).await?;
        let made = build(docker, NEW, run).await?;
        let new = registry.push(docker, &made, NEW).await?;
        assert_eq!(new.config.as_str(), made, "the manifest names the image that was pushed");
        remove_local(docker, &made).await?;
        let folder = tempfile::tempdir()?;
        let setting = Self { docker: docker.clone(), run: run.into(), registry, old, new, folder };
        setting.create_node().await?;
        Ok(setting)
    }

    /// A node that was made and is down: all that a pull needs.
    async fn create_node(&self) -> Result<()> {
        let data = self.folder.path().join("data");
        std::fs::create_dir(&data)?;
        let body = ContainerCreateBody {
            image: Some(self.old.clone()),
            labels: Some([(LABEL.to_owned(), self.run.clone())].into()),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:/var/data:rw", data.display())]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&self.run).build();
        self.docker.create_container(Some(options), body).await?;
        Ok(())
    }

    fn signed(&self) -> Image {
        let Pushed { repository, manifest, config } = self.new.clone();
        Image { repository, config, manifest: Some(manifest) }
    }

    /// What the agent's own step makes of a release with this image.
    async fn prepare(&self, image: Image) -> Result<Result<Ran, StepError>> {
        let engine = Arc::new(Engine::new(SOCKET, Engine::CALL));
        let key = SecretKey::from_seed(&[3; 32]);
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let journal = journal(folder.path(), key)?;
        journal.learn_version(&self.old.parse()?, OLD)?;
        let platform = engine.platform().await?;
        let context = context(platform, image)?;
        let runner = Runner::new(engine, journal, Settings::new(&self.run));
        let acknowledged = runner.run(&Step::Acknowledge { in_hand: None }, &context).await?;
        assert_eq!(acknowledged, Ran::Did(Stage::Acknowledged));
        Ok(runner.run(&Step::Prepare, &context).await)
    }

    async fn has(&self, image: &Digest) -> bool {
        self.docker.inspect_image(image.as_str()).await.is_ok()
    }

    async fn containers(&self) -> Result<Vec<ContainerSummary>> {
        let ours = [("label", vec![format!("{LABEL}={}", self.run)])].into();
        let all = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
        Ok(self.docker.list_containers(Some(all)).await?)
    }

    async fn assert_nothing_was_made(&self) -> Result<()> {
        let left = self.containers().await?;
        assert_eq!(left.len(), 1, "only the node itself: {left:?}");
        assert_eq!(left[0].image_id.as_ref(), Some(&self.old));
        Ok(())
    }
}

async fn build(docker: &Docker, version: &str, run: &str) -> Result<String> {
    // The commit makes the image this run's own, so that nobody else brings it back.
    let behaviour = Behaviour { commit: hex::encode(run), ..Behaviour::version(version) };
    let tag = format!("{}:{run}-{version}", image::REPOSITORY);
    let made = image::build_as(docker, &binary("iotex-server")?, &behaviour, run, &tag).await?;
    Ok(made.id)
}

fn journal(folder: &Path, key: SecretKey) -> Result<Journal> {
    let identity =
        Identity { network: "testnet".into(), node: "node-1".parse()?, key: key.public() };
    let seal = move |receipt: &_| Ok(Envelope::sign(receipt, key.signing_key())?);
    Ok(Journal::open(folder, identity, Arc::new(seal))?)
}

fn context(platform: String, image: Image) -> Result<PlanContext> {
    let release = Release {
        muster: "release/v1".into(),
        version: NEW.into(),
        issued: Timestamp::now(),
        images: BTreeMap::from([(platform, image)]),
        from: vec![OLD.into()],
        compatible: true,
        activation_height: None,
        roles: BTreeMap::new(),
        config: ConfigChange::Unchanged,
        genesis: GenesisChange::Unchanged,
    };
    let release_bytes = canonical::to_bytes(&release)?;
    let plan = plan(ReleaseRef { version: NEW.into(), digest: Digest::of(&release_bytes) });
    let bytes = canonical::to_bytes(&plan)?;
    Ok(PlanContext {
        id: plan.id(&bytes),
        plan: Arc::new(plan),
        plan_bytes: bytes.into(),
        release: Some((Arc::new(release), release_bytes.into())),
        genesis: None,
        fleet: Default::default(),
        again: Arc::new(|| unreachable!("to prepare takes no permission")),
    })
}

fn plan(release: ReleaseRef) -> Plan {
    let now = Timestamp::now();
    let minute = 60_000;
    Plan {
        muster: "plan/v1".into(),
        network: "testnet".into(),
        class: Class::Hotfix,
        serial: 1,
        title: "from a registry".into(),
        urgency: Urgency::Routine,
        issued: now,
        valid: Validity { from: now, until: now + SignedDuration::from_hours(1) },
        after: Vec::new(),
        supersedes: Vec::new(),
        action: Action::Upgrade(release),
        schedule: None,
        ends: None,
        compatibility: Compatibility::Compatible,
        members: Vec::new(),
        active: 1,
        waves: Vec::new(),
        budget: Budget::All,
        parallel: 1,
        unmanaged: Unmanaged::Away,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2_000, stale_ms: 10_000, skew_ms: 5_000 },
        absent_after_ms: minute,
        health: HealthTerms {
            boot_ms: minute,
            ready_ms: minute,
            advance_blocks: 1,
            lag_blocks: 10,
            peers: 0,
            hold_ms: 1_000,
        },
        deadline: Deadline { per_node_ms: 10 * minute, before_height: None },
        drill: Drill::No,
    }
}

/// Lays out, runs `test`, cleans up whatever became of it.
async fn with_registry(
    name: &str,
    test: impl AsyncFnOnce(&mut Setting) -> Result<()>,
) -> Result<()> {
    let docker = image::engine().await?;
    let run = format!("registry-{name}-{}", std::process::id());
    let _sweep = Sweep::new(&run);
    let mut setting = Setting::lay_out(&docker, &run).await.context("laying out")?;
    test(&mut setting).await
}

fn code(refused: Result<Ran, StepError>) -> &'static str {
    refused.expect_err("it was refused").code.code
}

#[tokio::test]
async fn an_image_is_pulled_by_its_manifest_digest_and_is_the_one_that_was_signed() -> Result<()> {
    with_registry("pull", async |setting| {
        assert!(!setting.has(&setting.new.config).await);
        let ran = setting.prepare(setting.signed()).await??;
        assert_eq!(ran, Ran::Did(Stage::Prepared));
        assert!(setting.has(&setting.new.config).await);
        let successor = setting.containers().await?;
        let new = setting.new.config.to_string();
        assert!(successor.iter().any(|c| c.image_id.as_ref() == Some(&new)), "{successor:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pulled_image_with_another_config_than_signed_is_refused() -> Result<()> {
    with_registry("config", async |setting| {
        let other = Image { config: Digest::of(b"another configuration"), ..setting.signed() };
        assert_eq!(code(setting.prepare(other).await?), "E308");
        setting.assert_nothing_was_made().await
    })
    .await
}

#[tokio::test]
async fn a_tag_that_points_elsewhere_is_an_error_although_the_digests_are_right() -> Result<()> {
    with_registry("tag", async |setting| {
        let repository = setting.registry.repository();
        let tag = TagImageOptionsBuilder::new().repo(&repository).tag(NEW).build();
        setting.docker.tag_image(&setting.old, Some(tag)).await?;
        assert_eq!(code(setting.prepare(setting.signed()).await?), "E309");
        setting.assert_nothing_was_made().await
    })
    .await
}

#[tokio::test]
async fn a_manifest_that_no_registry_has_is_refused_and_tried_again() -> Result<()> {
    with_registry("unknown", async |setting| {
        let unknown = Digest::of(b"a manifest that nobody pushed");
        let other = Image { manifest: Some(unknown), ..setting.signed() };
        let refused = setting.prepare(other).await?.expect_err("it was refused");
        assert_eq!((refused.code.code, refused.retry), ("E300", true), "{refused}");
        assert!(refused.text.starts_with("E206"), "{refused}");
        setting.assert_nothing_was_made().await
    })
    .await
}

#[tokio::test]
async fn a_registry_that_is_away_is_waited_for_and_a_loaded_image_needs_none() -> Result<()> {
    with_registry("away", async |setting| {
        setting.registry.kill().await?;
        let refused = setting.prepare(setting.signed()).await?.expect_err("it was refused");
        assert_eq!((refused.code.code, refused.retry), ("E300", true), "{refused}");
        setting.assert_nothing_was_made().await?;

        let loaded = build(&setting.docker, NEW, &setting.run).await?;
        assert_eq!(loaded, setting.new.config.to_string());
        let ran = setting.prepare(setting.signed()).await??;
        assert_eq!(ran, Ran::Did(Stage::Prepared));
        Ok(())
    })
    .await
}
