//! From evidence to the rollout as it stands. Reasons come from the rule, never from here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_proto::documents::plan::{Plan, Wave};
use muster_proto::documents::NodeName;
use muster_proto::rule::{
    Decision, Documents, Evidence, Final, PlanFacts, Reason, decide, from_outside,
};

use super::{NodeLine, Place, Rollout, State, Trend, WaveLine};
use crate::view::standing::{Measure, Standing, median, standing};
use crate::view::told::Told;
use crate::view::words::{ago, span};

/// What the report is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The plan, the newest roster, and all other plans.
    pub documents: Documents<'a>,
    /// Verified receipts and beacons.
    pub evidence: &'a Evidence,
    /// The boards' own words.
    pub told: &'a Told,
    /// What was seen so far.
    pub trend: &'a Trend,
}

/// Judges the rollout.
pub fn rollout(input: Input<'_>, now: Timestamp) -> Rollout {
    let plan = input.documents.plan;
    let scene = Scene::of(input, now);
    let nodes: Vec<_> = plan.order().map(|(wave, name)| scene.node(wave, name)).collect();
    let waves: Vec<_> = plan.waves.iter().map(|wave| scene.wave(wave)).collect();
    let seats = |counts: &dyn Fn(&NodeName) -> bool| {
        let held = plan.members.iter().filter(|member| counts(&member.name));
        held.filter_map(|member| member.seat.as_ref()).collect::<BTreeSet<_>>().len()
    };
    let state = scene.state(&waves, &nodes);
    let holds = input.told.holds(now).into_iter();
    let holds = holds.filter(|hold| (hold.class, hold.serial) == (plan.class, plan.serial));
    Rollout {
        plan: format!("{}/{}", plan.class, plan.serial),
        title: plan.title.clone(),
        action: plan.action.word(),
        at: now,
        running_ms: scene.running(&state),
        left_ms: scene.left(&nodes),
        state,
        waves,
        nodes,
        seats: seats(&|_| true),
        seats_up: seats(&|name| scene.up(name)),
        fewest: input.trend.fewest,
        height: scene.median,
        block_at: input.trend.tip.map(|(_, at)| at),
        longest_gap_ms: input.trend.longest_gap_ms,
        holds: holds.collect(),
        boards: input.told.boards.clone(),
        sources: input.told.sources(now),
    }
}

/// Everything that the lines of one rollout share.
struct Scene<'a> {
    input: Input<'a>,
    standings: BTreeMap<NodeName, Standing>,
    median: Option<u64>,
    now: Timestamp,
}

impl<'a> Scene<'a> {
    fn of(input: Input<'a>, now: Timestamp) -> Self {
        let (evidence, roster) = (input.evidence, input.documents.roster);
        let measure = Measure::of(input.documents.plan);
        let median = median(evidence, measure, now);
        let judge = |node: &muster_proto::documents::roster::Node| {
            (node.name.clone(), standing(node, evidence, measure, median, now))
        };
        let standings = roster.nodes.iter().map(judge).collect();
        Self { input, standings, median, now }
    }

