//! What a test sees of a rollout, and the plans it signs.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::{NodeName, Plan, PlanId};
use muster_proto::evidence::{Beacon, Book, BookError, Event, Proof, Receipt};
use muster_proto::rule::{Documents, Final, PlanProgress, progress};
use muster_proto::trust::{Offer, Trust};
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{BoardMessage, FollowRequest};
use tonic::Streaming;

use super::officers::Officers;
use super::{NETWORK, PATIENCE};

/// Everything verified that a board hands to a watcher.
pub struct Seen {
    /// Verified documents.
    pub trust: Trust,
    /// Verified evidence.
    pub book: Book,
    /// What agents said they refused: node and code.
    pub refusals: Vec<(String, String)>,
}

impl Seen {
    /// Nothing but what the officers have verified before.
    pub fn new(officers: &Officers) -> Self {
        let (trust, book) = (officers.trust.clone(), Book::new(NETWORK));
        Self { trust, book, refusals: Vec::new() }
    }

    /// Verifies what a board says; true when that was all it holds.
    ///
    /// # Errors
    /// When it hands out something that does not verify.
    pub fn hear(&mut self, message: BoardMessage) -> Result<bool> {
        match message.message {
            Some(Message::Bulletin(bulletin)) => {
                self.trust.take(&Offer::from(bulletin), Timestamp::now());
                if let Some(roster) = self.trust.roster() {
                    self.book.admit(roster, self.trust.plans());
                }
            }
            Some(Message::Evidence(evidence)) => {
                for receipt in evidence.receipts {
                    believed(self.book.receipt(&receipt).map(drop), "a receipt from a board")?;
                }
                for beacon in evidence.beacons {
                    let taken = self.book.beacon(&beacon, Timestamp::now());
                    believed(taken.map(drop), "a beacon from a board")?;
                }
            }
            Some(Message::DoubleCounter(double)) => {
                let proof = Proof { first: double.first, second: double.second };
                self.book.proof(&double.node.parse()?, proof).context("a proof from a board")?;
            }
            Some(Message::Refusal(told)) => {
                let code = told.refusal.unwrap_or_default().code;
                self.refusals.push((told.node, code));
            }
            Some(Message::CaughtUp(_)) => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    /// Nodes with a beacon.
    pub fn beacons(&self) -> usize {
        self.book.evidence().nodes.values().filter(|facts| facts.beacon.is_some()).count()
    }

    /// The plan of that serial.
    pub fn plan(&self, serial: u64) -> Option<(&PlanId, &Plan)> {
        self.trust.plans().iter().find(|(id, _)| id.serial == serial)
    }

    /// Where the plan of that serial stands.
    pub fn progress(&self, serial: u64) -> Option<PlanProgress> {
        let (id, plan) = self.plan(serial)?;
        let roster = self.trust.roster()?;
        let others = self.trust.plans().iter().filter(|(other, _)| *other != id);
        let others = others.map(|(id, plan)| (id.clone(), plan.clone())).collect();
        let documents =
            Documents { id, plan, roster, others: &others, aborts: self.trust.aborts() };
        Some(progress(&documents, self.book.evidence(), Timestamp::now()))
    }

    /// How many nodes ended so in the plan of that serial.
    pub fn ended(&self, serial: u64, outcome: Final) -> usize {
        self.progress(serial).map_or(0, |progress| progress.count(outcome))
    }

    /// A node's receipts about the plan of that serial, oldest first.
    pub fn receipts(&self, node: &str, serial: u64) -> Vec<Receipt> {
        let Ok(name) = node.parse::<NodeName>() else { return Vec::new() };
        let chain = self.book.chain(&name);
        let receipts = chain.into_iter().flat_map(|chain| chain.receipts());
        receipts.filter(|receipt| receipt.plan.serial == serial).cloned().collect()
    }

    /// The words of a node's receipts about the plan of that serial.
    pub fn words(&self, node: &str, serial: u64) -> Vec<&'static str> {
        self.receipts(node, serial).iter().map(|receipt| receipt.event.word()).collect()
    }

    /// What a node's newest beacon says about the plan of that serial.
    pub fn says(&self, node: &str, serial: u64) -> String {
        let doing = self.beacon(node).map(|beacon| beacon.doing.as_slice()).unwrap_or_default();
        let about = doing.iter().find(|doing| doing.plan.serial == serial);
        about.map(|doing| doing.text.clone()).unwrap_or_default()
    }

    /// A node's newest beacon.
    pub fn beacon(&self, node: &str) -> Option<&Beacon> {
        let name = node.parse::<NodeName>().ok()?;
        self.book.evidence().nodes.get(&name)?.beacon.as_ref()
    }

    /// The seats that a node counted when it began, its own included.
    pub fn counted(&self, node: &str, serial: u64) -> Option<u32> {
        self.receipts(node, serial).into_iter().rev().find_map(|receipt| match receipt.event {
            Event::Began { sum, .. } => sum,
            _ => None,
        })
    }

    /// When a node's receipt with that word about the plan is dated; the newest one.
    pub fn at(&self, node: &str, serial: u64, word: &str) -> Option<Timestamp> {
        let receipts = self.receipts(node, serial);
        receipts.iter().rev().find(|receipt| receipt.event.word() == word).map(|it| it.at)
    }

    /// Who began, in the order of the receipts' dates.
    pub fn order(&self, serial: u64) -> Vec<String> {
        self.began(serial).into_iter().map(|(_, node)| node.to_string()).collect()
    }

    /// When each node began, in the order of the receipts' dates.
    pub fn began(&self, serial: u64) -> Vec<(Timestamp, NodeName)> {
        let chains = self.book.evidence().nodes.keys().filter_map(|node| self.book.chain(node));
        let receipts = chains.flat_map(|chain| chain.receipts());
        let began = receipts.filter(|receipt| {
            receipt.plan.serial == serial && matches!(receipt.event, Event::Began { .. })
        });
        let mut began: Vec<_> = began.map(|receipt| (receipt.at, receipt.node.clone())).collect();
        began.sort();
        began
    }
}

/// A board hands out what it took before somebody contradicted himself.
fn believed(taken: Result<(), BookError>, what: &'static str) -> Result<()> {
    match taken {
        Ok(()) | Err(BookError::Quarantined(_)) => Ok(()),
        Err(error) => Err(error).context(what),
    }
}

/// What the officers' board shows now.
///
/// # Errors
/// When the board cannot be reached.
pub async fn see(officers: &mut Officers) -> Result<Seen> {
    let mut seen = Seen::new(officers);
    let mut stream = follow(officers, true).await?;
    while let Some(message) = stream.message().await? {
        if seen.hear(message)? {
            break;
        }
    }
    Ok(seen)
}

/// Everything that a board says from now on; with `once` only what it holds.
///
/// # Errors
/// When the board cannot be reached.
pub async fn follow(officers: &mut Officers, once: bool) -> Result<Streaming<BoardMessage>> {
    let request = FollowRequest { network: NETWORK.into(), root_version: 0, once };
    Ok(officers.desk()?.follow(request).await?.into_inner())
}

/// Looks again and again until `wanted` holds.
///
/// # Errors
/// When it does not within [`PATIENCE`].
pub async fn until(officers: &mut Officers, wanted: impl Fn(&Seen) -> bool) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let mut last = None;
    while tokio::time::Instant::now() < deadline {
        pace.tick().await;
        // A board that is restarted by the test does not answer for a moment.
        match see(officers).await {
            Ok(seen) if wanted(&seen) => return Ok(()),
            Ok(_) => {}
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error.context("not within a minute; the last look failed")),
        None => bail!("not within a minute"),
    }
}

