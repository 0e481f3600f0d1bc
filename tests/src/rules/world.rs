//! The hostile world: moves change the truth, the controller's moves change what is shown.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::documents::ids::Counter;
use muster_proto::documents::plan::Action;
use muster_proto::documents::{NodeName, PlanId};
use muster_proto::evidence::Event;
use muster_proto::rule::decision::{Answer, Observations, Stage, Step, Test};
use muster_proto::rule::reason::Why;
use muster_proto::rule::{Decision, Documents, Evidence, Final, decide_with};

use super::books::Books;
use super::check::{self, Violation};
use super::node::{Node, Part, outcome};
use super::scene::{ABSENT_S, LAG_BLOCKS, Scene, at};
use super::shown::Reader;
use super::{Rule, broken};

/// No step fails and every self-test passes.
const LUCK: u8 = u8::MAX;
/// Seconds between blocks.
const BLOCK_S: i64 = 3;

/// No wait of an open plan is longer: absence, and then some for soak and hold.
const QUIET_S: usize = ABSENT_S as usize + 30;

/// One thing that happens. Numbers choose by remainder, so that every value is a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Time passes, in seconds.
    Pass(u8),
    /// A node verifies a plan.
    Learn(u8, u8),
    /// A node is asked for its next step under one of its plans; the last number is its luck.
    Act(u8, u8, u8),
    /// A node signs a beacon.
    Beacon(u8),
    /// The controller shows one node something of another: how much of what it has not seen.
    Show(u8, u8, u8, u8),
    /// The controller shows one node everything.
    ShowAll(u8),
    /// The controller shows one node something of another that it was shown before, or a receipt
    /// without those before it.
    Replay(u8, u8, u8, u8),
    /// The agent crashes: it forgets what it was shown. That it waited for the beat stands in its
    /// journal, and is no permission.
    Crash(u8),
    /// The container dies by itself.
    Fail(u8),
    /// The container falls behind.
    Lag(u8),
    /// The container is well again.
    Recover(u8),
    /// The operator's policy asks, refuses or approves.
    Policy(u8, u8, u8),
    /// A node verifies the newer roster.
    Roster(u8),
    /// A node verifies the abort of a plan; the second number tells whether there is one.
    Abort(u8, u8),
    /// Everybody verifies a plan.
    Publish(u8),
    /// For so many seconds the nodes of this bit set are shown all receipts, and have good luck.
    /// One controller in three keeps the beacons back.
    Calm(u8, u8),
}

/// The truth, and everybody's part of it.
#[derive(Debug, Clone)]
pub struct World<'a> {
    /// What stood before.
    pub scene: &'a Scene,
    /// Those with an agent.
    pub nodes: Vec<Node>,
    /// Seconds since the beginning.
    pub now_s: i64,
    pub(super) ids: Vec<PlanId>,
    rule: Rule,
    pub(super) reader: Reader,
    pub(super) books: Option<Books>,
}

impl<'a> World<'a> {
    /// Everybody runs, and knows no plan.
    pub fn new(scene: &'a Scene, rule: Rule) -> Self {
        broken::forget();
        let nodes = (0..scene.managed).map(|i| Node::new(i, scene.managed)).collect();
        let ids = scene.plans.iter().map(|(id, _)| id.clone()).collect();
        Self { scene, nodes, now_s: 0, ids, rule, reader: Reader::Careful, books: None }
    }

    /// What everybody does with what was shown before.
    pub fn read_by(mut self, reader: Reader) -> Self {
        self.reader = reader;
        self
    }

    /// Everything is truly signed, and everybody believes what the project's own book makes of
    /// what he is shown.
    pub fn with_books(mut self) -> Self {
        self.books = Some(Books::new(self.scene));
        self
    }

    /// Plays the moves.
    ///
    /// # Errors
    /// The first violation.
    pub fn play(&mut self, moves: &[Move]) -> Result<(), Violation> {
        moves.iter().try_for_each(|one| self.step(*one))
    }

    fn pick(&self, number: u8) -> usize {
        usize::from(number) % self.nodes.len()
    }

