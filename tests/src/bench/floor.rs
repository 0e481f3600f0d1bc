//! The floor: one local program that does to the nodes what Muster's agents do, with the same
//! Engine calls and the same beat and health functions, and without network, signature,
//! journal or anybody's permission.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use jiff::Timestamp;
use muster_agent::journal::Policy;
use muster_agent::node::Probe;
use muster_agent::node::beat::{Advice, Beat};
use muster_agent::node::fleet::Fleet;
use muster_agent::node::post::{Post, Sample, Terms};
use muster_agent::runtime::{Container, CreateSpec, Engine, successor};
use muster_proto::documents::plan::HealthTerms;
use muster_proto::rule::decision::Test;
use tokio::time::{Instant, sleep, timeout};

/// Ports of every node.
const PROBE_PORT: u16 = 8_080;
const GRPC_PORT: u16 = 14_014;

/// From SIGTERM to giving up: no stand-in of the benchmark is slow to stop.
const GRACE: Duration = Duration::from_secs(60);

/// The most that one node may take for anything.
const NODE: Duration = Duration::from_secs(120);

/// Between two looks at a node that is tested, as the agents of the benchmark have it.
pub const LOOK: Duration = Duration::from_millis(100);

/// The policy that delegates give their containers.
fn on_failure() -> Policy {
    Policy { name: "on-failure".into(), retries: 0 }
}

/// A local program with a list of containers.
#[derive(Debug)]
pub struct Floor {
    engine: Arc<Engine>,
    nodes: Vec<Node>,
    health: HealthTerms,
}

#[derive(Debug)]
struct Node {
    name: String,
    probe: Probe,
}

/// How a rolling upgrade went.
#[derive(Debug, Clone)]
pub struct Upgraded {
    /// From the first call to the last node healthy.
    pub took: Duration,
    /// Of each node, from its stop signal until it was well.
    pub away: Vec<Duration>,
}

impl Floor {
    /// Nothing is asked yet. `names` in the order of a rolling upgrade.
    pub fn new(socket: &str, names: &[String], health: HealthTerms) -> Self {
        let engine = Arc::new(Engine::new(socket, Engine::CALL));
        let node = |name: &String| Node {
            name: name.clone(),
            probe: Probe::new(engine.clone(), PROBE_PORT, GRPC_PORT),
        };
        Self { nodes: names.iter().map(node).collect(), engine, health }
    }

    /// Stops all nodes at once, each on its beat.
    ///
    /// # Errors
    /// When one does not stop.
    pub async fn stop_at_once(&self) -> Result<Duration> {
        let begin = Instant::now();
        try_join_all(self.nodes.iter().map(|node| self.stop(node))).await?;
        Ok(begin.elapsed())
    }

    /// Stops one node after the other, each on its beat.
    ///
    /// # Errors
    /// When one does not stop.
    pub async fn stop_in_order(&self) -> Result<Duration> {
        let begin = Instant::now();
        for node in &self.nodes {
            self.stop(node).await?;
        }
        Ok(begin.elapsed())
    }

    /// Starts all nodes and gives them their policy back.
    ///
    /// # Errors
    /// When the Engine refuses.
    pub async fn start_all(&self) -> Result<()> {
        let start = async |node: &Node| -> Result<()> {
            let id = self.inspect(&node.name).await?.id;
            self.engine.start(&id).await?;
            Ok(self.engine.set_policy(&id, &on_failure()).await?)
        };
        try_join_all(self.nodes.iter().map(start)).await.map(|_| ())
    }

    /// Upgrades one node after the other to the image `image`: successors for all first, then
    /// each node's stop on the beat, start, health, names and policy.
    ///
    /// # Errors
    /// When a node does not become well.
    pub async fn upgrade(&self, image: &str, version: &str, serial: u64) -> Result<Upgraded> {
        let begin = Instant::now();
        let prepare = |node| self.prepare(node, image, serial);
        let prepared = try_join_all(self.nodes.iter().map(prepare)).await?;
        let mut away = Vec::new();
        for (at, (old, new)) in prepared.iter().enumerate() {
            let node = &self.nodes[at];
            self.stop(node).await?;
            let stopped = Instant::now();
            self.engine.start(new).await?;
            let neighbour = &self.nodes[(at + 1) % self.nodes.len()];
            timeout(NODE, self.healthy(node, neighbour, new, version)).await.with_context(
                || format!("{} is not well within {} s", node.name, NODE.as_secs()),
            )??;
            // The last `hold` is health that is watched, not time away.
            let held = Duration::from_millis(self.health.hold_ms);
            away.push(stopped.elapsed().saturating_sub(held));
            self.engine.rename(&old.id, &format!("{}-before-{serial}", node.name)).await?;
            self.engine.rename(new, &node.name).await?;
            self.engine.set_policy(new, &on_failure()).await?;
        }
        Ok(Upgraded { took: begin.elapsed(), away })
    }