/// The YAML of a plan over the usual fleet: canary of one, then the rest, quick terms.
#[derive(Debug, Clone)]
pub struct Script {
    /// Serial.
    pub serial: u64,
    /// `action:` and what belongs to it, one field a line.
    pub action: String,
    /// The `order:` list, one wave a line.
    pub waves: Vec<String>,
    /// Seats that may be down, or `all`.
    pub budget: String,
    /// Further or other lines.
    pub more: Vec<String>,
    /// `class:`.
    pub class: String,
    /// `tolerate:`.
    pub tolerate: u32,
    /// How long a node must be well before it is done.
    pub hold: String,
}

impl Script {
    /// An action over `size` delegates, everybody in one wave, a third of the seats as budget.
    pub fn new(serial: u64, action: &str, size: u8) -> Self {
        let nodes: Vec<_> = (1..=size).map(|n| format!("robot-{n}")).collect();
        let down = (size - 1) / 3;
        Self {
            serial,
            action: format!("action: {action}"),
            waves: vec![format!("{{wave: all, nodes: [{}]}}", nodes.join(", "))],
            budget: format!("{{down: {down} of {size}}}"),
            more: Vec::new(),
            class: "hotfix".into(),
            tolerate: 0,
            hold: "500ms".into(),
        }
    }

    /// An upgrade to `release`: one canary, then the rest.
    pub fn upgrade(serial: u64, release: &str, size: u8) -> Self {
        let rest: Vec<_> = (2..=size).map(|n| format!("robot-{n}")).collect();
        let waves = vec![
            "{wave: canary, nodes: [robot-1]}".into(),
            format!("{{wave: rest, nodes: [{}]}}", rest.join(", ")),
        ];
        let action = format!("action: upgrade\nrelease: {release}\ncompatibility: compatible");
        Self { action, waves, ..Self::new(serial, "upgrade", size) }
    }

    /// A stop of everybody, one by one, chain or no chain.
    pub fn stop(serial: u64, size: u8) -> Self {
        Self { budget: "all".into(), ..Self::new(serial, "stop", size) }
    }

    /// A start of everybody, at once.
    pub fn start(serial: u64, size: u8) -> Self {
        let more = vec![format!("parallel: {size}")];
        Self { budget: "all".into(), more, ..Self::new(serial, "start", size) }
    }

    /// With these nodes in one wave instead.
    #[must_use]
    pub fn of(mut self, nodes: &[&str]) -> Self {
        self.waves = vec![format!("{{wave: all, nodes: [{}]}}", nodes.join(", "))];
        self
    }

    /// With another line, such as `after: [41]`.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.more.push(line.into());
        self
    }

    /// The plan as an officer would write it.
    pub fn yaml(&self) -> String {
        let now = Timestamp::now();
        let from = whole(now - SignedDuration::from_secs(5));
        let until = whole(now + SignedDuration::from_hours(1));
        let waves: String = self.waves.iter().map(|wave| format!("  - {wave}\n")).collect();
        let more: String = self.more.iter().map(|line| format!("{line}\n")).collect();
        let Self { serial, action, budget, class, tolerate, hold, .. } = self;
        format!(
            "\
muster: plan/v1
network: {NETWORK}
serial: {serial}
title: plan {serial} of a test
class: {class}
urgency: routine
valid: {{from: {from}, until: {until}}}
{action}
order:
{waves}budget: {budget}
unmanaged: away
failures: {{tolerate: {tolerate}, then: hold}}
beacon: {{every: 300ms, stale: 3s, skew: 2s}}
absent-after: 4s
health: {{boot: 5s, ready: 10s, advance: 2 blocks, lag: 10 blocks, peers: 0, hold: {hold}}}
deadline: {{per-node: 30s}}
{more}"
        )
    }
}

fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or_default()
}