    /// Plays one move.
    ///
    /// # Errors
    /// When it breaks an invariant.
    pub fn step(&mut self, one: Move) -> Result<(), Violation> {
        match one {
            Move::Pass(seconds) => self.now_s += i64::from(seconds),
            Move::Learn(node, plan) => self.learn(self.pick(node), plan),
            Move::Act(node, plan, luck) => return self.act(self.pick(node), plan, luck),
            Move::Beacon(node) => self.beacon(self.pick(node)),
            Move::Show(to, of, receipts, beacons) => {
                self.show(self.pick(to), self.pick(of), receipts, beacons);
            }
            Move::ShowAll(to) => self.show_all(self.pick(to)),
            Move::Replay(to, of, receipt, beacon) => {
                self.replay(self.pick(to), self.pick(of), receipt, beacon);
            }
            Move::Crash(node) => self.crash(self.pick(node)),
            Move::Fail(node) => self.nodes[usize::from(node) % self.scene.managed].running = false,
            Move::Lag(node) => {
                let (node, tip) = (self.pick(node), self.tip());
                self.nodes[node].stuck_at.get_or_insert(tip);
            }
            Move::Recover(node) => self.recover(self.pick(node)),
            Move::Policy(node, plan, word) => self.policy(self.pick(node), plan, word),
            Move::Roster(node) => self.newer_roster(self.pick(node)),
            Move::Abort(node, plan) => self.abort(self.pick(node), plan),
            Move::Publish(plan) => (0..self.nodes.len()).for_each(|node| self.learn(node, plan)),
            Move::Calm(who, how) => return self.calm(who, how % 8, how % 3 == 0),
        }
        Ok(())
    }

    /// The chain's height; it goes on whatever happens.
    pub fn tip(&self) -> u64 {
        1_000 + (self.now_s / BLOCK_S) as u64
    }

    /// What a node's clock says.
    pub fn date(&self, node: usize) -> Timestamp {
        at(self.now_s + self.scene.clocks[node])
    }

    /// Its seat gives nothing now, whatever plans do.
    fn is_away_by_itself(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        let behind = node.stuck_at.is_some_and(|height| self.tip() - height > LAG_BLOCKS);
        !node.running || behind
    }

    fn learn(&mut self, node: usize, plan: u8) {
        let plan = usize::from(plan) % self.ids.len();
        let node = &mut self.nodes[node];
        if !node.plans.contains(&plan) {
            node.plans.push(plan);
            node.plans.sort_unstable();
        }
    }

    /// Signs a beacon.
    pub fn beacon(&mut self, node: usize) {
        let (date, tip) = (self.date(node), self.tip());
        let mut newest: BTreeMap<Counter, PlanId> = BTreeMap::new();
        for plan in &self.nodes[node].plans {
            newest.insert(self.ids[*plan].class.counter(), self.ids[*plan].clone());
        }
        let signed = self.nodes[node].beacon(date, tip, newest);
        if let Some(books) = &mut self.books {
            books.beacon(node, signed);
        }
    }

    fn recover(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        // While an agent is at work it alone starts the container.
        if !node.parts.values().any(Part::is_at_work) {
            node.running = true;
            node.stopped_by = None;
        }
        node.stuck_at = None;
    }

    /// One plan in four of those that are told of is aborted.
    fn abort(&mut self, node: usize, plan: u8) {
        if plan.is_multiple_of(4) {
            let (id, plan) = &self.scene.plans[usize::from(plan / 4) % self.ids.len()];
            self.nodes[node].aborts.insert(id.clone(), super::scene::abort(id, plan));
        }
    }

    fn policy(&mut self, node: usize, plan: u8, word: u8) {
        let plan = usize::from(plan) % self.ids.len();
        let part = self.nodes[node].parts.entry(plan).or_default();
        let asked = matches!(part.policy, Answer::Ask { .. });
        part.policy = match word % 4 {
            0 if !asked => Answer::Ask { since: None },
            1 => Answer::Refuse { reason: "no".into() },
            _ => Answer::Apply,
        };
    }

    /// Asks the node's decision about one of its plans, and does it.
    fn act(&mut self, node: usize, plan: u8, luck: u8) -> Result<(), Violation> {
        let Some(known) = self.nodes[node].plans.len().checked_sub(1) else { return Ok(()) };
        let plan = self.nodes[node].plans[usize::from(plan) % (known + 1)];
        // The agent looks at its own node before it asks the rule.
        self.beacon(node);
        if self.nodes[node].on_beat == Some(plan) {
            if luck.is_multiple_of(4) {
                return Ok(());
            }
            self.nodes[node].on_beat = None;
            return self.begin(node, plan);
        }
        let mut part = self.nodes[node].part(plan);
        part.test = test(luck);
        self.nodes[node].parts.insert(plan, part);
        let decision = self.with(node, plan, |documents, evidence, me, now| {
            decide_with(self.rule, documents, evidence, me, now)
        });
        match decision {
            // A stop waits for no beat.
            Decision::Do(Step::Begin(_)) if self.scene.plans[plan].1.schedule.is_some() => {
                return self.begin(node, plan);
            }
            Decision::Do(step) => self.carry_out(node, plan, &step, luck),
            Decision::Undo(_) => self.undo(node, plan),
            Decision::Wait(_) | Decision::Finished(_) | Decision::Stuck(_) => {}
        }
        Ok(())
    }

