//! What the demo plays on: nodes, controller, officers, agents. Everything is labelled and goes
//! away again, also after an interruption; what an earlier run left behind goes first.

use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bollard::Docker;
use tempfile::TempDir;

use super::documents;
use super::people::People;
use crate::fleet::board::Board;
use crate::fleet::delegate::Delegate;
use crate::fleet::observer::Observer;
use crate::fleet::{self, Make, NETWORK, OLD};
use crate::image;
use crate::node::behaviour::Behaviour;
use crate::referee::Referee;

/// Label of everything that the demo makes.
pub const RUN: &str = "muster-demo";
/// Delegates.
pub const SIZE: u8 = 7;
/// Real time by this: a block each second. Downtime is shown, so it is no more (IOTEX.md).
const SCALE: f64 = 2.5;

/// Everything that runs.
pub struct Stage {
    /// The Engine.
    pub docker: Docker,
    /// Watches for two nodes with one key.
    pub observer: Observer,
    /// Holds the chain.
    pub referee: Referee,
    /// The controller.
    pub board: Board,
    /// Those who sign.
    pub people: People,
    /// The hosts.
    pub delegates: Vec<Delegate>,
    _folder: TempDir,
    _alone: File,
}

/// A version of the node as the demo knows it.
pub fn version(version: &str) -> Behaviour {
    Behaviour::version(version).scaled(SCALE).starting_in(300)
}

impl Stage {
    /// Seven nodes at the tip, keys, a signed roster, seven agents attached.
    ///
    /// # Errors
    /// When something does not come up, or another demo runs.
    pub async fn up() -> Result<Self> {
        let alone = alone()?;
        let docker = image::engine().await.context("no Engine answers")?;
        image::clean_up(&docker, RUN).await?;
        let folder = tempfile::Builder::new().prefix("muster-demo-").tempdir()?;
        let observer = Observer::start(docker.clone(), RUN).await?;
        let make = Make { size: SIZE, behaviour: version(OLD), boards: 1, followers: 0 };
        say(&format!("{SIZE} nodes of {OLD} in containers, a block each second"));
        let (referee, delegates) = fleet::nodes(&docker, RUN, folder.path(), &make).await?;
        say("keys of alice, bob and carol (2 of 3 sign), a controller with its publisher's keys");
        let board = Board::init(&folder.path().join("board"), NETWORK).await?;
        let people = People::new(&folder.path().join("people")).await?;
        let mut stage = Self {
            docker,
            observer,
            referee,
            board,
            people,
            delegates,
            _folder: folder,
            _alone: alone,
        };
        stage.enrol().await?;
        Ok(stage)
    }

    async fn enrol(&mut self) -> Result<()> {
        let (root, digest) = self.people.found(&mut self.board).await?;
        say(&format!("root signed by alice and bob, pinned everywhere: {digest:.19}…"));
        self.people.write("keys.yaml", &documents::keys(&self.people))?;
        self.people.publish("keys", "keys.yaml", false).await?;
        self.people.write("roster.yaml", &documents::roster(SIZE))?;
        for delegate in &self.delegates {
            let board = std::slice::from_ref(&self.board.address);
            let enrolment = delegate.set_up(NETWORK, &root, &digest, board).await?;
            let file = enrolment.display().to_string();
            let add = ["roster", "add", &file, "--roster", "roster.yaml", "--yes"];
            self.people.quietly("alice", &add).await?;
        }
        self.people.publish("roster", "roster.yaml", false).await?;
        for delegate in &mut self.delegates {
            delegate.start()?;
        }
        say(&format!(
            "{SIZE} agents enrolled by the fingerprints of their keys; the roster is signed"
        ));
        self.attached().await
    }

    /// Waits until `muster fleet` knows every node.
    async fn attached(&self) -> Result<()> {
        let mut pace = tokio::time::interval(Duration::from_millis(300));
        for _ in 0..100 {
            pace.tick().await;
            let seen = self.people.quietly("bob", &["fleet"]).await?;
            let nodes = seen["nodes"].as_array().context("nodes")?;
            let up = nodes.iter().filter(|node| node["height"].is_u64()).count();
            if up == usize::from(SIZE) {
                return Ok(());
            }
        }
        anyhow::bail!("not every agent is heard\n{}", self.logs())
    }

    /// The last lines of every program.
    pub fn logs(&self) -> String {
        let agents = self.delegates.iter().map(|d| (d.name.as_str(), d.log()));
        let all = agents.chain([("controller", self.board.output())]);
        all.map(|(name, log)| fleet::tail(name, &log)).collect()
    }

    /// Fails when two nodes ever ran with one key, or an agent touched another's container.
    ///
    /// # Errors
    /// The verdict.
    pub async fn verdict(&self) -> Result<()> {
        self.observer.verdict().await?;
        let twins = self.referee.report(0).equivocations;
        ensure!(twins.is_empty(), "UNSAFE: two connections with one key: {twins:?}");
        let strangers = fleet::touched::strangers(&self.delegates, &self.observer.seen());
        ensure!(
            strangers.is_empty(),
            "UNSAFE: an agent touched another's container: {strangers:?}"
        );
        Ok(())
    }

    /// What somebody can do with a fleet that runs on.
    pub fn try_next(&self) {
        let bob = self.people.home("bob").join("muster");
        let agent = &self.delegates[0].dir;
        let bin = |name| crate::fleet::process::binary(name).unwrap_or_else(|_| name.into());
        let (muster, muster_agent) = (bin("muster"), bin("muster-agent"));
        println!("\nThe fleet runs on. In another terminal:");
        for what in ["fleet", "history", "why robot-3", "log robot-1"] {
            println!("  {} --dir {} {what}", muster.display(), bob.display());
        }
        println!("  {} --dir {} status", muster_agent.display(), agent.display());
        println!("Ctrl-C here ends it and removes everything.");
    }

    /// Ends every agent.
    pub async fn down(mut self) {
        for delegate in &mut self.delegates {
            let _ = delegate.kill().await;
        }
    }
}

/// Removes containers, networks and images of the demo.
pub async fn clean_up() {
    if let Ok(docker) = image::engine().await {
        let _ = image::clean_up(&docker, RUN).await;
    }
}

/// Two demos would take each other's containers for leftovers.
fn alone() -> Result<File> {
    let path = std::env::temp_dir().join("muster-demo.lock");
    let file = File::options().create(true).append(true).open(path)?;
    file.try_lock().ok().context("another demo runs on this machine; let it end first")?;
    Ok(file)
}

fn say(what: &str) {
    println!("  {what}");
}
