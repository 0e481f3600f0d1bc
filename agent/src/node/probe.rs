//! Asks the node how it is, at its container's own address.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use muster_proto::documents::Digest;
use tokio::time::Instant;

use super::genesis;
use super::grpc::{Block, Grpc};
use super::http;
use super::metrics::Metrics;
use super::seen::Seen;
use crate::runtime::{Container, Engine, EngineError};

/// A probe answers in milliseconds; one that takes longer is no better than none.
const PROBE: Duration = Duration::from_secs(2);

/// The page of metrics is 290 kB; while nothing is going on it is read this often.
const METRICS_EVERY: Duration = Duration::from_secs(10);

/// Asks one node; remembers what does not change from question to question.
#[derive(Debug)]
pub struct Probe {
    engine: Arc<Engine>,
    probe_port: u16,
    grpc_port: u16,
    grpc: Grpc,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of which process the rest is known: container id and start time.
    process: (String, Option<Timestamp>),
    version: Option<String>,
    tip: Option<Block>,
    metrics: Option<(Instant, Metrics)>,
    genesis: Option<(FileMark, Digest)>,
}

/// A file that did not change: path, length, time.
type FileMark = (PathBuf, u64, Option<SystemTime>);

impl Probe {
    /// Nothing is asked yet.
    pub fn new(engine: Arc<Engine>, probe_port: u16, grpc_port: u16) -> Self {
        Self { engine, probe_port, grpc_port, grpc: Grpc::default(), known: Mutex::default() }
    }

    /// Looks at the container of that id or name. `closely` reads the metrics anew.
    pub async fn look(&self, container: &str, closely: bool) -> Seen {
        let inspected = self.engine.inspect(container).await;
        self.look_at(inspected, closely).await
    }

    async fn look_at(
        &self,
        inspected: Result<Option<Container>, EngineError>,
        closely: bool,
    ) -> Seen {
        let at = Timestamp::now();
        let container = match inspected {
            Ok(Some(container)) => container,
            Ok(None) => return Seen::nothing(at),
            Err(error) => return Seen::blind(at, error.to_string()),
        };
        self.forget_other_process(&container);
        let mut seen = Seen::nothing(at);
        seen.genesis = self.genesis(&container);
        if let Some(ip) = container.address().filter(|_| container.state.running) {
            self.ask(&mut seen, ip, closely).await;
        }
        seen.container = Some(container);
        seen
    }

    async fn ask(&self, seen: &mut Seen, ip: IpAddr, closely: bool) {
        let probe = SocketAddr::new(ip, self.probe_port);
        let grpc = SocketAddr::new(ip, self.grpc_port);
        let (ready, height, version, metrics) = tokio::join!(
            http::get(probe, "/readiness", PROBE),
            self.grpc.height(grpc),
            self.version(grpc),
            self.metrics(probe, closely),
        );
        seen.answers = ready.is_some();
        seen.ready = ready.is_some_and(|(status, _)| status == 200);
        // Height 0 is the genesis block, of which the node knows no meta.
        seen.height = height;
        seen.version = version;
        seen.round = metrics.round;
        seen.peers = metrics.peers;
        if let Some(height) = height.filter(|height| *height > 0) {
            seen.tip = self.tip(grpc, height).await;
        }
    }

    /// The node's height, for the beat.
    pub async fn height(&self, container: &Container) -> Option<u64> {
        self.grpc.height(self.grpc_at(container)?).await
    }

    /// Times of the newest blocks, oldest first; they tell the interval.
    pub async fn block_times(&self, container: &Container, height: u64) -> Vec<Timestamp> {
        /// Enough to see one gap without an absent proposer.
        const BLOCKS: u64 = 6;
        let Some(at) = self.grpc_at(container) else { return Vec::new() };
        let start = height.saturating_sub(BLOCKS - 1).max(1);
        let blocks = self.grpc.blocks(at, start, height + 1 - start.min(height + 1)).await;
        blocks.into_iter().filter_map(|block| block.time).collect()
    }

    /// The node's newest block.
    pub async fn newest(&self, container: &Container) -> Option<Block> {
        let at = self.grpc_at(container)?;
        let height = self.grpc.height(at).await?;
        self.tip(at, height).await
    }

    fn grpc_at(&self, container: &Container) -> Option<SocketAddr> {
        Some(SocketAddr::new(container.address()?, self.grpc_port))
    }

    async fn tip(&self, at: SocketAddr, height: u64) -> Option<Block> {
        if let Some(known) = self.known().tip.clone().filter(|known| known.height == height) {
            return Some(known);
        }
        let block = self.grpc.blocks(at, height, 1).await.pop()?;
        self.known().tip = Some(block.clone());
        Some(block)
    }

    async fn version(&self, at: SocketAddr) -> Option<String> {
        let known = self.known().version.clone();
        if known.is_some() {
            return known;
        }
        let version = self.grpc.version(at).await?;
        self.known().version = Some(version.clone());
        Some(version)
    }

    async fn metrics(&self, at: SocketAddr, closely: bool) -> Metrics {
        let known = self.known().metrics;
        if let Some((_, metrics)) =
            known.filter(|(read, _)| !closely && read.elapsed() < METRICS_EVERY)
        {
            return metrics;
        }
        let Some((200, page)) = http::get(at, "/metrics", PROBE).await else {
            return Metrics::default();
        };
        let metrics = Metrics::read(&String::from_utf8_lossy(&page));
        self.known().metrics = Some((Instant::now(), metrics));
        metrics
    }

    fn genesis(&self, container: &Container) -> Option<Digest> {
        let path = genesis::host_path(container)?;
        let about = std::fs::metadata(&path).ok()?;
        let mark = (path.clone(), about.len(), about.modified().ok());
        if let Some((known, digest)) = &self.known().genesis
            && *known == mark
        {
            return Some(digest.clone());
        }
        let digest = genesis::digest(&path).ok()??;
        self.known().genesis = Some((mark, digest.clone()));
        Some(digest)
    }

    fn forget_other_process(&self, container: &Container) {
        let process = (container.id.clone(), container.state.started_at);
        let mut known = self.known();
        if known.process != process {
            *known = Known { process, ..Known::default() };
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
