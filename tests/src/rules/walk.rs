//! Every world of three nodes, exhaustively: every order of steps, and at every step every
//! picture that a lying controller could show. Time stands still, so beacons stay fresh.
//!
//! A picture is chosen anew at every step, also an older one than before: more than a real
//! controller can do, and the state is then the truth alone.
//!
//! Nothing is left out. What makes it quick is that nothing is asked twice: a decision reads the
//! node's own chain, the plans it knows and one picture of each other node, so the answer for
//! these is remembered, whatever the truths behind the pictures were.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use muster_proto::documents::plan::Budget;
use muster_proto::documents::{NO_ABORTS, PlanId};
use muster_proto::rule::decision::{Answer, Observations, OwnChain, Serials, Stage, Step, Test};
use muster_proto::rule::plans::rank;
use muster_proto::rule::{Decision, Documents, decide_with};

use super::Rule;
use super::chains::{ChainId, Chains, Said, Word, at_work, stage};
use super::pictures::{PictureId, Pictures};
use super::scene::{Scene, name, noon};

/// How many nodes walk.
pub const NODES: usize = 3;

/// One node: its chain, and which plans it knows (a bit each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct One {
    chain: ChainId,
    knows: u8,
}

/// The truth.
type State = [One; NODES];

/// How large a walk was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Walked {
    /// Different truths.
    pub states: usize,
    /// Different decisions, each asked for once.
    pub decisions: usize,
}

/// All that one decision of the walk depends on. A plan that is known stays known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Question {
    node: usize,
    plan: usize,
    knows: u8,
    own: ChainId,
    /// One picture of each node, its own as well.
    shown: [PictureId; NODES],
}

struct Walk<'s> {
    scene: &'s Scene,
    rule: Rule,
    chains: Chains<'s>,
    pictures: Pictures<'s>,
    answers: HashMap<Question, Option<Said>>,
    /// The same for all pictures of three chains: node, plan, plans known, chains.
    possible: HashMap<(usize, usize, u8, [ChainId; NODES]), Option<Said>>,
}

