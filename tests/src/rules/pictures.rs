//! What a controller can show of one node in the exhaustive walk: a beginning of its chain, with
//! or without a beacon. Each picture is made once and lent to the decision.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use muster_proto::documents::{Digest, NodeName};
use muster_proto::evidence::receipt::{Event, Receipt};
use muster_proto::evidence::{Beacon, Head, beacon};
use muster_proto::rule::Evidence;
use muster_proto::rule::facts::NodeFacts;

use super::chains::{ChainId, Chains, Said, Word, at_work};
use super::node::outcome;
use super::scene::{Scene, name, noon};

/// The number of a picture of one node.
pub(super) type PictureId = u16;

/// All pictures that were made so far.
pub(super) struct Pictures<'s> {
    scene: &'s Scene,
    names: Vec<NodeName>,
    /// By node, then by number.
    facts: Vec<Vec<NodeFacts>>,
    /// By node: what is shown of the chain, and after how many words the beacon was signed.
    made: HashMap<(usize, ChainId, Option<usize>), PictureId>,
    /// By node and whole chain.
    of: HashMap<(usize, ChainId), Rc<[PictureId]>>,
    evidence: Evidence,
}

impl<'s> Pictures<'s> {
    pub(super) fn new(scene: &'s Scene) -> Self {
        let names: Vec<NodeName> = (0..scene.managed).map(name).collect();
        let nodes = names.iter().map(|name| (name.clone(), NodeFacts::default()));
        let evidence = Evidence { nodes: nodes.collect() };
        let facts = vec![Vec::new(); scene.managed];
        Self { scene, names, facts, made: HashMap::new(), of: HashMap::new(), evidence }
    }

    /// What can be shown of a node with this chain; what shows most comes first.
    pub(super) fn all(
        &mut self,
        chains: &Chains<'_>,
        node: usize,
        chain: ChainId,
    ) -> Rc<[PictureId]> {
        if let Some(known) = self.of.get(&(node, chain)) {
            return known.clone();
        }
        let mut all = Vec::new();
        let whole = chains.get(chain);
        for shown in whole.prefixes.iter().rev() {
            // Of all beacons the newest that shows it running is the one that helps to go too
            // early: an older one differs only in being overtaken by more receipts, and one that
            // shows it down only adds its seat to the sum.
            for beacon in [Some(whole.ran), None] {
                all.push(self.one(chains, node, *shown, beacon));
            }
        }
        let all: Rc<[PictureId]> = all.into();
        self.of.insert((node, chain), all.clone());
        all
    }

    /// What a node knows of itself: all of its chain, and a beacon of this moment.
    pub(super) fn own(&mut self, chains: &Chains<'_>, node: usize, chain: ChainId) -> PictureId {
        self.one(chains, node, chain, Some(chains.get(chain).words.len()))
    }

    fn one(
        &mut self,
        chains: &Chains<'_>,
        node: usize,
        shown: ChainId,
        beacon: Option<usize>,
    ) -> PictureId {
        if let Some(known) = self.made.get(&(node, shown, beacon)) {
            return *known;
        }
        let words = &chains.get(shown).words;
        let mut facts = NodeFacts::default();
        for index in 0..words.len() {
            facts.fold(&receipt(self.scene, node, words, index), true);
        }
        if let Some(after) = beacon {
            // Its own newest beacon may show a node down; every other one shows it running.
            let is_down = after == words.len() && chains.get(shown).taken.is_some();
            facts.take(beacon_after(node, !is_down, after));
        }
        let new = PictureId::try_from(self.facts[node].len()).expect("few pictures");
        self.facts[node].push(facts);
        self.made.insert((node, shown, beacon), new);
        new
    }

    /// Calls `look` with one picture of each node. They are moved in and out, not copied.
    pub(super) fn show<T>(&mut self, shown: &[PictureId], look: impl FnOnce(&Evidence) -> T) -> T {
        self.swap(shown);
        let seen = look(&self.evidence);
        self.swap(shown);
        seen
    }

    fn swap(&mut self, shown: &[PictureId]) {
        for (node, picture) in shown.iter().enumerate() {
            let place = self.evidence.nodes.get_mut(&self.names[node]).expect("every node");
            std::mem::swap(place, &mut self.facts[node][usize::from(*picture)]);
        }
    }
}

fn receipt(scene: &Scene, node: usize, words: &[Word], index: usize) -> Receipt {
    let (plan, said) = words[index];
    let in_hand = at_work(&words[..index]).filter(|hand| *hand != plan);
    let event = match said {
        Said::Acknowledged => {
            Event::Acknowledged { in_hand: in_hand.map(|hand| scene.plans[hand].0.clone()) }
        }
        Said::Began => Event::Began { sum: None, heads: BTreeMap::new() },
        Said::Done => Event::Done(outcome()),
        Said::RolledBack => Event::RolledBack(outcome()),
    };
    Receipt {
        muster: "receipt/v1".into(),
        network: "testnet".into(),
        node: name(node),
        counter: index as u64 + 1,
        previous: None,
        at: noon(),
        plan: scene.plans[plan].0.clone(),
        event,
    }
}

fn beacon_after(node: usize, running: bool, after: usize) -> Beacon {
    let height = running.then_some(1_000);
    let head = Head { counter: after as u64, hash: Digest::of(b"") };
    Beacon {
        muster: "beacon/v1".into(),
        network: "testnet".into(),
        node: name(node),
        counter: after as u64 + 1,
        at: noon(),
        health: beacon::Health { running, height, ..Default::default() },
        head: (after > 0).then_some(head),
        newest: BTreeMap::new(),
        doing: vec![],
        emergency: None,
    }
}
