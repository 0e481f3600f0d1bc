//! Every world of a few nodes, exhaustively: every order of steps, and at every step every
//! picture that a lying controller could show. Time stands still, so beacons stay fresh.
//!
//! A picture is chosen anew at every step, also an older one than before: more than a real
//! controller can do, and the state is then the truth alone.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use muster_proto::documents::plan::{Action, Budget};
use muster_proto::documents::{Digest, PlanId};
use muster_proto::evidence::receipt::{Event, Receipt};
use muster_proto::evidence::{Beacon, Head, beacon};
use muster_proto::rule::decision::{Answer, Observations, OwnChain, Stage, Step, Test};
use muster_proto::rule::facts::NodeFacts;
use muster_proto::rule::plans::rank;
use muster_proto::rule::{Decision, Documents, Evidence, Final, decide_with};

use super::Rule;
use super::node::outcome;
use super::scene::{Scene, name, noon};

/// What a node signed, as far as the walk tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Said {
    Acknowledged,
    Began,
    Done,
    RolledBack,
}

/// One node: its chain, and which plans it knows (a bit each).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct One {
    chain: Vec<(usize, Said)>,
    knows: u8,
}

type State = Vec<One>;

/// How large a walk was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Walked {
    /// Different truths.
    pub states: usize,
    /// Decisions asked for.
    pub decisions: usize,
}

