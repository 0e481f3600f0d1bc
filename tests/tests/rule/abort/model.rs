//! Small fleets under one plan, and an abort that may be heard at any moment: every node decides by
//! the project's own `decide`, over its own journal and what it was shown.

use std::collections::BTreeMap;

use muster_proto::documents::ids::Class;
use muster_proto::documents::{Aborts, Digest, NO_ABORTS, NodeName};
use muster_proto::evidence::receipt::{Event, Outcome};
use muster_proto::evidence::{Beacon, Head, beacon};
use muster_proto::rule::decision::{Observations, Stage, Step, Test};
use muster_proto::rule::facts::NodeFacts;
use muster_proto::rule::reason::{Reason, Why};
use muster_proto::rule::{Decision, Documents, Evidence, Final, decide};
use muster_tests::rules::node::Node as Journal;
use muster_tests::rules::scene::{abort, at, name};
use muster_tests::rules::{PlanDraw, Relation, Scene, SceneDraw};
use stateright::{Model, Property};

/// What the plan does, by the numbers of [`PlanDraw::action`].
pub(super) const RESTART: u8 = 0;
pub(super) const STOP: u8 = 1;
pub(super) const UPGRADE: u8 = 2;
pub(super) const START: u8 = 3;

/// More local steps than any node ever needs to come to rest.
const STEPS: usize = 24;

/// A fleet of so many nodes, one seat at a time.
#[derive(Debug, Clone)]
pub(super) struct Aborted {
    scene: Scene,
    aborts: Aborts,
    action: u8,
    /// Evidence is shown at any time, or everybody sees everything at once.
    pub(super) blind: bool,
}

/// A container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Container {
    None,
    Exited,
    Running,
}

/// What a node has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    Acknowledged,
    Prepared,
    Began,
    Stopped,
    Failed,
    Done,
    RolledBack,
}

/// One node: its journal, its containers, and what it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) stage: Stage,
    pub(super) failed: bool,
    undoing: bool,
    pub(super) old: Container,
    pub(super) new: Container,
    said: Vec<Word>,
    /// Of each node: how many words it was shown, and whether it ran then.
    shown: Vec<(usize, bool)>,
    /// The abort has verified here; that outlives a crash.
    pub(super) heard: bool,
    /// It began although it had heard the abort.
    pub(super) disobeyed: bool,
}

/// A moment of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Happens {
    /// A node takes its next step, and it works or fails.
    Acts(usize, bool),
    /// A node hears the abort.
    Hears(usize),
    /// A node is shown all that another has said.
    IsShown(usize, usize),
    /// A node's agent forgets what it was shown.
    Crashes(usize),
}

impl Node {
    pub(super) fn runs(&self) -> bool {
        self.old == Container::Running || self.new == Container::Running
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.stage >= Stage::Begun && !matches!(self.stage, Stage::Over(_))
    }

    fn says(&mut self, word: Word) {
        self.said.push(word);
    }
}

impl Aborted {
    pub(super) fn new(nodes: u8, action: u8, blind: bool) -> Self {
        let plan = PlanDraw {
            action,
            budget: 1,
            parallel: 2,
            order: (0..nodes).collect(),
            cut: 0,
            slack: nodes,
            soak_s: 0,
            tolerate: nodes,
            emergency: false,
            relation: Relation::Neither,
        };
        let scene = Scene::new(&SceneDraw {
            nodes,
            unmanaged: 0,
            group: false,
            seatless: false,
            leaver: None,
            clocks: vec![],
            plans: vec![plan],
        });
        let (id, plan) = scene.plans[0].clone();
        assert_eq!(id.class, Class::Hotfix);
        let abort = abort(&id, &plan);
        Self { scene, aborts: [(id, abort)].into(), action, blind }
    }

    /// What a node does next.
    fn decides(&self, fleet: &Fleet, me: usize, failing: bool) -> Decision {
        let node = &fleet.nodes[me];
        let (id, plan) = &self.scene.plans[0];
        let aborts = if node.heard { &self.aborts } else { &NO_ABORTS };
        let others = self.scene.others([], 0);
        let documents = Documents { id, plan, roster: &self.scene.rosters[0], others, aborts };
        let why = || Why { code: "test", text: "bad luck".into() };
        let test = if failing { Test::Fail(why()) } else { Test::Pass };
        let blank = Journal::new(me, 0).observations(0, std::slice::from_ref(id));
        let me = Observations {
            stage: node.stage,
            failed: node.failed.then(why),
            undoing: node.undoing,
            test,
            ..blank
        };
        decide(&documents, &self.evidence(fleet, node, &me.me), &me, at(1))
    }

