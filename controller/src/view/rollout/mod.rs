//! `muster watch PLAN`: a rollout at one moment, judged from verified evidence by the rule itself.

mod judge;
mod stop;
mod text;
mod trend;

pub use judge::{Input, rollout};
pub use stop::{Halted, Late, Stopping};
pub use trend::Trend;

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use serde::Serialize;

use super::told::{BoardSeen, Hold};
use super::words::moment;

/// A rollout at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Rollout {
    /// Such as `hotfix/42`.
    pub plan: String,
    /// The plan's title.
    pub title: String,
    /// What happens to each node.
    pub action: &'static str,
    /// When this was judged.
    pub at: Timestamp,
    /// How it stands as a whole.
    pub state: State,
    /// Since the first node began, to the last word of the last node when it is over.
    pub running_ms: Option<u64>,
    /// About how long it still takes, from what it took so far.
    pub left_ms: Option<u64>,
    /// Waves, first to last.
    pub waves: Vec<WaveLine>,
    /// In the plan's order.
    pub nodes: Vec<NodeLine>,
    /// Who counts as away by the rule, and why: in the order or not.
    pub away: Vec<(NodeName, String)>,
    /// How far a stop by the clock is; none for every other plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
    /// Most seats away at one moment; none when nothing is counted.
    pub budget: Option<u32>,
    /// Seats of everybody in the plan.
    pub seats: u32,
    /// Of these, how many are there by their beacons.
    pub seats_up: u32,
    /// Fewest seats there at any moment of this watch.
    pub fewest: Option<u32>,
    /// The newest height that a beacon names.
    pub height: Option<u64>,
    /// Time of the newest block that a fresh beacon names.
    pub block_at: Option<Timestamp>,
    /// Longest time between two blocks, as far as this watch has seen.
    pub longest_gap_ms: Option<u64>,
    /// Holds of this plan, by the boards' word.
    pub holds: Vec<Hold>,
    /// Where this comes from.
    pub boards: Vec<BoardSeen>,
    #[serde(skip)]
    sources: String,
}

/// How a plan stands as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody may begin before.
    NotYetValid(Timestamp),
    /// Valid, and nobody has begun.
    Waiting,
    /// Somebody has begun, and not everybody is over.
    Running,
    /// All gates are met and whoever is there is over.
    Done,
    /// More failed than the plan bears: nobody begins any more.
    Over {
        /// How many failed.
        failures: u32,
        /// How many were borne.
        tolerated: u32,
        /// By receipts, which only grow; else a node is bad after its `done`, and may recover.
        lasting: bool,
    },
    /// Officers aborted it, and why.
    Aborted(String),
    /// Another plan took its place.
    Superseded(String),
    /// It ran out before it was done.
    Expired,
}

impl State {
    /// Nobody begins any more, for good; who is in the middle comes to an end.
    pub fn is_over(&self) -> bool {
        match self {
            State::NotYetValid(_) | State::Waiting | State::Running => false,
            State::Over { lasting, .. } => *lasting,
            State::Done | State::Aborted(_) | State::Superseded(_) | State::Expired => true,
        }
    }
}

/// One wave.
#[derive(Debug, Clone, Serialize)]
pub struct WaveLine {
    /// Its name.
    pub name: String,
    /// Nodes in it.
    pub nodes: u32,
    /// How many are done.
    pub done: u32,
    /// How many must be.
    pub gate: u32,
    /// For how long they must be well after it, in milliseconds.
    pub soak_ms: u64,
    /// How many have proved that.
    pub soaked: u32,
    /// The gate is met, soak included.
    pub met: bool,
}

/// One node of the order.
#[derive(Debug, Clone, Serialize)]
pub struct NodeLine {
    /// Its name.
    pub name: NodeName,
    /// Its wave.
    pub wave: String,
    /// Where it stands.
    pub place: Place,
    /// Since when, by its own receipts.
    pub since: Option<Timestamp>,
    /// One line for people: what it does, or what it waits for and why.
    pub text: String,
    /// The same without anything that changes by the second; what [`Rollout::news`] compares.
    #[serde(skip)]
    pub told: String,
    /// It waits for those before it and for nothing else.
    #[serde(skip)]
    pub in_line: bool,
    /// From the stop signal until it was well again, in milliseconds, by its own receipt.
    pub away_ms: Option<u64>,
}

/// Where a node stands under the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The action took effect and passed its test.
    Done,
    /// The old node is healthy again.
    RolledBack,
    /// It takes no part.
    Declined,
    /// It failed, and its last word is not spoken yet.
    Failed,
    /// It has begun.
    Now,
    /// It asks its operator.
    Asking,
    /// It is not heard or not well, and has not begun.
    Away,
    /// Its turn has not come.
    Waiting,
}

impl Place {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Place::Done => "done",
            Place::RolledBack => "back",
            Place::Declined => "declined",
            Place::Failed => "failed",
            Place::Now => "now",
            Place::Asking => "asking",
            Place::Away => "away",
            Place::Waiting => "waiting",
        }
    }

    /// Its part under this plan is over.
    pub fn is_final(self) -> bool {
        matches!(self, Place::Done | Place::RolledBack | Place::Declined)
    }
}

impl Rollout {
    /// Nobody is in the middle any more.
    pub fn settled(&self) -> bool {
        !self.nodes.iter().any(|node| matches!(node.place, Place::Now | Place::Failed))
    }
}

impl Rollout {
    /// Why officers aborted it, if they did.
    pub fn aborted(&self) -> Option<&str> {
        match &self.state {
            State::Aborted(reason) => Some(reason),
            _ => None,
        }
    }

    /// Which boards told this, and how old it is.
    pub fn sources(&self) -> &str {
        &self.sources
    }
}