    fn plan(&self) -> &'a Plan {
        self.input.documents.plan
    }

    fn facts(&self, name: &NodeName) -> Option<&'a PlanFacts> {
        self.input.evidence.nodes.get(name)?.plans.get(self.input.documents.id)
    }

    fn up(&self, name: &NodeName) -> bool {
        self.standings.get(name) == Some(&Standing::Well)
    }

    fn decision(&self, name: &NodeName) -> Decision {
        let Input { documents, evidence, .. } = self.input;
        let me = from_outside(&documents, evidence, name, self.now);
        decide(&documents, evidence, &me, self.now)
    }

    fn node(&self, wave: usize, name: &NodeName) -> NodeLine {
        let none = PlanFacts::default();
        let facts = self.facts(name).unwrap_or(&none);
        let (place, since) = self.place(name, facts);
        let (text, told) = self.words(name, facts, place, since);
        NodeLine {
            name: name.clone(),
            wave: self.plan().waves[wave].name.clone(),
            place,
            since,
            text,
            told,
            away_ms: away(facts),
        }
    }

    fn place(&self, name: &NodeName, facts: &PlanFacts) -> (Place, Option<Timestamp>) {
        if let Some((last, at)) = facts.outcome {
            let place = match last {
                Final::Done => Place::Done,
                Final::RolledBack => Place::RolledBack,
                Final::Declined => Place::Declined,
            };
            return (place, Some(at));
        }
        if facts.failed.is_some() {
            return (Place::Failed, facts.failed);
        }
        if facts.began.is_some() {
            return (Place::Now, facts.stopped.or(facts.began));
        }
        match self.standings.get(name) {
            Some(Standing::Well | Standing::NoHeight) => {}
            _ if self.plan().action.only_gives() && self.heard(name) => {}
            _ => return (Place::Away, None),
        }
        match facts.asked {
            Some(at) => (Place::Asking, Some(at)),
            None => (Place::Waiting, facts.prepared),
        }
    }

    /// Its agent is there, whatever its node does.
    fn heard(&self, name: &NodeName) -> bool {
        use Standing::{NeverHeard, NoAgent, Quarantined, Silent};
        !matches!(
            self.standings.get(name),
            None | Some(NeverHeard | NoAgent | Quarantined | Silent { .. })
        )
    }

    /// The line as shown now, and the same without anything that changes by the second.
    fn words(
        &self,
        name: &NodeName,
        facts: &PlanFacts,
        place: Place,
        since: Option<Timestamp>,
    ) -> (String, String) {
        let when = since.map_or(String::new(), |at| format!(", {}", ago(at, self.now)));
        match place {
            Place::Done | Place::RolledBack => {
                let away = away(facts).map_or(String::new(), |ms| format!(", away for {}", span(ms)));
                let word = if place == Place::Done { "done" } else { "rolled back" };
                (format!("{word}{when}{away}"), format!("{word}{away}"))
            }
            Place::Declined => (format!("takes no part{when}"), "takes no part".into()),
            Place::Now | Place::Failed => {
                let said = self.doing(name).unwrap_or_else(|| stage(facts).into());
                (format!("{said}{when}"), stage(facts).into())
            }
            Place::Asking => (format!("asks its operator{when}"), "asks its operator".into()),
            Place::Away => self.absence(name),
            Place::Waiting => {
                let reason = self.reason(name);
                (reason.clone(), reason)
            }
        }
    }

    fn absence(&self, name: &NodeName) -> (String, String) {
        match self.standings.get(name) {
            Some(standing @ Standing::Silent { .. }) => (standing.because(), "silent".into()),
            Some(standing) => (standing.because(), standing.text()),
            None => ("the newest roster does not list it".into(), "not listed".into()),
        }
    }

    /// What the agent itself says it does under this plan.
    fn doing(&self, name: &NodeName) -> Option<String> {
        let beacon = self.input.evidence.nodes.get(name)?.beacon.as_ref()?;
        let doing = beacon.doing.iter().find(|doing| doing.plan == *self.input.documents.id)?;
        Some(doing.text.clone())
    }

    /// Why it waits, by the rule.
    fn reason(&self, name: &NodeName) -> String {
        match self.decision(name) {
            Decision::Wait(reason) => reason.to_string(),
            Decision::Do(step) => format!("its next step is {}", step_words(&step)),
            Decision::Undo(why) | Decision::Stuck(why) => why.to_string(),
            Decision::Finished(_) => "its part is over".into(),
        }
    }

    fn wave(&self, wave: &Wave) -> WaveLine {
        let done_at = |name: &NodeName| match self.facts(name)?.outcome {
            Some((Final::Done, at)) => Some(at),
            _ => None,
        };
        let proved = |name: &&NodeName| {
            let beacon = self.input.evidence.nodes.get(name).and_then(|facts| facts.beacon.as_ref());
            let soaked = |at| beacon.is_some_and(|b| crate::view::words::age_ms(at, b.at) >= wave.soak_ms);
            done_at(name).is_some_and(soaked) && self.up(name)
        };
        let done = wave.nodes.iter().filter(|name| done_at(name).is_some()).count() as u32;
        let soaking =
            (wave.soak_ms > 0).then(|| wave.nodes.iter().filter(proved).count() as u32);
        WaveLine {
            name: wave.name.clone(),
            nodes: wave.nodes.len(),
            done,
            gate: wave.done,
            soaking,
            met: done >= wave.done && soaking.is_none_or(|proved| proved >= wave.done),
        }
    }

    fn state(&self, waves: &[WaveLine], nodes: &[NodeLine]) -> State {
        let open = nodes.iter().filter(|node| !node.place.is_final());
        for node in open {
            match self.decision(&node.name) {
                Decision::Wait(Reason::Over { failures, tolerated }) => {
                    return State::Over { failures, tolerated };
                }
                Decision::Wait(Reason::Superseded(by)) => return State::Superseded(by.to_string()),
                _ => {}
            }
        }
        let failures = nodes.iter().filter(|n| matches!(n.place, Place::RolledBack | Place::Failed));
        let (failures, tolerated) = (failures.count() as u32, self.plan().failures.tolerate);
        if failures > tolerated {
            return State::Over { failures, tolerated };
        }
        let settled = |node: &NodeLine| node.place.is_final() || node.place == Place::Away;
        if waves.iter().all(|wave| wave.met) && nodes.iter().all(settled) {
            return State::Done;
        }
        let valid = self.plan().valid;
        match nodes.iter().any(|node| node.place == Place::Now || node.place == Place::Failed) {
            _ if self.now < valid.from => State::NotYetValid(valid.from),
            false if self.now >= valid.until => State::Expired,
            false if nodes.iter().all(|node| !node.place.is_final()) => State::Waiting,
            _ => State::Running,
        }
    }

    fn every(&self) -> impl Iterator<Item = &'a PlanFacts> + '_ {
        self.plan().order().filter_map(|(_, name)| self.facts(name))
    }

    fn running(&self, state: &State) -> Option<u64> {
        let first = self.every().filter_map(|facts| facts.began).min()?;
        let last = self.every().filter_map(|facts| facts.outcome).map(|(_, at)| at).max();
        let end = last.filter(|_| state.is_over()).unwrap_or(self.now);
        Some(crate::view::words::age_ms(first, end))
    }

    /// What the rest takes when it goes on as it went so far.
    fn left(&self, nodes: &[NodeLine]) -> Option<u64> {
        let first = self.every().filter_map(|facts| facts.began).min()?;
        let over = nodes.iter().filter(|node| node.place == Place::Done).count() as u64;
        let open = nodes.iter().filter(|node| !node.place.is_final()).count() as u64;
        let last = self.every().filter_map(|facts| facts.outcome).map(|(_, at)| at).max()?;
        let each = crate::view::words::age_ms(first, last).checked_div(over)?;
        (open > 0).then_some(each * open)
    }
}

