//! The same work by Muster: a fleet whose agents are processes of their own, a controller, and
//! officers who publish a plan and wait for the last verified receipt.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use muster_proto::documents::plan::HealthTerms;
use muster_proto::rule::Final;
use muster_proto::trust::draft::freeze_plan;
use tokio::time::{Instant, timeout};

use super::Scale;
use super::process::{Taken, watch};
use crate::fleet::script::{Script, Seen, follow, until};
use crate::fleet::{Fleet, Make, OLD};
use crate::node::behaviour::Behaviour;

/// The longest rollout of the benchmark.
const ROLLOUT: Duration = Duration::from_secs(900);
/// Until the chain of a started fleet advances again.
const UP: Duration = Duration::from_secs(180);

/// A fleet that Muster moves.
pub struct Stand {
    /// Everything that runs.
    pub fleet: Fleet,
    scale: Scale,
    health: HealthTerms,
    serial: u64,
    emergencies: u64,
}

/// How a rollout went.
#[derive(Debug, Clone, Copy)]
pub struct Rolled {
    /// From handing the signed plan to the board until the last agent's `done` is verified.
    pub took: Duration,
    /// Of that, what is no node's work and no wait for a beat: from the hand-in until everybody
    /// has verified, promised and prepared, and from the last `done` until the officers have
    /// verified it.
    pub own: Duration,
}

/// What runs when nothing happens.
#[derive(Debug, Clone)]
pub struct AtRest {
    /// Every agent.
    pub agents: Vec<Taken>,
    /// The controller, with all of them attached.
    pub controller: Taken,
}