    fn with<T>(
        &self,
        node: usize,
        plan: usize,
        ask: impl FnOnce(&Documents<'_>, &Evidence, &Observations, Timestamp) -> T,
    ) -> T {
        let one = &self.nodes[node];
        let others = self.scene.others(one.plans.iter().copied(), plan);
        let (id, body) = &self.scene.plans[plan];
        let roster = &self.scene.rosters[one.roster];
        let documents = Documents { id, plan: body, roster, others, aborts: &one.aborts };
        let me = one.observations(plan, &self.ids);
        let evidence = self.books.as_ref().map_or(&one.evidence, |books| books.evidence(node));
        ask(&documents, evidence, &me, self.date(node))
    }

    /// The beat is over: the rule is asked again, and the effect follows at once.
    fn begin(&mut self, node: usize, plan: usize) -> Result<(), Violation> {
        let permit = self.with(node, plan, self.rule);
        let Ok(permit) = permit else { return Ok(()) };
        check::begins(self, node, plan)?;
        let excused = self.is_away_by_itself(node);
        self.says(node, plan, Event::Began { sum: permit.sum, heads: permit.heads });
        let part = self.part_mut(node, plan);
        (part.stage, part.excused) = (Stage::Begun, excused);
        self.interrupts(node, plan);
        check::budget(self)
    }

    /// A stop that wins over the step in hand says so in that plan's journal.
    fn interrupts(&mut self, node: usize, plan: usize) {
        if self.scene.plans[plan].1.schedule.is_none() {
            return;
        }
        let Some(other) = self.nodes[node].in_hand(plan, &self.ids) else { return };
        let restarts = matches!(self.scene.plans[other].1.action, Action::Start);
        let part = self.part_mut(node, other);
        part.interrupted = true;
        let back_to = if restarts { Stage::Begun } else { Stage::Stopped };
        part.stage = part.stage.min(back_to);
    }

    fn part_mut(&mut self, node: usize, plan: usize) -> &mut Part {
        self.nodes[node].parts.entry(plan).or_default()
    }

    fn says(&mut self, node: usize, plan: usize, event: Event) {
        let (date, id) = (self.date(node), self.ids[plan].clone());
        let signed = self.nodes[node].says(date, &id, event);
        if let Some(books) = &mut self.books {
            books.says(node, signed);
        }
    }

    fn reaches(&mut self, node: usize, plan: usize, stage: Stage, event: Option<Event>) {
        if let Some(event) = event {
            self.says(node, plan, event);
        }
        self.part_mut(node, plan).stage = stage;
    }

    fn carry_out(&mut self, node: usize, plan: usize, step: &Step, luck: u8) {
        // One step in sixteen fails; what has begun says so.
        let fails = luck / 16 == 0;
        match step {
            Step::Acknowledge { in_hand } => {
                let event = Event::Acknowledged { in_hand: in_hand.clone() };
                self.reaches(node, plan, Stage::Acknowledged, Some(event));
            }
            Step::Ask => {
                let since = Some(self.date(node));
                self.part_mut(node, plan).policy = Answer::Ask { since };
                self.says(node, plan, Event::Asked);
            }
            Step::Decline(reason) => {
                let event = Event::Declined { reason: reason.clone() };
                self.reaches(node, plan, Stage::Over(Final::Declined), Some(event));
            }
            Step::Prepare | Step::Stop | Step::Start if fails => self.fails(node, plan),
            Step::Prepare => self.reaches(node, plan, Stage::Prepared, Some(Event::Prepared)),
            Step::Begin(_) => self.nodes[node].on_beat = Some(plan),
            Step::Stop => {
                self.nodes[node].running = false;
                let stopped =
                    Event::Stopped { height: None, block_hash: None, exit: 0, beside: None };
                self.reaches(node, plan, Stage::Stopped, Some(stopped));
            }
            Step::Swap => self.reaches(node, plan, Stage::Swapped, None),
            Step::Start => {
                self.part_mut(node, plan).interrupted = false;
                self.starts(node);
                self.reaches(node, plan, Stage::Started, None);
            }
            Step::Test => {}
            Step::Commit => self.commits(node, plan),
        }
    }

    fn starts(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        (node.running, node.stopped_by, node.stuck_at) = (true, None, None);
    }

    fn fails(&mut self, node: usize, plan: usize) {
        let why = Why { code: "test", text: "bad luck".into() };
        self.says(node, plan, Event::Failed { code: why.code.into(), why: why.text.clone() });
        self.part_mut(node, plan).failed = Some(why);
    }

    fn undo(&mut self, node: usize, plan: usize) {
        let part = self.part_mut(node, plan);
        part.interrupted = false;
        if !std::mem::replace(&mut part.undoing, true) {
            // The first time it only begins to put the old node back.
            return;
        }
        if self.part_mut(node, plan).stage >= Stage::Begun {
            self.starts(node);
        }
        let back = Event::RolledBack(outcome());
        self.reaches(node, plan, Stage::Over(Final::RolledBack), Some(back));
    }

    fn commits(&mut self, node: usize, plan: usize) {
        // Who was away by himself before the stop is not taken down by it.
        let stops = matches!(self.scene.plans[plan].1.action, Action::Stop);
        if stops && !self.part_mut(node, plan).excused {
            self.nodes[node].stopped_by = Some(plan);
        }
        let done = Event::Done(outcome());
        self.reaches(node, plan, Stage::Over(Final::Done), Some(done));
    }

    fn calm(&mut self, who: u8, seconds: u8, withholds: bool) -> Result<(), Violation> {
        let who: Vec<usize> = (0..self.nodes.len()).filter(|node| who >> node & 1 == 1).collect();
        for _ in 0..=seconds {
            self.now_s += 1;
            who.iter().for_each(|node| self.beacon(*node));
            for node in &who {
                (0..self.nodes.len())
                    .for_each(|of| self.show(*node, of, 4, if withholds { 0 } else { 4 }));
                for plan in 0..self.nodes[*node].plans.len() {
                    self.act(*node, plan as u8, LUCK)?;
                }
            }
        }
        Ok(())
    }

    /// An honest controller and lucky nodes: everybody is shown everything each second. The
    /// first plan is known from the start, each further one comes `apart_s` later. It ends when
    /// nobody has signed anything for so long that nothing is waited for any more.
    ///
    /// # Errors
    /// A violation, or more nodes at work than the plan's pace, in words.
    pub fn calmly(&mut self, apart_s: usize, seconds: usize) -> Result<(), String> {
        let (mut signed, mut since) = (0, 0);
        for second in 0..seconds {
            self.now_s += 1;
            let all = self.nodes.iter().map(|node| node.receipts.len()).sum();
            if all != signed {
                (signed, since) = (all, second);
            } else if second - since > QUIET_S + apart_s {
                break;
            }
            let plans = self.ids.len().min(second / (apart_s + 1) + 1);
            for node in 0..self.nodes.len() {
                self.nodes[node].plans = (0..plans).collect();
                self.beacon(node);
            }
            for node in 0..self.nodes.len() {
                self.show_all(node);
                for plan in 0..plans {
                    self.act(node, plan as u8, LUCK).map_err(|violation| violation.to_string())?;
                }
                self.paced()?;
            }
        }
        Ok(())
    }

    /// Everybody has been given this plan, and nobody hears of anybody.
    ///
    /// # Errors
    /// The first violation.
    pub fn alone(&mut self, plan: usize, seconds: usize) -> Result<(), Violation> {
        (0..self.nodes.len()).for_each(|node| self.learn(node, plan as u8));
        for _ in 0..seconds {
            self.now_s += 1;
            for node in 0..self.nodes.len() {
                for known in 0..self.nodes[node].plans.len() {
                    self.act(node, known as u8, LUCK)?;
                }
            }
        }
        Ok(())
    }

    fn paced(&self) -> Result<(), String> {
        for (index, (id, plan)) in self.scene.plans.iter().enumerate() {
            let at_work = self.nodes.iter().filter(|node| node.part(index).is_at_work()).count();
            if at_work as u32 > plan.parallel {
                return Err(format!(
                    "{at_work} nodes at work under {id}, {} agreed",
                    plan.parallel
                ));
            }
        }
        Ok(())
    }

    /// How often somebody began.
    pub fn began(&self) -> usize {
        let receipts = self.nodes.iter().flat_map(|node| &node.receipts);
        receipts.filter(|receipt| matches!(receipt.event, Event::Began { .. })).count()
    }

    /// The index of a node among those with an agent.
    pub fn index(&self, name: &NodeName) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == *name)
    }
}

fn test(luck: u8) -> Test {
    let why = || Why { code: "test", text: "bad luck".into() };
    match luck % 16 {
        0 => Test::Fail(why()),
        1 => Test::NotYet(why()),
        2 => Test::CannotTell(why()),
        3 => Test::Holding,
        _ => Test::Pass,
    }
}
