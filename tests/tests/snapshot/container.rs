//! With a real container: only while it is verified down, and by the operator's own command.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StopContainerOptionsBuilder};
use muster_agent::journal::DataLock;
use muster_agent::runtime::Engine;
use muster_agent::snapshot::{NodeData, scan};
use muster_tests::fleet::process::{Said, binary};
use muster_tests::image::{self, Image, LABEL};
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::{Container, Home, Network, Place, Spec};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{agent_folder, ask};
use crate::kit::{content, names};

pub(crate) const SOCKET: &str = "/var/run/docker.sock";

/// A stand-in that waits for its peers: it runs, and never exits by itself.
struct Host {
    docker: Docker,
    run: String,
    image: Image,
    network: Network,
    home: Home,
    id: String,
    place: TempDir,
}

async fn on_host(name: &str, test: impl AsyncFnOnce(&Host) -> Result<()>) -> Result<()> {
    let docker = image::engine().await?;
    let run = format!("snapshot-{name}-{}", std::process::id());
    let done = async {
        let host = Host::new(&docker, &run).await?;
        test(&host).await
    }
    .await;
    image::clean_up(&docker, &run).await?;
    done
}

impl Host {
    async fn new(docker: &Docker, run: &str) -> Result<Self> {
        let network = Network::create(docker, run, run).await?;
        let spec = Spec::new(0, network.address(10), vec![format!("{}:4689", network.address(99))]);
        let place = tempfile::tempdir()?;
        let home = Home::lay_out(place.path().join("home"), &spec, Place::Container)?;
        let tag = format!("muster-test/{run}:v2.4.4");
        let behaviour = Behaviour::version("v2.4.4").scaled(10.0);
        let program = binary("iotex-server")?;
        let image = image::build_as(docker, &program, &behaviour, run, &tag).await?;
        let (docker, run) = (docker.clone(), run.to_owned());
        let mut host = Self { docker, image, network, home, id: String::new(), place, run };
        host.id = host.another(&host.run, 10).await?;
        agent_folder(host.place.path(), SOCKET, &host.run)?;
        Ok(host)
    }

    /// Starts a container with the node's data.
    async fn another(&self, name: &str, address: u8) -> Result<String> {
        let container = Container {
            name,
            image: &self.image.tag,
            home: &self.home,
            network: (&self.network, self.network.address(address)),
            run: &self.run,
            env: Vec::new(),
        };
        Ok(container.run(&self.docker).await?)
    }

    async fn stop(&self, id: &str) -> Result<()> {
        let now = StopContainerOptionsBuilder::new().t(0).build();
        Ok(self.docker.stop_container(id, Some(now)).await?)
    }

    async fn ask(&self, args: &[&str]) -> Result<Said> {
        ask(self.place.path(), args).await
    }

    fn snapshots(&self) -> PathBuf {
        self.home.root().join("snapshots")
    }
}

#[track_caller]
fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{said:?}");
    assert!(said.err.contains(code), "{code} in {said:?}");
}

fn json(said: &Said) -> Result<Value> {
    ensure!(said.code == 0, "{said:?}");
    Ok(serde_json::from_str(&said.out)?)
}

