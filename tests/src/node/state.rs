//! What a running node shows of itself: probes, metrics and gRPC read it, the driver writes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::behaviour::Behaviour;
use super::config::Config;
use super::forks::Forks;
use super::genesis::Genesis;
use super::log::Log;
use super::timing::Timing;
use crate::referee::wire::{Block, GENESIS_HASH, Mode};

/// One running node.
#[derive(Debug)]
pub struct Node {
    /// Its version's behaviour.
    pub behaviour: Behaviour,
    /// Its configuration.
    pub config: Config,
    /// Its genesis.
    pub genesis: Genesis,
    /// The fork heights that it goes by.
    pub forks: Forks,
    /// Its operator address.
    pub address: String,
    /// Whether it runs as a gateway.
    pub gateway: bool,
    /// Its log.
    pub log: Log,
    view: Mutex<View>,
    mode: watch::Sender<Mode>,
}

/// How far a node is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The process runs; it may wait for the data lock.
    #[default]
    Starting,
    /// The data is open; it may wait for bootstrap peers.
    Opened,
    /// `Server is ready.`
    Ready,
    /// SIGTERM was heard.
    Leaving,
}

/// What changes.
#[derive(Debug, Default)]
pub struct View {
    /// How far it is.
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: Option<Instant>,
    /// A SIGTERM came in start-up: it will never be ready.
    pub deaf: bool,
    /// Old blocks are being applied.
    pub applying: bool,
    /// Its blocks, from height 1.
    pub blocks: Vec<Block>,
    /// The highest block that it heard of.
    pub target: u64,
    /// How many others are connected.
    pub peers: u64,
    /// What the last heartbeat said; `None` before the first.
    pub heartbeat: Option<Heartbeat>,
    /// What others broadcast: height by address and version.
    pub infos: BTreeMap<(String, String), u64>,
}

/// Coarse values that refresh every ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Tip at the refresh.
    pub height: u64,
    /// Highest known block at the refresh.
    pub target: u64,
    /// Peers at the refresh.
    pub peers: u64,
}

impl Node {
    /// A node that has just started.
    pub fn new(
        behaviour: Behaviour,
        config: Config,
        genesis: Genesis,
        address: String,
        gateway: bool,
    ) -> Self {
        let log = Log::open(config.log_file.as_deref());
        let view = Mutex::new(View::default());
        // What the admin port sets is in memory alone: a restart goes back to the configuration.
        let mode = watch::Sender::new(Mode { active: config.active, paused: false });
        let forks = Forks::new(&behaviour.forks, &genesis.forks);
        Self { behaviour, config, genesis, forks, address, gateway, log, view, mode }
    }

    /// What it shows now.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it takes part, now.
    pub fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Changes whether it takes part; its driver heeds it.
    pub fn set_mode(&self, change: impl FnOnce(&mut Mode)) {
        self.mode.send_modify(change);
    }

    /// Tells of every change of [`Node::mode`].
    pub fn modes(&self) -> watch::Receiver<Mode> {
        self.mode.subscribe()
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        let mut view = self.view();
        view.phase = phase;
        view.since = Some(Instant::now());
    }

    /// Its durations.
    pub fn timing(&self) -> Timing {
        self.behaviour.timing()
    }

    /// Readiness, which proves nothing: neither height nor peers count once the node is up.
    pub fn ready(&self) -> bool {
        let warm = Some(self.timing().gateway()).filter(|_| self.gateway);
        self.view().ready(warm)
    }

    /// Refreshes the heartbeat.
    pub fn beat(&self) {
        let mut view = self.view();
        view.heartbeat =
            Some(Heartbeat { height: view.height(), target: view.target, peers: view.peers });
    }
}

impl View {
    /// Its tip; 0 without a block.
    pub fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Its blocks from this height on, at most `most`.
    pub fn since(&self, from: u64, most: usize) -> Vec<Block> {
        let skip = from.saturating_sub(1) as usize;
        self.blocks.iter().skip(skip).take(most).cloned().collect()
    }

    /// The hash of its tip.
    pub fn tip_hash(&self) -> &str {
        self.blocks.last().map_or(GENESIS_HASH, |block| &block.hash)
    }

    fn ready(&self, warm: Option<Duration>) -> bool {
        let up = self.phase == Phase::Ready && !self.applying;
        let age = self.since.map(|since| since.elapsed());
        up && warm.is_none_or(|warm| age >= Some(warm))
    }

    /// How many intervals its tip is old: 0 when well, rising when stalled or behind.
    pub fn round(&self, now_ms: u64, interval_ms: u64) -> u64 {
        let last = self.blocks.last().map_or(now_ms, |b| b.time_ms);
        // A block that is due is not late yet.
        let slack = interval_ms / 10;
        now_ms.saturating_sub(last + slack) / interval_ms.max(1)
    }
}
