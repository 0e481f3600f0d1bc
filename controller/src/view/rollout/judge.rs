//! From the rule's progress to the rollout as people see it. Reasons and counts come from the
//! rule, never from here.

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use muster_proto::documents::plan::Budget;
use muster_proto::rule::away::Away;
use muster_proto::rule::progress::{NodeProgress, WaveProgress};
use muster_proto::rule::{
    Documents, Evidence, Final, PlanFacts, PlanProgress, Reason, Stage, progress,
};

use super::stop::stopping;
use super::{NodeLine, Place, Rollout, State, Trend, WaveLine};
use crate::view::told::Told;
use crate::view::words::{age_ms, ago, span};

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
    let progress = progress(&input.documents, input.evidence, now);
    let scene = Scene { input, now };
    let nodes: Vec<_> = progress.nodes.iter().map(|node| scene.node(node)).collect();
    let state = scene.state(&progress, &nodes);
    let holds = input.told.holds(now).into_iter();
    let holds = holds.filter(|hold| (hold.class, hold.serial) == (plan.class, plan.serial));
    Rollout {
        plan: format!("{}/{}", plan.class, plan.serial),
        title: plan.headline(),
        action: plan.action.word(),
        at: now,
        running_ms: scene.running(&state),
        left_ms: scene.left(&nodes),
        state,
        waves: progress.waves.iter().map(wave).collect(),
        stopping: stopping(input, &nodes, now),
        away: who_is_away(&progress, plan.action.only_gives()),
        nodes,
        budget: match plan.budget {
            Budget::Seats(seats) if !plan.action.only_gives() => Some(seats),
            _ => None,
        },
        seats: progress.seats,
        seats_up: progress.seats_online,
        fewest: input.trend.fewest,
        height: input.trend.tip.map(|(height, _)| height),
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
    now: Timestamp,
}

impl<'a> Scene<'a> {
    fn facts(&self, name: &NodeName) -> Option<&'a PlanFacts> {
        self.input.evidence.plan(name, self.input.documents.id)
    }

    fn node(&self, node: &NodeProgress) -> NodeLine {
        let place = place(node, self.input.documents.plan.action.only_gives());
        // Who is stopped stays away; the time that it took says nothing.
        let stops = self.input.documents.plan.leaves_down();
        let away_ms = self.facts(&node.node).and_then(away).filter(|_| !stops);
        let (text, told) = self.words(node, place, away_ms);
        NodeLine {
            name: node.node.clone(),
            wave: self.input.documents.plan.waves[node.wave].name.clone(),
            place,
            since: node.since,
            text,
            told,
            in_line: matches!(node.waits, Some(Reason::Turn { .. })),
            away_ms,
        }
    }

    /// The line as shown now, and the same without anything that changes by the second.
    fn words(&self, node: &NodeProgress, place: Place, away_ms: Option<u64>) -> (String, String) {
        let when = node.since.map_or(String::new(), |at| format!(", {}", ago(at, self.now)));
        let away = away_ms.map_or(String::new(), |ms| format!(", away for {}", span(ms)));
        match place {
            Place::Done => (format!("done{when}{away}"), format!("done{away}")),
            Place::RolledBack => (format!("rolled back{when}{away}"), format!("rolled back{away}")),
            Place::Declined => (format!("takes no part{when}"), "takes no part".into()),
            Place::Now | Place::Failed => {
                let stage = stage(node);
                let said = self.doing(&node.node).unwrap_or_else(|| stage.into());
                (format!("{said}{when}"), stage.into())
            }
            Place::Asking => (format!("asks its operator{when}"), "asks its operator".into()),
            Place::Away => {
                let away = node.away.map_or("not well".into(), |away| away.to_string());
                (away.clone(), short(&away))
            }
            Place::Waiting => {
                let reason = match &node.waits {
                    Some(reason) => reason_words(reason),
                    None => self.doing(&node.node).unwrap_or("the rule allows it to go on".into()),
                };
                (reason.clone(), short(&reason))
            }
        }
    }

    /// What the agent itself says it does under this plan.
    fn doing(&self, name: &NodeName) -> Option<String> {
        let beacon = self.input.evidence.nodes.get(name)?.beacon.as_ref()?;
        let doing = beacon.doing.iter().find(|doing| doing.plan == *self.input.documents.id)?;
        Some(doing.text.clone())
    }

    fn state(&self, progress: &PlanProgress, nodes: &[NodeLine]) -> State {
        let failed = progress.nodes.iter().filter(|node| has_failed(node)).count() as u32;
        let settled = |node: &NodeLine| node.place.is_final() || node.place == Place::Away;
        let done = progress.complete && nodes.iter().all(settled);
        match &progress.over {
            Some(Reason::Over { failures, tolerated }) if failed > *tolerated || !done => {
                let (failures, tolerated) = (*failures, *tolerated);
                return State::Over { failures, tolerated, lasting: failed > tolerated };
            }
            Some(Reason::Aborted(reason)) if !done => return State::Aborted(reason.clone()),
            Some(Reason::Superseded(by)) if !done => return State::Superseded(by.to_string()),
            Some(Reason::Expired(_)) if !done => return State::Expired,
            _ => {}
        }
        let from = self.input.documents.plan.valid.from;
        let begun = nodes
            .iter()
            .any(|node| !matches!(node.place, Place::Waiting | Place::Away | Place::Asking));
        match begun {
            _ if done => State::Done,
            _ if self.now < from => State::NotYetValid(from),
            true => State::Running,
            false => State::Waiting,
        }
    }

    fn every(&self) -> impl Iterator<Item = &'a PlanFacts> + '_ {
        self.input.documents.plan.order().filter_map(|(_, name)| self.facts(name))
    }

    fn running(&self, state: &State) -> Option<u64> {
        let first = self.every().filter_map(|facts| facts.began).min()?;
        let last = self.every().filter_map(|facts| facts.outcome).map(|(_, at)| at).max();
        Some(age_ms(first, last.filter(|_| state.is_over()).unwrap_or(self.now)))
    }

    /// What the rest takes when it goes on as it went so far.
    fn left(&self, nodes: &[NodeLine]) -> Option<u64> {
        let first = self.every().filter_map(|facts| facts.began).min()?;
        let last = self.every().filter_map(|facts| facts.outcome).map(|(_, at)| at).max()?;
        let over = nodes.iter().filter(|node| node.place == Place::Done).count() as u64;
        let open = nodes.iter().filter(|node| !node.place.is_final()).count() as u64;
        let each = age_ms(first, last).checked_div(over)?;
        (open > 0).then_some(each * open)
    }
}

