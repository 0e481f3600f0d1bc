//! `muster why NODE|PLAN`: what is waited for, why, and what would end the wait.

use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::{NodeName, Plan};
use muster_proto::rule::Evidence;
use serde::Serialize;

use super::rollout::{NodeLine, Place, Rollout, WaveLine};
use super::words::{ago, count, labelled, moment, names};

/// Names shown before a list is shortened.
const SHOWN: usize = 5;

/// Why one node does what it does under one plan.
#[derive(Debug, Clone, Serialize)]
pub struct WhyNode {
    /// Whose.
    pub node: NodeName,
    /// Such as `hotfix/42`.
    pub plan: String,
    /// The plan's title.
    pub title: String,
    /// What happens to each node.
    pub action: &'static str,
    /// When this was judged.
    pub at: Timestamp,
    /// Its place in the order, counted from 1; none when it is in no wave.
    pub position: Option<usize>,
    /// How many stand in the order.
    pub of: usize,
    /// By when it goes at the latest, whoever can be reached; of an emergency only.
    pub slot: Option<Timestamp>,
    /// Its line in the rollout.
    pub line: Option<NodeLine>,
    /// Gates before its own wave.
    pub gates: Vec<WaveLine>,
    /// Who is at work now.
    pub at_work: Vec<NodeName>,
    /// Who counts as away by the rule, in the order or not, and why.
    pub away: Vec<(NodeName, String)>,
    /// What the node's own agent says, by its newest beacon.
    pub itself: Option<(String, Timestamp)>,
    #[serde(skip)]
    budget: String,
    #[serde(skip)]
    sources: String,
}

/// Reads one node out of a rollout.
pub fn why_node(rollout: &Rollout, plan: &Plan, evidence: &Evidence, node: &NodeName) -> WhyNode {
    let at = rollout.nodes.iter().position(|line| line.name == *node);
    let line = at.map(|at| rollout.nodes[at].clone());
    let wave =
        line.as_ref().and_then(|line| rollout.waves.iter().position(|wave| wave.name == line.wave));
    let of_place = |place: Place| rollout.nodes.iter().filter(move |line| line.place == place);
    let beacon = evidence.nodes.get(node).and_then(|facts| facts.beacon.as_ref());
    let doing = beacon.and_then(|beacon| {
        let mut all = beacon.doing.iter();
        let ours =
            all.find(|doing| (doing.plan.class, doing.plan.serial) == (plan.class, plan.serial));
        Some((ours?.text.clone(), beacon.at))
    });
    WhyNode {
        node: node.clone(),
        plan: rollout.plan.clone(),
        title: rollout.title.clone(),
        action: rollout.action,
        at: rollout.at,
        position: at.map(|at| at + 1),
        of: rollout.nodes.len(),
        slot: plan.slot(node),
        line,
        gates: wave.map(|wave| rollout.waves[..wave].to_vec()).unwrap_or_default(),
        at_work: of_place(Place::Now).map(|line| line.name.clone()).collect(),
        away: rollout.away.clone(),
        itself: doing,
        budget: match rollout.budget {
            None => "nothing is counted".into(),
            Some(seats) => count(seats as usize, "seat"),
        },
        sources: rollout.sources().to_owned(),
    }
}