    /// A bare `docker stop` and `docker start` of one node: from the signal until it answers its
    /// height again.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn bare_restart(&self) -> Result<Duration> {
        let node = self.nodes.first().context("no nodes")?;
        let old = self.inspect(&node.name).await?;
        self.beat(node, &old).await;
        self.engine.set_policy(&old.id, &Policy::no()).await?;
        let begin = Instant::now();
        self.down(&old).await?;
        self.engine.start(&old.id).await?;
        let answers = async {
            while !node.probe.look(&old.id, false).await.ready {
                sleep(LOOK).await;
            }
        };
        timeout(NODE, answers).await.context("it never became ready")?;
        let away = begin.elapsed();
        self.engine.set_policy(&old.id, &on_failure()).await?;
        Ok(away)
    }

    /// Stops all nodes at once and waits for no beat, as an emergency does.
    ///
    /// # Errors
    /// When one does not stop.
    pub async fn halt_at_once(&self) -> Result<()> {
        try_join_all(self.nodes.iter().map(|node| self.halt(node))).await.map(drop)
    }

    /// Stops one node after the other and waits for no beat.
    ///
    /// # Errors
    /// When one does not stop.
    pub async fn halt_in_order(&self) -> Result<()> {
        for node in &self.nodes {
            self.halt(node).await?;
        }
        Ok(())
    }

    async fn halt(&self, node: &Node) -> Result<()> {
        let container = self.inspect(&node.name).await?;
        self.engine.set_policy(&container.id, &Policy::no()).await?;
        self.down(&container).await
    }

    async fn inspect(&self, name: &str) -> Result<Container> {
        self.engine.inspect(name).await?.with_context(|| format!("no container {name}"))
    }

    /// Everything that can be done while the node runs.
    async fn prepare(&self, node: &Node, image: &str, serial: u64) -> Result<(Container, String)> {
        let old = self.inspect(&node.name).await?;
        let of = async |id: &str| -> Result<_> {
            self.engine.image(id).await?.with_context(|| format!("no image {id}"))
        };
        let (before, after) = (of(old.image.as_str()).await?, of(image).await?);
        let plan = format!("floor-{serial}");
        let spec: CreateSpec = successor(&old.raw, &before.config, after.id.as_str(), &plan);
        let new = self.engine.create(&format!("{}-muster-{serial}", node.name), &spec).await?;
        for (network, end) in &spec.more_networks {
            self.engine.join(&new, network, end).await?;
        }
        Ok((old, new))
    }

    async fn stop(&self, node: &Node) -> Result<()> {
        let container = self.inspect(&node.name).await?;
        self.beat(node, &container).await;
        self.engine.set_policy(&container.id, &Policy::no()).await?;
        self.down(&container).await
    }

    async fn down(&self, container: &Container) -> Result<()> {
        let mut watch = self.engine.watch_exit(&container.id).await?;
        self.engine.signal(&container.id, "SIGTERM").await?;
        let down = watch.down(Instant::now() + GRACE).await?;
        ensure!(down.is_some(), "{} does not stop", container.name);
        Ok(())
    }

    /// The same loop as the agent's, around the same decider.
    async fn beat(&self, node: &Node, container: &Container) {
        let Some(height) = node.probe.height(container).await else { return };
        let began = Instant::now();
        let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut beat = Beat::new(now_ms(), &node.probe.block_times(container, height).await);
        beat.heard(height, now_ms());
        while let Advice::Wait { ms } = beat.advise(now_ms()) {
            sleep(Duration::from_millis(ms)).await;
            if let Some(height) = node.probe.height(container).await {
                beat.heard(height, now_ms());
            }
        }
    }

    /// Waits until the agent's own self-test passes. Of the fleet it knows a neighbour.
    async fn healthy(&self, node: &Node, neighbour: &Node, id: &str, version: &str) -> Result<()> {
        let seen = node.probe.look(id, true).await;
        let container = seen.container.context("the successor is gone")?;
        let mut post = Post::new(Terms {
            health: self.health,
            id: id.into(),
            image: container.image,
            version: Some(version.into()),
            genesis: seen.genesis,
            since: Timestamp::now(),
            per_node_ms: NODE.as_millis() as u64,
            stood_still_ms: 0,
            halted: false,
        });
        let other = self.inspect(&neighbour.name).await?;
        loop {
            let median = neighbour.probe.height(&other).await;
            let fleet = Fleet { median, tip: median, advancing: true, quorum: true };
            let seen = node.probe.look(id, true).await;
            match post.add(&Sample::of(&seen, fleet)) {
                Test::Pass => return Ok(()),
                Test::Fail(why) => bail!("{}: {}", node.name, why.text),
                _ => sleep(LOOK).await,
            }
        }
    }
}