/// How long it was away, by its own receipts.
fn away(facts: &PlanFacts) -> Option<u64> {
    let (stopped, (last, at)) = (facts.stopped?, facts.outcome?);
    (last != Final::Declined).then(|| crate::view::words::age_ms(stopped, at))
}

/// The newest fact its receipts tell.
fn stage(facts: &PlanFacts) -> &'static str {
    match facts {
        PlanFacts { failed: Some(_), .. } => "failed; its last word is not spoken yet",
        PlanFacts { stopped: Some(_), .. } => "stopped",
        PlanFacts { began: Some(_), .. } => "began",
        PlanFacts { prepared: Some(_), .. } => "prepared",
        PlanFacts { acknowledged: Some(_), .. } => "acknowledged",
        _ => "not acknowledged yet",
    }
}

fn step_words(step: &muster_proto::rule::Step) -> &'static str {
    use muster_proto::rule::Step;
    match step {
        Step::Acknowledge { .. } => "to acknowledge the plan",
        Step::Ask => "to ask its operator",
        Step::Decline(_) => "to say that it takes no part",
        Step::Prepare => "to prepare",
        Step::Begin(_) => "to begin: the rule allows it",
        Step::Stop => "to stop the container",
        Step::Swap => "to swap the files",
        Step::Start => "to start the container",
        Step::Test => "its self-test",
        Step::Commit => "to commit",
    }
}
