//! What happened in a simulated rollout.

use serde::Serialize;

use crate::documents::NodeName;

/// A plan played through. Times are milliseconds since the first moment of its validity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Such as `hotfix/42`.
    pub plan: String,
    /// For people.
    pub title: String,
    /// Such as `upgrade`.
    pub action: String,
    /// Nodes of the order.
    pub nodes: u32,
    /// Waves of the order.
    pub waves: u32,
    /// One at a time, or more.
    pub parallel: u32,
    /// Seats that may be away; none when nothing is counted.
    pub budget: Option<u32>,
    /// All seats of the plan.
    pub seats: u32,
    /// Seats that must be there for a block, if everybody away were active.
    pub quorum: u32,
    /// Everything that varied came from this.
    pub seed: u64,
    /// In order.
    pub entries: Vec<Entry>,
    /// Lowest number of seats there at any moment; who is absent is not there.
    pub fewest_seats: u32,
    /// When that was first so.
    pub fewest_at_ms: u64,
    /// From the first moment to the last that changed anything.
    pub duration_ms: u64,
    /// Every wave met its gate.
    pub complete: bool,
    /// Nodes whose part ended in `done`.
    pub done: u32,
    /// Nodes whose old container is well again.
    pub rolled_back: u32,
    /// Nodes that took no part.
    pub declined: u32,
    /// Nodes of the order without a last word, with the reason.
    pub never: Vec<Never>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub at_ms: u64,
    /// Whose, if it is a node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// Seats there after it.
    pub seats: u32,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum What {
    /// Everybody who is there has promised.
    Acknowledged {
        /// How many.
        nodes: u32,
    },
    /// The effect began.
    Began {
        /// Seats counted, its own included; none when nothing was counted.
        sum: Option<u32>,
    },
    /// A step failed.
    Failed {
        /// One line.
        why: String,
    },
    /// Its part is over.
    Done {
        /// From the stop until it was well; none when it was not taken away, or stays down.
        away_ms: Option<u64>,
    },
    /// The old container is well again.
    RolledBack {
        /// From the stop until then; none when it was never taken away.
        away_ms: Option<u64>,
    },
    /// It asks its operator.
    Asked,
    /// It takes no part.
    Declined,
    /// Neither forward nor back is safe.
    Stuck {
        /// One line.
        why: String,
    },
    /// It was done, and is down.
    Crashed,
    /// Enough of a wave are done.
    Gate {
        /// Which.
        wave: String,
        /// So many.
        done: u32,
        /// Before a later wave begins, each must be well for so long.
        soak_ms: u64,
    },
    /// Nobody begins any more.
    Over {
        /// One line.
        why: String,
    },
}

/// A node without a last word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Never {
    /// Who.
    pub node: NodeName,
    /// Had it begun?
    pub began: bool,
    /// Why it is where it is.
    pub why: String,
}
