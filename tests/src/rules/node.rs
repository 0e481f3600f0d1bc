//! One honest node of the hostile world: its container, its journal, and what it was shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::documents::ids::Counter;
use muster_proto::documents::{Aborts, Class, Digest, NodeName, PlanId};
use muster_proto::evidence::receipt::{Event, Outcome, Receipt};
use muster_proto::evidence::{Beacon, Head, beacon};
use muster_proto::rule::decision::{Answer, Observations, OwnChain, Serials, Stage, Test};
use muster_proto::rule::reason::Why;
use muster_proto::rule::{Evidence, Final};

use super::scene::name;

/// Its part in one plan, as its journal has it.
#[derive(Debug, Clone)]
pub struct Part {
    /// How far it has come.
    pub stage: Stage,
    /// A step that failed.
    pub failed: Option<Why>,
    /// An undo is under way.
    pub undoing: bool,
    /// What its operator says.
    pub policy: Answer,
    /// What the self-test says.
    pub test: Test,
    /// An emergency stopped it, and nothing was done about it since.
    pub interrupted: bool,
    /// It was away by itself when it began: nothing was taken.
    pub excused: bool,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            stage: Stage::Verified,
            failed: None,
            undoing: false,
            policy: Answer::Apply,
            test: Test::Unknown,
            interrupted: false,
            excused: false,
        }
    }
}

impl Part {
    /// Begun and not final.
    pub fn is_at_work(&self) -> bool {
        self.stage >= Stage::Begun && !matches!(self.stage, Stage::Over(_))
    }

    /// At work, and well when it began.
    pub fn takes(&self) -> bool {
        self.is_at_work() && !self.excused
    }

    /// Its last word.
    pub fn outcome(&self) -> Option<Final> {
        match self.stage {
            Stage::Over(outcome) => Some(outcome),
            _ => None,
        }
    }
}

/// The truth about one node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Everything it ever signed, in order.
    pub receipts: Vec<Receipt>,
    /// Every beacon it ever signed, in order.
    pub beacons: Vec<Beacon>,
    /// Its journal, by plan.
    pub parts: BTreeMap<usize, Part>,
    /// The container runs.
    pub running: bool,
    /// Its height stands still since then.
    pub stuck_at: Option<u64>,
    /// The plan whose `stop` it finished, while the container is still down.
    pub stopped_by: Option<usize>,
    /// It waits for the beat, with a permission for this plan.
    pub on_beat: Option<usize>,
    /// Plans it has verified; remembered over crashes.
    pub plans: Vec<usize>,
    /// Aborts that it has verified; remembered over crashes.
    pub aborts: Aborts,
    /// Which of the two rosters it has verified.
    pub roster: usize,
    /// What it believes of everybody, itself included.
    pub evidence: Evidence,
    /// How much of every other node's chain and beacons it was shown.
    pub shown: Vec<(usize, usize)>,
}

impl Node {
    /// Running, and nothing said yet.
    pub fn new(index: usize, nodes: usize) -> Self {
        Self {
            name: name(index),
            receipts: Vec::new(),
            beacons: Vec::new(),
            parts: BTreeMap::new(),
            running: true,
            stuck_at: None,
            stopped_by: None,
            on_beat: None,
            plans: Vec::new(),
            aborts: Aborts::new(),
            roster: 0,
            evidence: Evidence::default(),
            shown: vec![(0, 0); nodes],
        }
    }

    /// Signs a receipt; its own evidence holds it at once.
    pub fn says(&mut self, at: Timestamp, plan: &PlanId, event: Event) -> &Receipt {
        let receipt = Receipt {
            muster: "receipt/v1".into(),
            network: "testnet".into(),
            node: self.name.clone(),
            counter: self.receipts.len() as u64 + 1,
            previous: None,
            at,
            plan: plan.clone(),
            event,
        };
        let facts = self.evidence.nodes.entry(self.name.clone()).or_default();
        facts.fold(&receipt, true);
        self.receipts.push(receipt);
        &self.receipts[self.receipts.len() - 1]
    }

    /// Signs a beacon; its own evidence holds it at once.
    pub fn beacon(
        &mut self,
        at: Timestamp,
        tip: u64,
        newest: BTreeMap<Counter, PlanId>,
    ) -> &Beacon {
        let height = self.running.then_some(self.stuck_at.unwrap_or(tip));
        let counter = self.receipts.len() as u64;
        let head = (counter > 0).then(|| Head { counter, hash: Digest::of(b"") });
        let beacon = Beacon {
            muster: "beacon/v1".into(),
            network: "testnet".into(),
            node: self.name.clone(),
            counter: self.beacons.len() as u64 + 1,
            at,
            health: beacon::Health { running: self.running, height, ..Default::default() },
            head,
            newest,
            doing: vec![],
            emergency: None,
        };
        let facts = self.evidence.nodes.entry(self.name.clone()).or_default();
        facts.take(beacon.clone());
        self.beacons.push(beacon);
        &self.beacons[self.beacons.len() - 1]
    }

    /// What its journal says about a plan.
    pub fn part(&self, plan: usize) -> Part {
        self.parts.get(&plan).cloned().unwrap_or_default()
    }

    /// Another plan that is begun here and not final.
    pub fn in_hand(&self, but: usize, ids: &[PlanId]) -> Option<usize> {
        let kind = |plan: usize| ids[plan].class == Class::Emergency;
        let all = self.parts.iter().filter(|(plan, part)| **plan != but && part.is_at_work());
        all.map(|(plan, _)| *plan).max_by_key(|plan| kind(*plan) == kind(but))
    }

    /// What it tells the rule about itself.
    pub fn observations(&self, plan: usize, ids: &[PlanId]) -> Observations {
        let part = self.part(plan);
        Observations {
            me: self.name.clone(),
            stage: part.stage,
            in_hand: self.in_hand(plan, ids).map(|other| ids[other].clone()),
            policy: part.policy,
            test: part.test,
            failed: part.failed,
            undoing: part.undoing,
            own_chain: OwnChain::Agrees,
            interrupted: part.interrupted,
            ended: 0,
            admitted: Serials::default(),
            held: None,
            fresh_until: Some(Timestamp::MAX),
            height: None,
        }
    }
}

/// How a part ended, for a receipt.
pub fn outcome() -> Outcome {
    Outcome { version: None, height: None, image: Digest::of(b""), away_ms: None, would: None }
}