/// Walks all worlds of the scene.
///
/// # Errors
/// The first truth in which plans have taken down more than the budget, in words.
pub fn walk(scene: &Scene, rule: Rule) -> Result<Walked, String> {
    let start = vec![One { chain: vec![], knows: 1 }; scene.managed];
    let mut seen: HashSet<State> = HashSet::from([start.clone()]);
    let mut open = vec![start];
    let mut walked = Walked::default();
    while let Some(state) = open.pop() {
        judge(scene, &state)?;
        for node in 0..state.len() {
            for next in nexts(scene, &state, node, rule, &mut walked.decisions) {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
    }
    walked.states = seen.len();
    Ok(walked)
}

/// Every truth that one step of `node` leads to.
fn nexts(
    scene: &Scene,
    state: &State,
    node: usize,
    rule: Rule,
    decisions: &mut usize,
) -> Vec<State> {
    let one = &state[node];
    let with = |change: &dyn Fn(&mut One)| {
        let mut next = state.clone();
        change(&mut next[node]);
        next
    };
    let mut found = Vec::new();
    for plan in 0..scene.plans.len() {
        let bit = 1 << plan;
        if one.knows & bit == 0 {
            found.push(with(&|one| one.knows |= bit));
        } else if at_work(&one.chain) == Some(plan) {
            found.push(with(&|one| one.chain.push((plan, Said::Done))));
            found.push(with(&|one| one.chain.push((plan, Said::RolledBack))));
        } else if stage(&one.chain, plan) < Stage::Begun {
            for said in possible(scene, state, node, plan, rule, decisions) {
                found.push(with(&|one| one.chain.push((plan, said))));
            }
        }
    }
    found
}

/// What the node may say next about a plan, over all pictures it could be shown.
fn possible(
    scene: &Scene,
    state: &State,
    node: usize,
    plan: usize,
    rule: Rule,
    decisions: &mut usize,
) -> Vec<Said> {
    let chain = &state[node].chain;
    let me = observations(scene, chain, node, plan);
    let known: Vec<usize> =
        (0..scene.plans.len()).filter(|plan| state[node].knows & (1 << plan) != 0).collect();
    let others = scene.others(&known, plan);
    let (id, body) = &scene.plans[plan];
    let documents = Documents { id, plan: body, roster: &scene.rosters[0], others: &others };
    let mut evidence = Evidence::default();
    evidence.nodes.insert(name(node), facts(scene, node, chain, chain.len(), Some(chain.len())));
    let rest: Vec<usize> = (0..state.len()).filter(|other| *other != node).collect();
    let mut said = Vec::new();
    pictures(scene, state, &rest, &mut evidence, &mut |evidence| {
        *decisions += 1;
        let next = match decide_with(rule, &documents, evidence, &me, noon()) {
            Decision::Do(Step::Acknowledge { .. }) => Said::Acknowledged,
            Decision::Do(Step::Begin(_)) => Said::Began,
            _ => return,
        };
        if !said.contains(&next) {
            said.push(next);
        }
    });
    said
}

/// Calls `look` with every picture of the nodes in `rest`.
fn pictures(
    scene: &Scene,
    state: &State,
    rest: &[usize],
    evidence: &mut Evidence,
    look: &mut impl FnMut(&Evidence),
) {
    let Some((&node, rest)) = rest.split_first() else { return look(evidence) };
    let chain = &state[node].chain;
    // Of all beacons the newest that shows it running is the one that helps to go too early.
    let running = (0..=chain.len()).rev().find(|upto| is_running(scene, &chain[..*upto]));
    for upto in 0..=chain.len() {
        for beacon in [None, running] {
            evidence.nodes.insert(name(node), facts(scene, node, chain, upto, beacon));
            pictures(scene, state, rest, evidence, look);
        }
    }
}

fn facts(
    scene: &Scene,
    node: usize,
    chain: &[(usize, Said)],
    upto: usize,
    beacon: Option<usize>,
) -> NodeFacts {
    let mut facts = NodeFacts::default();
    for index in 0..upto {
        facts.fold(&receipt(scene, node, chain, index), true);
    }
    if let Some(after) = beacon {
        facts.take(beacon_after(scene, node, chain, after));
    }
    facts
}

fn receipt(scene: &Scene, node: usize, chain: &[(usize, Said)], index: usize) -> Receipt {
    let (plan, said) = chain[index];
    let in_hand = at_work(&chain[..index]).filter(|hand| *hand != plan);
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

fn beacon_after(scene: &Scene, node: usize, chain: &[(usize, Said)], after: usize) -> Beacon {
    let running = is_running(scene, &chain[..after]);
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
    }
}

fn observations(scene: &Scene, chain: &[(usize, Said)], node: usize, plan: usize) -> Observations {
    let id = |plan: usize| -> PlanId { scene.plans[plan].0.clone() };
    // Nothing that others see lies between the promise and the wait for the rule.
    let stage = match stage(chain, plan) {
        Stage::Acknowledged => Stage::Prepared,
        stage => stage,
    };
    Observations {
        me: name(node),
        stage,
        in_hand: at_work(chain).filter(|hand| *hand != plan).map(id),
        policy: Answer::Apply,
        test: Test::Unknown,
        failed: None,
        undoing: false,
        own_chain: OwnChain::Agrees,
        held: None,
        fresh_until: Some(Timestamp::MAX),
        height: None,
    }
}

fn stage(chain: &[(usize, Said)], plan: usize) -> Stage {
    let last = chain.iter().rev().find(|(of, _)| *of == plan);
    last.map_or(Stage::Verified, |(_, said)| match said {
        Said::Acknowledged => Stage::Acknowledged,
        Said::Began => Stage::Begun,
        Said::Done => Stage::Over(Final::Done),
        Said::RolledBack => Stage::Over(Final::RolledBack),
    })
}

/// The plan that is begun and not final.
fn at_work(chain: &[(usize, Said)]) -> Option<usize> {
    let mut effects = chain.iter().filter(|(_, said)| *said != Said::Acknowledged);
    effects.next_back().filter(|(_, said)| *said == Said::Began).map(|(plan, _)| *plan)
}

/// The plan that stopped it, while it is down.
fn stopped_by(scene: &Scene, chain: &[(usize, Said)]) -> Option<usize> {
    let mut ends = chain.iter().filter(|(_, said)| matches!(said, Said::Done | Said::RolledBack));
    let (plan, said) = ends.next_back()?;
    let stops = matches!(scene.plans[*plan].1.action, Action::Stop) && *said == Said::Done;
    stops.then_some(*plan)
}

fn is_running(scene: &Scene, chain: &[(usize, Said)]) -> bool {
    at_work(chain).is_none() && stopped_by(scene, chain).is_none()
}

/// Whom plans have taken down, against the budget of the newest of them.
fn judge(scene: &Scene, state: &State) -> Result<(), String> {
    let taken = |one: &One| stopped_by(scene, &one.chain).or_else(|| at_work(&one.chain));
    let plans: Vec<usize> = state.iter().filter_map(taken).collect();
    let newest = plans.iter().copied().max_by_key(|plan| rank(&scene.plans[*plan].1));
    let Some(newest) = newest else { return Ok(()) };
    match scene.plans[newest].1.budget {
        Budget::Seats(budget) if plans.len() as u32 > budget => Err(format!(
            "{} seats away, the budget of plan {newest} is {budget}: {state:?}",
            plans.len()
        )),
        _ => Ok(()),
    }
}
