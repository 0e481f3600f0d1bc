//! How a node stands, judged from its newest beacon alone, in one word.

use jiff::Timestamp;
use muster_proto::documents::plan::{BeaconTerms, HealthTerms, Plan};
use muster_proto::documents::roster::Node;
use muster_proto::evidence::Beacon;
use muster_proto::rule::{Evidence, NodeFacts};
use serde::Serialize;

use super::words::{age_ms, count, span};

/// By what measure a beacon is stale or a node behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Older beacons are stale, in milliseconds.
    pub stale_ms: u64,
    /// Clocks may differ by this, in milliseconds.
    pub skew_ms: u64,
    /// Blocks behind the median that are still well.
    pub lag_blocks: u64,
}

impl Measure {
    /// While no plan says otherwise: the values of the example plan in the design.
    pub const USUAL: Self = Self { stale_ms: 10_000, skew_ms: 5_000, lag_blocks: 10 };

    /// As `plan` judges.
    pub fn of(plan: &Plan) -> Self {
        let BeaconTerms { stale_ms, skew_ms, .. } = plan.beacon;
        let HealthTerms { lag_blocks, .. } = plan.health;
        Self { stale_ms, skew_ms, lag_blocks }
    }
}

/// How a node stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub enum Standing {
    /// Runs, at tip.
    Well,
    /// Its agent has never been heard.
    NeverHeard,
    /// Its agent is not heard any more.
    Silent {
        /// Age of the newest beacon.
        age_ms: u64,
    },
    /// Heard, and the container does not run.
    Down,
    /// Runs, and says no height.
    NoHeight,
    /// Runs, behind the others.
    Behind {
        /// Blocks behind the median.
        blocks: u64,
    },
    /// Paused by its admin port.
    Paused,
    /// Follows, neither proposes nor endorses.
    StandingBy,
    /// Its clock cannot be believed.
    ClockOff,
    /// It signed two receipts with one counter.
    Quarantined,
    /// It has no agent, so nothing is known.
    NoAgent,
}

impl Standing {
    /// For a table.
    pub fn text(&self) -> String {
        match self {
            Standing::Well => "well".into(),
            Standing::NeverHeard => "never heard".into(),
            Standing::Silent { .. } => "silent".into(),
            Standing::Down => "down".into(),
            Standing::NoHeight => "no height".into(),
            Standing::Behind { blocks } => format!("behind {blocks}"),
            Standing::Paused => "paused".into(),
            Standing::StandingBy => "stands by".into(),
            Standing::ClockOff => "clock off".into(),
            Standing::Quarantined => "QUARANTINED".into(),
            Standing::NoAgent => "no agent".into(),
        }
    }

    /// In a sentence: why its seat is not counted on.
    pub fn because(&self) -> String {
        match self {
            Standing::Silent { age_ms } => {
                format!("no beacon for {}", span(age_ms / 1_000 * 1_000))
            }
            Standing::Behind { blocks } => format!("{} behind", count(*blocks as usize, "block")),
            other => other.text(),
        }
    }
}

/// Judges `node` by what it said.
pub fn standing(
    node: &Node,
    evidence: &Evidence,
    measure: Measure,
    median: Option<u64>,
    now: Timestamp,
) -> Standing {
    if !node.managed() {
        return Standing::NoAgent;
    }
    let facts = evidence.nodes.get(&node.name);
    if facts.is_some_and(|facts| facts.quarantined) {
        return Standing::Quarantined;
    }
    match facts.and_then(|facts| facts.beacon.as_ref()) {
        None => Standing::NeverHeard,
        Some(beacon) => judge(beacon, measure, median, now),
    }
}

fn judge(beacon: &Beacon, measure: Measure, median: Option<u64>, now: Timestamp) -> Standing {
    let age = age_ms(beacon.at, now);
    let health = &beacon.health;
    if age > measure.stale_ms {
        return Standing::Silent { age_ms: age };
    }
    if health.clock_off || age_ms(now, beacon.at) > measure.skew_ms {
        return Standing::ClockOff;
    }
    if !health.running {
        return Standing::Down;
    }
    if health.paused {
        return Standing::Paused;
    }
    if health.standing_by {
        return Standing::StandingBy;
    }
    match (health.height, median) {
        (None, _) => Standing::NoHeight,
        (Some(height), Some(median)) if height + measure.lag_blocks < median => {
            Standing::Behind { blocks: median - height }
        }
        _ => Standing::Well,
    }
}

/// The median height of fresh beacons of running nodes.
pub fn median(evidence: &Evidence, measure: Measure, now: Timestamp) -> Option<u64> {
    let fresh = |facts: &NodeFacts| {
        let beacon = facts.beacon.as_ref()?;
        let counts = age_ms(beacon.at, now) <= measure.stale_ms && beacon.health.running;
        beacon.health.height.filter(|_| counts && !facts.quarantined)
    };
    let mut heights: Vec<_> = evidence.nodes.values().filter_map(fresh).collect();
    heights.sort_unstable();
    heights.get(heights.len() / 2).copied()
}
