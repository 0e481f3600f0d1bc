//! The simulated world: a queue of moments, one book of evidence, and everybody's decision.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use jiff::{SignedDuration, Timestamp};

use super::actor::Actor;
use super::options::Options;
use super::random::Random;
use super::seats::Seats;
use super::timeline::{Entry, Never, Timeline, What};
use super::wait::{Facts, Until};
use crate::documents::plan::{Action, Budget};
use crate::documents::{Digest, NO_ABORTS, NodeName, Plan, PlanId, Roster};
use crate::evidence::{Beacon, Event, beacon};
use crate::rule::decision::{Decision, Final, Stage};
use crate::rule::facts::{Documents, Evidence, NodeFacts};
use crate::rule::reason::Reason;
use crate::rule::{decide, plans};

/// Height at the first moment; any number does.
const FIRST_HEIGHT: u64 = 1_000_000;

/// Something that happens at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Ask what to do now.
    Ask,
    /// The step under way is over.
    Stepped(Doing),
    /// A node that was done crashes.
    Crash,
}

/// A step that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    Acknowledge,
    Prepare,
    Beat,
    Stop,
    Swap,
    Start,
    CatchUp,
    Hold,
    Commit,
    Undo,
}

pub(super) struct World<'a> {
    pub(super) plan: Plan,
    id: PlanId,
    roster: &'a Roster,
    others: BTreeMap<PlanId, Plan>,
    pub(super) options: &'a Options,
    evidence: Evidence,
    pub(super) actors: Vec<Actor>,
    index: BTreeMap<NodeName, usize>,
    waves: BTreeMap<String, usize>,
    done: Vec<u32>,
    pub(super) seats: Seats,
    queue: BinaryHeap<Reverse<(u64, u64, usize, Due)>>,
    order_of_events: u64,
    pub(super) now_ms: u64,
    pub(super) random: Random,
    entries: Vec<Entry>,
    owing: usize,
    over: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &Plan, roster: &'a Roster, options: &'a Options) -> Self {
        // What this plan comes after, or replaces, is not part of this world: it is over.
        let plan = Plan { after: vec![], supersedes: vec![], ..plan.clone() };
        let waves: BTreeMap<_, _> = plan.order().map(|(wave, node)| (node.clone(), wave)).collect();
        let managed = plan.members.iter().enumerate().filter(|(_, member)| member.key.is_some());
        let actor = |(index, member): (usize, &crate::documents::plan::Member)| {
            Actor::new(index, member, waves.get(&member.name).copied(), options)
        };
        let actors: Vec<Actor> = managed.map(actor).collect();
        let index = actors.iter().enumerate().map(|(i, actor)| (actor.me.me.clone(), i)).collect();
        let names = plan.waves.iter().enumerate().map(|(i, wave)| (wave.name.clone(), i));
        Self {
            id: PlanId {
                class: plan.class,
                serial: plan.serial,
                digest: Digest::of(plan.title.as_bytes()),
            },
            waves: names.collect(),
            done: vec![0; plan.waves.len()],
            seats: Seats::new(&plan),
            owing: actors.iter().filter(|actor| !actor.absent).count(),
            plan,
            roster,
            others: BTreeMap::new(),
            options,
            evidence: Evidence::default(),
            actors,
            index,
            queue: BinaryHeap::new(),
            order_of_events: 0,
            now_ms: 0,
            random: Random::new(options.seed),
            entries: Vec::new(),
            over: false,
        }
    }

    /// Plays until nothing changes any more.
    pub(super) fn play(mut self) -> Timeline {
        self.begin();
        let patience = self.plan.absent_after_ms.max(self.plan.beacon.stale_ms) + 1;
        loop {
            self.play_queue();
            let before = self.order_of_events;
            // Nobody moves by himself any more. Time alone may still free somebody.
            self.now_ms += patience;
            self.everybody_asks();
            self.play_queue();
            if self.queue.is_empty() && self.is_quiet_since(before) {
                return self.told();
            }
        }
    }

    fn begin(&mut self) {
        let starts_down = matches!(self.plan.action, Action::Start);
        for i in 0..self.actors.len() {
            let actor = &self.actors[i];
            if actor.absent {
                continue;
            }
            let up = !(starts_down && actor.wave.is_some());
            self.actors[i].running = up;
            if up {
                self.rises(i);
            }
            self.schedule_in(0, i, Due::Ask);
        }
        self.seats.watch();
    }

    fn play_queue(&mut self) {
        while let Some(Reverse((at, _, actor, due))) = self.queue.pop() {
            self.now_ms = self.now_ms.max(at);
            match due {
                Due::Ask => self.ask(actor),
                Due::Stepped(doing) => self.stepped(actor, doing),
                Due::Crash => self.crash(actor),
            }
        }
    }

    pub(super) fn everybody_asks(&mut self) {
        for i in 0..self.actors.len() {
            if self.actors[i].until.take().is_some() {
                self.schedule_in(0, i, Due::Ask);
            }
        }
    }

    /// Nothing was scheduled since but those questions.
    fn is_quiet_since(&self, before: u64) -> bool {
        let asked = self.actors.iter().filter(|actor| actor.until.is_some()).count() as u64;
        self.order_of_events <= before + asked
    }

    pub(super) fn schedule_in(&mut self, ms: u64, actor: usize, due: Due) {
        self.order_of_events += 1;
        let at = self.now_ms.saturating_add(ms);
        self.queue.push(Reverse((at, self.order_of_events, actor, due)));
    }

    /// Asks the rule what the actor does now.
    pub(super) fn decision(&mut self, actor: usize) -> Decision {
        self.beacons();
        let documents = Documents {
            id: &self.id,
            plan: &self.plan,
            roster: self.roster,
            others: &self.others,
            aborts: &NO_ABORTS,
        };
        decide(&documents, &self.evidence, &self.actors[actor].me, self.date())
    }

    pub(super) fn date(&self) -> Timestamp {
        let since = SignedDuration::from_millis(i64::try_from(self.now_ms).unwrap_or(i64::MAX));
        self.plan.valid.from.saturating_add(since).unwrap_or(Timestamp::MAX)
    }

    /// Everybody who is there says how he is; the newest beacon is all that counts.
    fn beacons(&mut self) {
        let at = self.date();
        let height = FIRST_HEIGHT + self.now_ms / self.options.times.block_ms.max(1);
        for actor in self.actors.iter().filter(|actor| !actor.absent) {
            let told = actor.well.then_some(height);
            if let Some(facts) = self.evidence.nodes.get_mut(&actor.me.me)
                && let Some(beacon) = &mut facts.beacon
            {
                if beacon.at == at && beacon.health.height == told {
                    continue;
                }
                beacon.at = at;
                beacon.health.running = actor.running;
                beacon.health.height = told;
                facts.recent.clear();
                facts.recent.extend(told.map(|height| (at, height)));
                continue;
            }
            let facts = NodeFacts {
                beacon: Some(first_beacon(&self.plan, actor, at)),
                ..NodeFacts::default()
            };
            self.evidence.nodes.insert(actor.me.me.clone(), facts);
        }
    }

    /// A receipt that everybody learns of.
    pub(super) fn says(&mut self, actor: usize, event: &Event) {
        let at = self.date();
        let name = self.actors[actor].me.me.clone();
        let facts = self.evidence.nodes.entry(name).or_default();
        facts.plans.entry(self.id.clone()).or_default().fold(at, event);
        if matches!(event, Event::Acknowledged { .. }) {
            self.owing -= 1;
            if self.owing == 0 {
                let there = self.actors.iter().filter(|actor| !actor.absent).count();
                self.tell(None, What::Acknowledged { nodes: there as u32 });
            }
        }
        self.changed(actor);
    }

    /// Others may learn something of the actor: who waits for that asks again.
    pub(super) fn changed(&mut self, actor: usize) {
        self.actors[actor].version += 1;
        for i in 0..self.actors.len() {
            let over = self.actors[i].until.as_ref().is_some_and(|until| until.is_over(self));
            if over {
                self.actors[i].until = None;
                let travel = self.random.within(self.options.times.travel);
                self.schedule_in(travel, i, Due::Ask);
            }
        }
    }

    /// The actor's seat is there again.
    pub(super) fn rises(&mut self, actor: usize) {
        if !std::mem::replace(&mut self.actors[actor].well, true) {
            self.actors[actor].back_ms = Some(self.now_ms);
            self.seats.comes(self.actors[actor].member);
            self.changed(actor);
        }
    }

    /// The actor's seat is gone.
    pub(super) fn falls(&mut self, actor: usize) {
        self.actors[actor].running = false;
        if std::mem::replace(&mut self.actors[actor].well, false) {
            self.seats.goes(self.actors[actor].member, self.now_ms);
            self.changed(actor);
        }
    }

    pub(super) fn tell(&mut self, actor: Option<usize>, what: What) {
        let node = actor.map(|actor| self.actors[actor].me.me.clone());
        self.entries.push(Entry { at_ms: self.now_ms, node, seats: self.seats.online(), what });
    }

    /// Nobody begins any more; told once.
    pub(super) fn ends(&mut self, reason: &Reason) {
        if !std::mem::replace(&mut self.over, true) {
            self.tell(None, What::Over { why: reason.to_string() });
        }
    }

    /// One more of a wave is done.
    pub(super) fn counts(&mut self, actor: usize) {
        self.actors[actor].done_ms = Some(self.now_ms);
        let Some(wave) = self.actors[actor].wave else { return };
        self.done[wave] += 1;
        let (done, terms) = (self.done[wave], &self.plan.waves[wave]);
        if done == terms.done {
            let last = wave + 1 == self.plan.waves.len();
            let soak_ms = if last { 0 } else { terms.soak_ms };
            self.tell(None, What::Gate { wave: terms.name.clone(), done, soak_ms });
        }
    }

    /// When the wave's soak is proved, if everybody stays well.
    pub(super) fn soaked_at(&self, wave: &str) -> Option<u64> {
        let wave = self.wave(wave)?;
        let terms = &self.plan.waves[wave];
        let mine = self.actors.iter().filter(|actor| actor.wave == Some(wave));
        let mut dates: Vec<u64> = mine.filter_map(|actor| actor.done_ms).collect();
        dates.sort_unstable();
        let last = dates.get((terms.done as usize).checked_sub(1)?)?;
        Some(last + terms.soak_ms)
    }

    fn told(mut self) -> Timeline {
        let never = self.never();
        let outcome = |how: Final| {
            let ended = self.actors.iter().filter(|actor| actor.me.stage == Stage::Over(how));
            ended.count() as u32
        };
        let (fewest_seats, fewest_at_ms) = self.seats.fewest();
        Timeline {
            plan: self.id.to_string(),
            title: self.plan.headline(),
            action: self.plan.action.word().into(),
            nodes: self.plan.order().count() as u32,
            waves: self.plan.waves.len() as u32,
            parallel: self.plan.parallel,
            budget: match self.plan.budget {
                Budget::Seats(seats) if !self.plan.action.only_gives() => Some(seats),
                _ => None,
            },
            seats: self.seats.all(),
            quorum: self.seats.quorum(),
            seed: self.options.seed,
            fewest_seats,
            fewest_at_ms,
            duration_ms: self.entries.last().map_or(0, |entry| entry.at_ms),
            complete: plans::is_complete(&self.plan, &self.id, &self.evidence),
            done: outcome(Final::Done),
            rolled_back: outcome(Final::RolledBack),
            declined: outcome(Final::Declined),
            never,
            entries: self.entries,
        }
    }

    fn never(&mut self) -> Vec<Never> {
        let ordered: Vec<NodeName> = self.plan.order().map(|(_, node)| node.clone()).collect();
        let mut never = Vec::new();
        for node in ordered {
            let Some(&i) = self.index.get(&node) else {
                never.push(Never { node, began: false, why: "no agent".into() });
                continue;
            };
            let stage = self.actors[i].me.stage;
            if !matches!(stage, Stage::Over(_)) {
                let (began, why) = (stage >= Stage::Begun, self.why(i));
                never.push(Never { node, began, why });
            }
        }
        never
    }

    fn why(&mut self, actor: usize) -> String {
        if self.actors[actor].absent {
            return "absent".into();
        }
        if let Some(why) = &self.actors[actor].stuck {
            return format!("stuck: {why}");
        }
        match self.decision(actor) {
            Decision::Wait(reason) => reason.to_string(),
            Decision::Stuck(why) | Decision::Undo(why) => why.to_string(),
            Decision::Do(_) | Decision::Finished(_) => "the world ended".into(),
        }
    }
}