    fn evidence(&self, fleet: &Fleet, viewer: &Node, me: &NodeName) -> Evidence {
        let facts = |(index, node): (usize, &Node)| {
            let whose = name(index);
            let (words, ran) = match whose == *me || !self.blind {
                true => (node.said.len(), node.runs()),
                false => viewer.shown[index],
            };
            let facts = self.facts(&whose, &node.said[..words], ran);
            (whose, facts)
        };
        Evidence { nodes: fleet.nodes.iter().enumerate().map(facts).collect() }
    }

    /// So many words, folded as receipts are, and a beacon from after them.
    fn facts(&self, whose: &NodeName, said: &[Word], ran: bool) -> NodeFacts {
        let id = &self.scene.plans[0].0;
        let mut facts = NodeFacts::default();
        let plan = facts.plans.entry(id.clone()).or_default();
        said.iter().for_each(|word| plan.fold(at(0), &word.event()));
        let head = Head { counter: said.len() as u64, hash: Digest::of(b"") };
        facts.take(Beacon {
            muster: "beacon/v1".into(),
            network: "testnet".into(),
            node: whose.clone(),
            counter: 1,
            at: at(1),
            health: beacon::Health {
                running: ran,
                height: ran.then_some(1_000),
                ..Default::default()
            },
            head: (!said.is_empty()).then_some(head),
            newest: BTreeMap::new(),
            doing: vec![],
            emergency: None,
        });
        facts
    }

    /// A node's next step, carried out; false when it has none.
    fn acts(&self, fleet: &mut Fleet, me: usize, fails: bool) -> bool {
        let decision = self.decides(fleet, me, fails);
        let node = &mut fleet.nodes[me];
        let before = node.clone();
        match decision {
            Decision::Do(step) => self.carry_out(node, &step, fails),
            Decision::Undo(_) => undo(node),
            // What was prepared for a plan that never begins is taken away again.
            Decision::Wait(Reason::Aborted(_)) if node.stage == Stage::Prepared => {
                node.new = Container::None;
            }
            Decision::Wait(_) | Decision::Finished(_) | Decision::Stuck(_) => {}
        }
        *node != before
    }

    fn carry_out(&self, node: &mut Node, step: &Step, fails: bool) {
        match step {
            Step::Acknowledge { .. } => {
                (node.stage, _) = (Stage::Acknowledged, node.says(Word::Acknowledged))
            }
            Step::Prepare | Step::Stop | Step::Swap | Step::Start if fails => {
                node.failed = true;
                node.says(Word::Failed);
            }
            Step::Prepare => {
                node.new = if self.action == UPGRADE { Container::Exited } else { Container::None };
                (node.stage, _) = (Stage::Prepared, node.says(Word::Prepared));
            }
            Step::Begin(_) => {
                node.disobeyed |= node.heard;
                (node.stage, _) = (Stage::Begun, node.says(Word::Began));
            }
            Step::Stop => {
                node.old = Container::Exited;
                (node.stage, _) = (Stage::Stopped, node.says(Word::Stopped));
            }
            Step::Swap => node.stage = Stage::Swapped,
            Step::Start => {
                let upgrade = self.action == UPGRADE;
                *(if upgrade { &mut node.new } else { &mut node.old }) = Container::Running;
                node.stage = Stage::Started;
            }
            // The test passed, and that is journaled; or all that is left is to say so.
            Step::Commit if node.stage == Stage::Started => node.stage = Stage::Passed,
            Step::Commit => {
                if self.action == UPGRADE {
                    node.old = Container::None;
                }
                (node.stage, _) = (Stage::Over(Final::Done), node.says(Word::Done));
            }
            Step::Test | Step::Ask | Step::Decline(_) => {}
        }
    }

    /// What becomes of this moment when everybody hears the abort and nobody hears anything else:
    /// no board, no other node, an agent that was just restarted.
    pub(super) fn alone_after_the_abort(&self, fleet: &Fleet) -> Fleet {
        let mut fleet = fleet.clone();
        let deaf = Self { blind: true, ..self.clone() };
        for me in 0..fleet.nodes.len() {
            fleet.nodes[me].heard = true;
            fleet.nodes[me].shown.fill((0, false));
            let mut steps = 0;
            while deaf.acts(&mut fleet, me, false) {
                steps += 1;
                assert!(steps < STEPS, "no end in sight: {:?}", fleet.nodes[me]);
            }
        }
        fleet
    }