impl Stand {
    /// Nodes at the tip, agents attached.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn up(scale: Scale, health: HealthTerms) -> Result<Self> {
        let make = Make { behaviour: behaviour(OLD, scale), ..Make::quick(scale.nodes) };
        Ok(Self { fleet: Fleet::up(make).await?, scale, health, serial: 0, emergencies: 900 })
    }

    /// The containers' names, in the order of every plan.
    pub fn containers(&self) -> Vec<String> {
        self.fleet.delegates.iter().map(|delegate| delegate.container.clone()).collect()
    }

    /// What agents and controller take while nothing happens, at the intervals of a real host.
    ///
    /// # Errors
    /// When one of them is gone.
    pub async fn at_rest(&mut self) -> Result<AtRest> {
        self.agents_off().await?;
        let mut quick = Vec::new();
        for delegate in &self.fleet.delegates {
            let path = delegate.dir.join("agent.yaml");
            let text = std::fs::read_to_string(&path)?;
            let real: Vec<_> = text.lines().filter(|it| !it.starts_with("intervals:")).collect();
            std::fs::write(&path, real.join("\n") + "\n")?;
            quick.push((path, text));
        }
        self.agents_on().await?;
        let resting = self.resting().await?;
        for (path, text) in quick {
            std::fs::write(path, text)?;
        }
        Ok(resting)
    }

    async fn resting(&self) -> Result<AtRest> {
        let pids = self.fleet.delegates.iter().map(|delegate| delegate.pid());
        let pids: Vec<u32> = pids.collect::<Option<_>>().context("every agent runs")?;
        let controller = self.fleet.boards[0].pid().context("the controller runs")?;
        let agents = pids.iter().map(|pid| watch(*pid, self.scale.rest));
        let agents = futures::future::try_join_all(agents);
        let (agents, controller) =
            futures::future::try_join(agents, watch(controller, self.scale.rest)).await?;
        Ok(AtRest { agents, controller })
    }

    /// Ends every agent, so that the floor has the machine for itself.
    ///
    /// # Errors
    /// When one does not run.
    pub async fn agents_off(&mut self) -> Result<()> {
        for delegate in &mut self.fleet.delegates {
            delegate.kill().await?;
        }
        Ok(())
    }

    /// Starts every agent again and waits until all are heard.
    ///
    /// # Errors
    /// When one does not come back.
    pub async fn agents_on(&mut self) -> Result<()> {
        let since = Timestamp::now();
        for delegate in &mut self.fleet.delegates {
            delegate.start()?;
        }
        let all = self.fleet.delegates.len();
        let heard = |seen: &Seen| {
            let nodes = seen.book.evidence().nodes.values();
            nodes.filter(|n| n.beacon.as_ref().is_some_and(|b| b.at > since)).count() == all
        };
        until(&mut self.fleet.officers, heard).await.context("not every agent is back")
    }

    /// Waits until every node is at the tip of a chain that advances.
    ///
    /// # Errors
    /// When that is not so in time.
    pub async fn at_tip(&self) -> Result<()> {
        let mark = self.fleet.referee.report(u64::MAX).now_ms;
        let client = self.fleet.referee.client();
        let up = client.until(mark, UP, |report| report.all_at_tip() && report.blocks.len() > 1);
        up.await.context("the nodes do not come up").map(|_| ())
    }

    /// Stops everybody, `parallel` at a time.
    ///
    /// # Errors
    /// When one does not.
    pub async fn stop(&mut self, parallel: u8) -> Result<Rolled> {
        let script = Script { budget: "all".into(), ..self.script("stop") };
        self.roll(&script.with(&format!("parallel: {parallel}"))).await
    }

    /// Starts everybody at once.
    ///
    /// # Errors
    /// When one does not.
    pub async fn start(&mut self) -> Result<Rolled> {
        let parallel = format!("parallel: {}", self.scale.nodes);
        let script = Script { budget: "all".into(), ..self.script("start") };
        let took = self.roll(&script.with(&parallel)).await?;
        self.at_tip().await?;
        Ok(took)
    }

    /// An emergency stop of everybody, `at-once` or by a pace as a plan has it (`{pace: 1m}`), and
    /// the start that ends it. From handing the signed plan to the board until the Engine saw the
    /// last node leave.
    ///
    /// # Errors
    /// When a node does not stop, or not start again.
    pub async fn emergency(&mut self, schedule: &str) -> Result<Duration> {
        self.emergencies += 1;
        let serial = self.emergencies;
        let stop = Script { class: "emergency".into(), ..Script::stop(serial, self.scale.nodes) };
        let stop = stop.with(&format!("schedule: {schedule}"));
        let officers = &mut self.fleet.officers;
        officers.refresh().await?;
        let plan = officers.freeze(&stop.yaml())?;
        let draft = freeze_plan(&plan, &officers.trust, Timestamp::now())?;
        let publication = officers.signed(&draft, 2)?;
        let mark = self.fleet.observer.seen().len();
        let handed = Timestamp::now();
        self.fleet.officers.hand_in(publication).await?;
        let took = self.all_left(mark, handed).await.with_context(|| self.fleet.logs())?;
        let parallel = format!("parallel: {}", self.scale.nodes);
        let start = Script { budget: "all".into(), ..self.script("start") };
        let ends = format!("ends: [emergency/{serial}]");
        self.roll(&start.with(&parallel).with(&ends)).await?;
        self.at_tip().await?;
        Ok(took)
    }

    /// From `since` until the Engine saw the last of all nodes leave, after event number `mark`.
    ///
    /// # Errors
    /// When one stays.
    pub async fn all_left(&self, mark: usize, since: Timestamp) -> Result<Duration> {
        let all = usize::from(self.scale.nodes);
        let left = self.fleet.observer.until(|seen| {
            let died = seen.iter().skip(mark).filter(|event| event.what == "die");
            let died: Vec<_> = died.map(|event| event.at).collect();
            let last = died.iter().max().copied();
            last.filter(|_| died.len() >= all)
        });
        let last = timeout(ROLLOUT, left).await.context("not every node leaves")??;
        let since = i64::try_from(since.as_nanosecond())?;
        Ok(Duration::from_nanos(u64::try_from(last - since).unwrap_or_default()))
    }

    /// Upgrades one node after the other.
    ///
    /// # Errors
    /// When one does not become well.
    pub async fn upgrade(&mut self, version: &str) -> Result<Rolled> {
        self.fleet.release(&behaviour(version, self.scale)).await?;
        let action = format!("upgrade\nrelease: {version}\ncompatibility: compatible");
        let script = self.script(&action);
        self.roll(&script).await
    }

    /// How long a container was down, the middle one of all outages that ended since the
    /// observer's event number `mark`: from the Engine's `die` to its next `start` of that key.
    pub fn down_since(&self, mark: usize) -> Duration {
        let mut left = std::collections::BTreeMap::new();
        let mut spans = Vec::new();
        for event in self.fleet.observer.seen().into_iter().skip(mark) {
            if event.what == "die" {
                left.insert(event.operator, event.at);
            } else if let Some(at) = left.remove(&event.operator) {
                spans.push(Duration::from_nanos(u64::try_from(event.at - at).unwrap_or_default()));
            }
        }
        spans.sort();
        spans.get(spans.len() / 2).copied().unwrap_or_default()
    }

    fn script(&mut self, action: &str) -> Script {
        self.serial += 1;
        let script = Script::new(self.serial, action, self.scale.nodes);
        let before: Vec<_> = (1..self.serial).map(|serial| serial.to_string()).collect();
        match before.is_empty() {
            true => script,
            false => script.with(&format!("after: [{}]", before.join(", "))),
        }
    }

    async fn roll(&mut self, script: &Script) -> Result<Rolled> {
        let officers = &mut self.fleet.officers;
        officers.refresh().await?;
        let plan = officers.freeze(&terms(&script.yaml(), &self.health))?;
        let draft = freeze_plan(&plan, &officers.trust, Timestamp::now())?;
        let publication = officers.signed(&draft, 2)?;
        let mut seen = Seen::new(officers);
        let mut stream = follow(officers, false).await?;
        while !seen.hear(stream.message().await?.context("the board hung up")?)? {}
        let (begin, handed) = (Instant::now(), Timestamp::now());
        officers.hand_in(publication).await?;
        let all = usize::from(self.scale.nodes);
        let rolled = async {
            while seen.ended(script.serial, Final::Done) < all {
                let message = stream.message().await?.context("the board hung up")?;
                seen.hear(message)?;
                let back = seen.ended(script.serial, Final::RolledBack);
                ensure!(back == 0, "{back} nodes were rolled back");
            }
            let (took, now) = (begin.elapsed(), Timestamp::now());
            let names = self.fleet.delegates.iter().map(|delegate| delegate.name.as_str());
            let last = |word| names.clone().filter_map(|it| seen.at(it, script.serial, word)).max();
            let prepared = last("prepared").context("nobody prepared")?;
            let done = last("done").context("nobody is done")?;
            // One machine, one clock.
            let own = prepared.duration_since(handed) + now.duration_since(done);
            anyhow::Ok(Rolled { took, own: own.unsigned_abs() })
        };
        let rolled = timeout(ROLLOUT, rolled).await.context("the rollout does not end")?;
        rolled.with_context(|| self.fleet.logs())
    }
}

/// The version of a node in this benchmark.
pub fn behaviour(version: &str, scale: Scale) -> Behaviour {
    Behaviour::version(version).scaled(scale.factor)
}

/// The plan's health terms are the floor's.
fn terms(yaml: &str, health: &HealthTerms) -> String {
    let line = format!(
        "health: {{boot: {}ms, ready: {}ms, advance: {} blocks, lag: {} blocks, peers: {}, hold: {}ms}}",
        health.boot_ms,
        health.ready_ms,
        health.advance_blocks,
        health.lag_blocks,
        health.peers,
        health.hold_ms
    );
    let other = |old: &str| match old {
        old if old.starts_with("health:") => line.clone(),
        old if old.starts_with("deadline:") => "deadline: {per-node: 3m}".into(),
        old => old.into(),
    };
    yaml.lines().map(|old| other(old) + "\n").collect()
}