fn place(node: &NodeProgress, only_gives: bool) -> Place {
    match node.stage {
        Stage::Over(Final::Done) => Place::Done,
        Stage::Over(Final::RolledBack) => Place::RolledBack,
        Stage::Over(Final::Declined) => Place::Declined,
        _ if node.failed => Place::Failed,
        stage if stage >= Stage::Begun => Place::Now,
        _ if matches!(node.waits, Some(Reason::Operator)) => Place::Asking,
        _ if node.away.is_some_and(|away| counts(away, only_gives)) => Place::Away,
        _ => Place::Waiting,
    }
}

/// A start is for nodes that are down: heard is enough to be there.
fn counts(away: Away, only_gives: bool) -> bool {
    !only_gives || !away.takes_nothing()
}

fn who_is_away(progress: &PlanProgress, only_gives: bool) -> Vec<(NodeName, String)> {
    let away = progress.away.iter().filter(|(_, away)| counts(*away, only_gives));
    away.map(|(name, away)| (name.clone(), away.to_string())).collect()
}

fn has_failed(node: &NodeProgress) -> bool {
    node.failed || node.outcome() == Some(Final::RolledBack)
}

fn wave(wave: &WaveProgress) -> WaveLine {
    WaveLine {
        name: wave.name.clone(),
        nodes: wave.nodes,
        done: wave.gate.done,
        gate: wave.gate.needed,
        soak_ms: wave.soak_ms,
        soaked: wave.gate.soaked,
        met: wave.gate.is_met(),
    }
}

/// How long it was away, by its own receipts.
fn away(facts: &PlanFacts) -> Option<u64> {
    let (stopped, (last, at)) = (facts.stopped?, facts.outcome?);
    (last != Final::Declined).then(|| age_ms(stopped, at))
}

/// The newest fact that its receipts tell.
fn stage(node: &NodeProgress) -> &'static str {
    match node.stage {
        _ if node.failed => "failed; its last word is not spoken yet",
        Stage::Verified => "not acknowledged yet",
        Stage::Acknowledged => "acknowledged",
        Stage::Prepared => "prepared",
        Stage::Begun => "began",
        Stage::Stopped => "stopped",
        Stage::Swapped => "files swapped",
        Stage::Started => "started",
        Stage::Passed => "self-test passed",
        Stage::Over(_) => "its part is over",
    }
}

/// The rule's reason, with times as people read them.
fn reason_words(reason: &Reason) -> String {
    match reason {
        Reason::Soak { wave, soaked, gate, soak_ms } => {
            let soak = span(*soak_ms);
            format!("wave {wave} soaks {soak}: {soaked} of {gate} proved well for so long")
        }
        Reason::NotYetValid(from) => format!("the plan is valid from {}", super::moment(*from)),
        other => other.to_string(),
    }
}

/// Without digits, so that a count that grows by the second is no news.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}
