//! A fleet of plain processes with a referee: for tests that need no Docker.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::behaviour::Behaviour;
use super::host::{Home, Place, Spec};
use super::process::{Process, loopback};
use crate::referee::report::Report;
use crate::referee::{Referee, Setup};

/// Last byte of the referee's address.
const REFEREE: u8 = 250;

/// A delegate of the fleet.
#[derive(Debug)]
pub struct Delegate {
    /// What its files say.
    pub spec: Spec,
    /// Its files.
    pub home: Home,
    /// What its version does; change it between a stop and a start.
    pub behaviour: Behaviour,
    /// Its node, unless it was taken out.
    pub node: Option<Process>,
}

/// A referee and its delegates.
#[derive(Debug)]
pub struct Fleet {
    /// Holds the chain.
    pub referee: Referee,
    /// The delegates in the order of their turns.
    pub delegates: Vec<Delegate>,
    folder: TempDir,
}

impl Delegate {
    /// Starts its node.
    ///
    /// # Errors
    /// When the program is not built or cannot be started.
    pub fn start(&mut self) -> Result<()> {
        let ip = self.spec.external_host;
        self.node = Some(Process::start(&self.home, &self.behaviour, ip)?);
        Ok(())
    }

    /// Its node.
    ///
    /// # Errors
    /// When it was taken out.
    pub fn node(&mut self) -> Result<&mut Process> {
        self.node.as_mut().context("this delegate's node is down")
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        match self.node.take() {
            Some(mut node) => node.kill().await,
            None => Ok(()),
        }
    }

    /// Its operator address.
    pub fn address(&self) -> &str {
        self.home.operator()
    }
}

impl Fleet {
    /// Lays out `size` delegates that take their time from `behaviour`, and starts the referee,
    /// but no node. `number` tells fleets of one process apart; `sync` is `blockSync.interval`.
    ///
    /// # Errors
    /// When the disk or the network refuses.
    pub async fn lay_out(number: u8, size: u8, behaviour: &Behaviour, sync: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let spec = |n| Spec {
            sync: sync.into(),
            ..Spec::new(u64::from(n), loopback(number, n + 1), vec![])
        };
        let specs: Vec<Spec> = (0..size).map(spec).collect();
        let referee = Referee::start(Setup {
            seats: specs.iter().map(Spec::address).collect(),
            timing: behaviour.timing(),
            p2p: (loopback(number, REFEREE), 4_689).into(),
            api: ([127, 0, 0, 1], 0).into(),
        })
        .await
        .context("the referee cannot listen")?;
        let mut delegates = Vec::new();
        for (n, mut spec) in specs.into_iter().enumerate() {
            spec.bootstrap = vec![referee.p2p().to_string()];
            let root = folder.path().join(n.to_string());
            let place = Place::Process(spec.external_host);
            let home = Home::lay_out(root, &spec, place)?;
            delegates.push(Delegate { spec, home, behaviour: behaviour.clone(), node: None });
        }
        Ok(Self { referee, delegates, folder })
    }

    /// The same with all nodes started and at the tip of a chain that advances.
    ///
    /// # Errors
    /// When that is not so within `deadline`.
    pub async fn start(
        number: u8,
        size: u8,
        behaviour: &Behaviour,
        sync: &str,
        deadline: Duration,
    ) -> Result<Self> {
        let mut fleet = Self::lay_out(number, size, behaviour, sync).await?;
        for delegate in &mut fleet.delegates {
            delegate.start()?;
        }
        fleet.until(0, deadline, |r| r.height >= 2 && r.all_at_tip()).await?;
        Ok(fleet)
    }

    /// Asks the referee until `wanted` holds of what happened since the mark `since_ms`.
    ///
    /// # Errors
    /// When it does not within `deadline`; says what the referee saw, and where the logs are.
    pub async fn until(
        &self,
        since_ms: u64,
        deadline: Duration,
        wanted: impl Fn(&Report) -> bool,
    ) -> Result<Report> {
        let asked = self.referee.client().until(since_ms, deadline, wanted).await;
        asked.with_context(|| {
            let report = self.referee.report(since_ms);
            format!("{}: {:#?}", self.folder.path().display(), report.seats)
        })
    }

    /// A mark: from now on.
    pub fn mark(&self) -> u64 {
        self.referee.report(u64::MAX).now_ms
    }

    /// Waits until `share` of an interval has passed since the last block was committed.
    ///
    /// # Errors
    /// When the chain stands still.
    pub async fn phase(&self, share: f64) -> Result<()> {
        let height = self.referee.report(u64::MAX).height;
        let at = |report: &Report| {
            let last = report.blocks.last().filter(|b| b.block.height > height);
            last.is_some_and(|b| {
                let age = report.now_ms.saturating_sub(b.time_ms) as f64;
                age >= share * report.interval_ms as f64
            })
        };
        self.until(0, Duration::from_secs(30), at).await.map(|_| ())
    }
}