#[tokio::test]
async fn nothing_is_taken_or_put_back_before_the_node_is_verified_down() -> Result<()> {
    on_host("down", async |host| {
        refused(&host.ask(&["take"]).await?, 3, "E400");
        refused(&host.ask(&["restore", "one"]).await?, 3, "E400");
        host.docker.pause_container(&host.id).await?;
        refused(&host.ask(&["take"]).await?, 3, "E400");
        host.docker.unpause_container(&host.id).await?;
        assert!(!host.snapshots().exists(), "a refusal leaves nothing");
        // What it would take can be asked at any time, and so can the copy beforehand.
        let ahead = json(&host.ask(&["take", "--dry-run", "--json", "--leave", "1MiB"]).await?)?;
        assert!(ahead["down"].as_str().is_some_and(|why| why.starts_with("E400")), "{ahead}");
        assert!(!host.snapshots().exists(), "a dry run leaves nothing");
        json(&host.ask(&["take", "--pre-copy", "--json", "--leave", "1MiB"]).await?)?;
        host.stop(&host.id).await?;
        let before = content(&host.home.data())?;
        let args = ["take", "--name", "one", "--plan", "hotfix/42", "--height", "7", "--json"];
        let taken = json(&host.ask(&args).await?)?;
        assert!(taken["down_ms"].is_u64() && taken["name"] == "one", "{taken}");
        std::fs::write(host.home.data().join("trie.db.patch"), "spoilt")?;
        let shown = host.ask(&["restore", "one", "--dry-run"]).await?;
        assert!(shown.code == 0 && shown.out.contains("would stand"), "{shown:?}");
        assert_ne!(content(&host.home.data())?, before);
        let restored = json(&host.ask(&["restore", "one", "--json"]).await?)?;
        assert_eq!(content(&host.home.data())?, before);
        let old = restored["old"].as_str().context("the old folder")?.to_owned();
        let listed = host.ask(&["list"]).await?;
        assert!(listed.out.contains("one") && listed.out.contains(&old), "{listed:?}");
        // The container has its data at the same path.
        host.docker.start_container(&host.id, None).await?;
        let engine = Engine::new(SOCKET, Engine::CALL);
        let node = engine.inspect(&host.id).await?.context("the node")?;
        assert!(node.state.running);
        assert_eq!(NodeData::find(&engine, &host.run).await?.data(), host.home.data());
        refused(&host.ask(&["restore", "one"]).await?, 3, "E400");
        assert!(json(&host.ask(&["verify", "one", "--json"]).await?)?["bytes"].is_u64());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_second_container_with_the_same_data_must_be_down_too() -> Result<()> {
    on_host("shared", async |host| {
        let second = host.another(&format!("{}-second", host.run), 11).await?;
        host.stop(&host.id).await?;
        refused(&host.ask(&["take"]).await?, 3, "E402");
        host.stop(&second).await?;
        assert_eq!(host.ask(&["take", "--name", "one", "--leave", "1MiB"]).await?.code, 0);
        let engine = Engine::new(SOCKET, Engine::CALL);
        let stopped = NodeData::find(&engine, &host.run).await?.stopped(&engine).await?;
        stopped.still(&engine).await?;
        host.docker.start_container(&second, None).await?;
        let said = stopped.still(&engine).await.expect_err("somebody writes").to_string();
        assert!(said.starts_with("E402: "), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_node_that_was_started_meanwhile_is_noticed_even_when_it_is_down_again() -> Result<()> {
    on_host("meanwhile", async |host| {
        host.stop(&host.id).await?;
        let engine = Engine::new(SOCKET, Engine::CALL);
        let stopped = NodeData::find(&engine, &host.run).await?.stopped(&engine).await?;
        stopped.still(&engine).await?;
        host.docker.start_container(&host.id, None).await?;
        let said = stopped.still(&engine).await.expect_err("it runs").to_string();
        assert!(said.starts_with("E409: "), "{said}");
        host.stop(&host.id).await?;
        let said = stopped.still(&engine).await.expect_err("it ran").to_string();
        assert!(said.starts_with("E409: "), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_daemon_that_works_here_could_start_the_node() -> Result<()> {
    on_host("daemon", async |host| {
        host.stop(&host.id).await?;
        let look = scan(&host.home.data())?;
        let lock = DataLock::take(&host.place.path().join("agent"))?;
        refused(&host.ask(&["take"]).await?, 3, "E103");
        refused(&host.ask(&["restore", "one"]).await?, 3, "E103");
        drop(lock);
        assert_eq!(scan(&host.home.data())?, look);
        assert!(!host.snapshots().exists());
        assert_eq!(host.ask(&["take", "--name", "one", "--leave", "1MiB"]).await?.code, 0);
        assert_eq!(names(&host.snapshots()), ["one"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_a_container_or_its_data_nothing_is_guessed() -> Result<()> {
    on_host("nothing", async |host| {
        let mount = |at: &str| format!("{}:{at}", host.home.data().display());
        let odd = [
            ("bare", vec![mount("/elsewhere")], "E401", 2),
            ("nested", vec![mount("/var/data"), mount("/var/data/trie.db")], "E403", 3),
        ];
        agent_folder(host.place.path(), SOCKET, "nobody")?;
        refused(&host.ask(&["take"]).await?, 2, "E401");
        for (word, binds, code, exit) in odd {
            let name = format!("{}-{word}", host.run);
            let body = ContainerCreateBody {
                image: Some(host.image.tag.clone()),
                labels: Some([(LABEL.to_owned(), host.run.clone())].into()),
                host_config: Some(HostConfig { binds: Some(binds), ..Default::default() }),
                ..Default::default()
            };
            let options = CreateContainerOptionsBuilder::new().name(&name).build();
            host.docker.create_container(Some(options), body).await?;
            agent_folder(host.place.path(), SOCKET, &name)?;
            refused(&host.ask(&["take"]).await?, exit, code);
        }
        Ok(())
    })
    .await
}