    /// Exactly the old or the new node, or down where that is what its part came to.
    pub(super) fn is_safe(&self, node: &Node) -> bool {
        let both = node.old == Container::Running && node.new == Container::Running;
        let down = match (self.action, node.stage) {
            (STOP, Stage::Over(Final::Done)) => true,
            (START, at) => at < Stage::Begun,
            _ => false,
        };
        // A step that failed where there is no way back is for people, with or without an abort.
        let stuck = node.failed && self.action != UPGRADE && node.is_at_work();
        !both && (stuck || !node.is_at_work() && node.runs() != down)
    }
}

fn undo(node: &mut Node) {
    if !std::mem::replace(&mut node.undoing, true) {
        // The first time it only says so, and begins to put the old node back.
        return node.says(Word::Failed);
    }
    node.new = Container::None;
    node.old = Container::Running;
    (node.stage, _) = (Stage::Over(Final::RolledBack), node.says(Word::RolledBack));
}

impl Word {
    fn event(self) -> Event {
        let outcome = || Outcome {
            version: None,
            height: None,
            image: Digest::of(b""),
            away_ms: None,
            would: None,
        };
        match self {
            Word::Acknowledged => Event::Acknowledged { in_hand: None },
            Word::Prepared => Event::Prepared,
            Word::Began => Event::Began { sum: None, heads: BTreeMap::new() },
            Word::Stopped => {
                Event::Stopped { height: None, block_hash: None, exit: 0, beside: None }
            }
            Word::Failed => Event::Failed { code: "test".into(), why: "bad luck".into() },
            Word::Done => Event::Done(outcome()),
            Word::RolledBack => Event::RolledBack(outcome()),
        }
    }
}

impl Model for Aborted {
    type State = Fleet;
    type Action = Happens;

    fn init_states(&self) -> Vec<Fleet> {
        let nodes = self.scene.managed;
        let up = if self.action == START { Container::Exited } else { Container::Running };
        let node = Node {
            stage: Stage::Verified,
            failed: false,
            undoing: false,
            old: up,
            new: Container::None,
            said: Vec::new(),
            shown: vec![(0, up == Container::Running); nodes],
            heard: false,
            disobeyed: false,
        };
        vec![Fleet { nodes: vec![node; nodes] }]
    }

    fn actions(&self, fleet: &Fleet, actions: &mut Vec<Happens>) {
        for me in 0..fleet.nodes.len() {
            actions.extend([Happens::Acts(me, false), Happens::Acts(me, true)]);
            if !fleet.nodes[me].heard {
                actions.push(Happens::Hears(me));
            }
            if self.blind {
                actions.push(Happens::Crashes(me));
                let others = (0..fleet.nodes.len()).filter(|of| *of != me);
                actions.extend(others.map(|of| Happens::IsShown(me, of)));
            }
        }
    }

    fn next_state(&self, fleet: &Fleet, happens: Happens) -> Option<Fleet> {
        let mut next = fleet.clone();
        match happens {
            Happens::Acts(me, fails) => drop(self.acts(&mut next, me, fails)),
            Happens::Hears(me) => next.nodes[me].heard = true,
            Happens::IsShown(me, of) => {
                next.nodes[me].shown[of] = (next.nodes[of].said.len(), next.nodes[of].runs());
            }
            Happens::Crashes(me) => next.nodes[me].shown.fill((0, false)),
        }
        (next != *fleet).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no node has two containers running", |_, fleet: &Fleet| {
                let both =
                    |node: &Node| node.old == Container::Running && node.new == Container::Running;
                !fleet.nodes.iter().any(both)
            }),
            Property::always("who has heard the abort never begins", |_, fleet: &Fleet| {
                !fleet.nodes.iter().any(|node| node.disobeyed)
            }),
            Property::always("an abort leads to safety by local steps", |model: &Self, fleet| {
                let after = model.alone_after_the_abort(fleet);
                after.nodes.iter().all(|node| model.is_safe(node))
            }),
            Property::sometimes("somebody finishes", |_, fleet: &Fleet| {
                fleet.nodes.iter().any(|node| node.stage == Stage::Over(Final::Done))
            }),
            Property::sometimes("somebody hears it in the middle", |_, fleet: &Fleet| {
                fleet.nodes.iter().any(|node| node.heard && node.is_at_work())
            }),
        ]
    }
}