impl fmt::Display for WhyNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(line) = &self.line else {
            writeln!(f, "plan {} has no part for {}", self.plan, self.node)?;
            return writeln!(f, "{}", labelled("told by", &self.sources));
        };
        let head = match line.place {
            Place::Waiting => format!("{} waits: {}", self.node, line.text),
            Place::Now => format!("{} is at work: {}", self.node, line.text),
            Place::Away => format!("{} is away: {}", self.node, line.text),
            _ => format!("{} {}: {}", self.node, line.place.word(), line.text),
        };
        writeln!(f, "{}", super::words::wrap(&head, 80, 2))?;
        let position = self.position.unwrap_or_default();
        let place = format!("{position} of {}, in wave {}", self.of, line.wave);
        let plan = format!("{} · {} · {} · {place}", self.plan, self.title, self.action);
        writeln!(f, "{}", labelled("plan", &plan))?;
        if let Some(slot) = self.slot.filter(|_| !line.place.is_final()) {
            let text = format!("{} at the latest, also when nobody can be reached", moment(slot));
            writeln!(f, "{}", labelled("goes", &text))?;
        }
        for (at, wave) in self.gates.iter().enumerate() {
            writeln!(f, "{}", labelled(if at == 0 { "needs" } else { "" }, &gate(wave)))?;
        }
        let at_work: Vec<_> = self.at_work.iter().map(NodeName::as_str).collect();
        writeln!(f, "{}", labelled("at work", &names(&at_work, SHOWN)))?;
        writeln!(f, "{}", labelled("away", &self.away_words()))?;
        if let Some((text, at)) = &self.itself {
            let text = format!("says {}: {text}", ago(*at, self.at));
            writeln!(f, "{}", labelled("itself", &text))?;
        }
        writeln!(f, "{}", labelled("told by", &self.sources))
    }
}

impl WhyNode {
    fn away_words(&self) -> String {
        let told = |(name, why): &(NodeName, String)| format!("{name} ({why})");
        let all: Vec<_> = self.away.iter().take(SHOWN).map(told).collect();
        let rest = match self.away.len().saturating_sub(SHOWN) {
            0 => String::new(),
            many => format!(" and {many} more"),
        };
        let who = if all.is_empty() { "nobody".into() } else { all.join(", ") + &rest };
        format!("{who}; budget: {}", self.budget)
    }
}

fn gate(wave: &WaveLine) -> String {
    let soak = match wave.soak_ms {
        0 => String::new(),
        ms => {
            format!(", {} of {} proved well for {}", wave.soaked, wave.gate, super::words::span(ms))
        }
    };
    let met = if wave.met { "met" } else { "NOT met" };
    format!("wave {}: {} of {} done{soak}: {met}", wave.name, wave.done, wave.gate)
}

/// Why a whole plan stands where it stands: nodes with one reason in one line.
#[derive(Debug, Clone, Serialize)]
pub struct WhyPlan {
    /// The rollout it is read from.
    #[serde(flatten)]
    pub rollout: Rollout,
    /// Who shares which reason, in the order of the plan.
    pub reasons: Vec<Shared>,
}

/// Nodes that share a reason.
#[derive(Debug, Clone, Serialize)]
pub struct Shared {
    /// Where they stand.
    pub place: Place,
    /// Who.
    pub nodes: Vec<NodeName>,
    /// Why.
    pub text: String,
}

/// Groups a rollout by reason; nodes whose part is over are left out.
pub fn why_plan(rollout: Rollout) -> WhyPlan {
    let mut reasons: Vec<Shared> = Vec::new();
    for line in rollout.nodes.iter().filter(|line| !line.place.is_final()) {
        match reasons.iter_mut().find(|one| (one.place, &one.text) == (line.place, &line.text)) {
            Some(shared) => shared.nodes.push(line.name.clone()),
            None => reasons.push(Shared {
                place: line.place,
                nodes: vec![line.name.clone()],
                text: line.text.clone(),
            }),
        }
    }
    WhyPlan { rollout, reasons }
}

impl fmt::Display for WhyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.rollout.headline())?;
        if let Some(reason) = self.rollout.aborted() {
            writeln!(f, "{}", labelled("aborted", reason))?;
        }
        if self.reasons.is_empty() {
            writeln!(f, "  everybody's part is over")?;
        }
        for shared in &self.reasons {
            let who: Vec<_> = shared.nodes.iter().map(NodeName::as_str).collect();
            let text = format!("{}: {}", names(&who, SHOWN), shared.text);
            writeln!(f, "{}", labelled(shared.place.word(), &text))?;
        }
        writeln!(f, "{}", labelled("told by", self.rollout.sources()))
    }
}