impl Facts for World<'_> {
    fn index(&self, node: &NodeName) -> Option<usize> {
        self.index.get(node).copied()
    }

    fn holds_turn(&self, actor: usize) -> bool {
        let actor = &self.actors[actor];
        actor.me.failed.is_none() && !matches!(actor.me.stage, Stage::Over(_))
    }

    fn version(&self, actor: usize) -> u32 {
        self.actors[actor].version
    }

    fn done(&self, wave: usize) -> u32 {
        self.done[wave]
    }

    fn wave(&self, name: &str) -> Option<usize> {
        self.waves.get(name).copied()
    }

    fn chain_advances(&self) -> bool {
        self.seats.chain_advances()
    }
}

impl World<'_> {
    /// What the actor waits for from now on.
    pub(super) fn rests(&mut self, actor: usize, until: Until) {
        self.actors[actor].until = Some(until);
    }
}

fn first_beacon(plan: &Plan, actor: &Actor, at: Timestamp) -> Beacon {
    let height = actor.well.then_some(FIRST_HEIGHT);
    Beacon {
        muster: "beacon/v1".into(),
        network: plan.network.clone(),
        node: actor.me.me.clone(),
        counter: 1,
        at,
        health: beacon::Health { running: actor.running, height, ..Default::default() },
        head: None,
        newest: BTreeMap::new(),
        doing: vec![],
        emergency: None,
    }
}
