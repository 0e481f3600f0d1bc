//! What nodes of the exhaustive walk can have signed, each chain once: a tree of words.

use std::collections::HashMap;

use muster_proto::documents::plan::Action;
use muster_proto::rule::{Final, Stage};

use super::scene::Scene;

/// What a node signed about a plan, as far as the walk tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Said {
    Acknowledged,
    Began,
    Done,
    RolledBack,
}

/// A plan's index, and what was said about it.
pub(super) type Word = (usize, Said);
/// The number of a chain in [`Chains`]; chains of all nodes are numbered together.
pub(super) type ChainId = u16;

/// One chain, and what follows from it alone.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// Oldest first.
    pub words: Vec<Word>,
    /// Each beginning of it, by length; the last is the chain itself.
    pub prefixes: Vec<ChainId>,
    /// The length of its longest beginning after which the node ran.
    pub ran: usize,
    /// The plan that has taken the node down: at work, or stopped by it.
    pub taken: Option<usize>,
}

/// All chains that were met so far.
#[derive(Debug)]
pub(super) struct Chains<'s> {
    scene: &'s Scene,
    all: Vec<Chain>,
    next: HashMap<(ChainId, Word), ChainId>,
}

impl<'s> Chains<'s> {
    /// Only the empty one, number 0.
    pub(super) fn new(scene: &'s Scene) -> Self {
        let empty = Chain { words: vec![], prefixes: vec![0], ran: 0, taken: None };
        Self { scene, all: vec![empty], next: HashMap::new() }
    }

    pub(super) fn get(&self, id: ChainId) -> &Chain {
        &self.all[usize::from(id)]
    }

    /// The chain `id` with one more word.
    pub(super) fn push(&mut self, id: ChainId, word: Word) -> ChainId {
        if let Some(known) = self.next.get(&(id, word)) {
            return *known;
        }
        let new = ChainId::try_from(self.all.len()).expect("few chains");
        let mut chain = self.get(id).clone();
        chain.words.push(word);
        chain.prefixes.push(new);
        chain.taken = stopped_by(self.scene, &chain.words).or_else(|| at_work(&chain.words));
        if chain.taken.is_none() {
            chain.ran = chain.words.len();
        }
        self.all.push(chain);
        self.next.insert((id, word), new);
        new
    }
}

/// How far the node has come with a plan.
pub(super) fn stage(words: &[Word], plan: usize) -> Stage {
    let last = words.iter().rev().find(|(of, _)| *of == plan);
    last.map_or(Stage::Verified, |(_, said)| match said {
        Said::Acknowledged => Stage::Acknowledged,
        Said::Began => Stage::Begun,
        Said::Done => Stage::Over(Final::Done),
        Said::RolledBack => Stage::Over(Final::RolledBack),
    })
}

/// The plan that is begun and not final.
pub(super) fn at_work(words: &[Word]) -> Option<usize> {
    let mut effects = words.iter().filter(|(_, said)| *said != Said::Acknowledged);
    effects.next_back().filter(|(_, said)| *said == Said::Began).map(|(plan, _)| *plan)
}

/// The plan that stopped it, while it is down.
fn stopped_by(scene: &Scene, words: &[Word]) -> Option<usize> {
    let mut ends = words.iter().filter(|(_, said)| matches!(said, Said::Done | Said::RolledBack));
    let (plan, said) = ends.next_back()?;
    let stops = matches!(scene.plans[*plan].1.action, Action::Stop) && *said == Said::Done;
    stops.then_some(*plan)
}