/// Walks all worlds of the scene. The rule must be a function of its arguments alone.
///
/// # Errors
/// The first truth in which plans have taken down more than the budget, in words.
///
/// # Panics
/// When the scene has not [`NODES`] nodes with an agent.
pub fn walk(scene: &Scene, rule: Rule) -> Result<Walked, String> {
    assert_eq!(scene.managed, NODES, "the walk is made for that many nodes");
    let mut walk = Walk::new(scene, rule);
    let start = [One { chain: 0, knows: 1 }; NODES];
    let mut seen: HashSet<State> = HashSet::from([start]);
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        walk.judge(&state)?;
        for node in 0..NODES {
            for next in walk.nexts(&state, node) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    Ok(Walked { states: seen.len(), decisions: walk.answers.len() })
}

impl<'s> Walk<'s> {
    fn new(scene: &'s Scene, rule: Rule) -> Self {
        Self {
            scene,
            rule,
            chains: Chains::new(scene),
            pictures: Pictures::new(scene),
            answers: HashMap::new(),
            possible: HashMap::new(),
        }
    }

    /// Every truth that one step of `node` leads to.
    fn nexts(&mut self, state: &State, node: usize) -> Vec<State> {
        let One { chain, knows } = state[node];
        let mut found = Vec::new();
        let mut becomes = |chain, knows| {
            let mut next = *state;
            next[node] = One { chain, knows };
            found.push(next);
        };
        for plan in 0..self.scene.plans.len() {
            let (words, bit) = (&self.chains.get(chain).words, 1 << plan);
            if knows & bit == 0 {
                becomes(chain, knows | bit);
            } else if at_work(words) == Some(plan) {
                becomes(self.chains.push(chain, (plan, Said::Done)), knows);
                becomes(self.chains.push(chain, (plan, Said::RolledBack)), knows);
            } else if stage(words, plan) < Stage::Begun
                && let Some(said) = self.possible(state, node, plan)
            {
                becomes(self.chains.push(chain, (plan, said)), knows);
            }
        }
        found
    }

    /// What the node may say next about a plan under some picture. It is one thing at most: before
    /// its promise a node promises, after it it begins. So the first picture that lets it is enough.
    fn possible(&mut self, state: &State, node: usize, plan: usize) -> Option<Said> {
        let chains = state.map(|one| one.chain);
        let key = (node, plan, state[node].knows, chains);
        if let Some(known) = self.possible.get(&key) {
            return *known;
        }
        let choices: Vec<_> = (0..NODES)
            .map(|other| match other == node {
                true => [self.pictures.own(&self.chains, node, chains[node])].into(),
                false => self.pictures.all(&self.chains, other, chains[other]),
            })
            .collect();
        let (knows, own) = (state[node].knows, chains[node]);
        let mut found = None;
        'pictures: for first in choices[0].iter() {
            for second in choices[1].iter() {
                for third in choices[2].iter() {
                    let shown = [*first, *second, *third];
                    let question = Question { node, plan, knows, own, shown };
                    found = self.ask(&question);
                    if found.is_some() {
                        break 'pictures;
                    }
                }
            }
        }
        self.possible.insert(key, found);
        found
    }

    fn ask(&mut self, question: &Question) -> Option<Said> {
        if let Some(known) = self.answers.get(question) {
            return *known;
        }
        let Question { node, plan, .. } = *question;
        let (scene, rule) = (self.scene, self.rule);
        let known = (0..scene.plans.len()).filter(|plan| question.knows & (1 << plan) != 0);
        let others = scene.others(known, plan);
        let (id, body) = &scene.plans[plan];
        let documents =
            Documents { id, plan: body, roster: &scene.rosters[0], others, aborts: &NO_ABORTS };
        let me = observations(scene, &self.chains.get(question.own).words, node, plan);
        let decision = self
            .pictures
            .show(&question.shown, |evidence| decide_with(rule, &documents, evidence, &me, noon()));
        let answer = match decision {
            Decision::Do(Step::Acknowledge { .. }) => Some(Said::Acknowledged),
            Decision::Do(Step::Begin(_)) => Some(Said::Began),
            _ => None,
        };
        self.answers.insert(*question, answer);
        answer
    }

    /// Whom plans have taken down, against the budget of the newest of them.
    fn judge(&self, state: &State) -> Result<(), String> {
        let chains = state.map(|one| self.chains.get(one.chain));
        let taken = chains.iter().filter_map(|chain| chain.taken);
        let newest = taken.clone().max_by_key(|plan| rank(&self.scene.plans[*plan].1));
        let Some(newest) = newest else { return Ok(()) };
        let seats = taken.count();
        match self.scene.plans[newest].1.budget {
            Budget::Seats(budget) if seats as u32 > budget => Err(format!(
                "{seats} seats away, the budget of plan {newest} is {budget}: {:?}",
                chains.map(|chain| &chain.words)
            )),
            _ => Ok(()),
        }
    }
}

fn observations(scene: &Scene, words: &[Word], node: usize, plan: usize) -> Observations {
    let id = |plan: usize| -> PlanId { scene.plans[plan].0.clone() };
    // Nothing that others see lies between the promise and the wait for the rule.
    let stage = match stage(words, plan) {
        Stage::Acknowledged => Stage::Prepared,
        stage => stage,
    };
    Observations {
        me: name(node),
        stage,
        in_hand: at_work(words).filter(|hand| *hand != plan).map(id),
        policy: Answer::Apply,
        test: Test::Unknown,
        failed: None,
        undoing: false,
        own_chain: OwnChain::Agrees,
        interrupted: false,
        ended: 0,
        admitted: Serials::default(),
        held: None,
        fresh_until: Some(Timestamp::MAX),
        height: None,
    }
}
