//! What the referee saw: the oracle of the tests.

use serde::{Deserialize, Serialize};

use super::wire::Block;

/// Everything since a moment that the asker chose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The referee's clock, milliseconds since the Unix epoch; a mark for the next report.
    pub now_ms: u64,
    /// Length of a round in milliseconds.
    pub interval_ms: u64,
    /// Number of seats.
    pub active: u64,
    /// Endorsements that a block needs.
    pub quorum: u64,
    /// The chain's tip, whenever it was reached.
    pub height: u64,
    /// Blocks, oldest first.
    pub blocks: Vec<Mined>,
    /// Longest time without a block in milliseconds, the one that still runs included.
    pub longest_gap_ms: u64,
    /// Fewest seats that were connected at one moment, neither paused nor standing by.
    pub lowest_online: Option<u64>,
    /// Fewest seats that endorsed in one round: none before a round ended.
    pub lowest_endorsing: Option<u64>,
    /// Who connected, and how far behind.
    pub joins: Vec<Join>,
    /// Two connections with one key.
    pub equivocations: Vec<Equivocation>,
    /// Blocks that were reversed, whenever that was, oldest first.
    pub reversed: Vec<Mined>,
    /// The seats as they are now, in the order of their turns.
    pub seats: Vec<SeatState>,
}

/// A block and how it came about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mined {
    /// The block.
    pub block: Block,
    /// 0 when its first proposer was there.
    pub round: u64,
    /// Seats that endorsed it; none of one that was brought back.
    pub endorsed: u64,
    /// When it was committed, milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// A node connected.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Join {
    /// When, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Operator address.
    pub address: String,
    /// Its tip.
    pub height: u64,
    /// The chain's tip at that moment.
    pub tip: u64,
}

impl Join {
    /// Blocks that it missed; one or more means that it waits for its sync tick.
    pub fn missed(&self) -> u64 {
        self.tip.saturating_sub(self.height)
    }
}

/// Two connections with one key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Equivocation {
    /// When the second one came, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Operator address of both.
    pub address: String,
    /// The versions they said they run, the older connection first.
    pub versions: Vec<String>,
}

/// A seat as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeatState {
    /// Operator address.
    pub address: String,
    /// How many nodes are connected with its key.
    pub connections: u64,
    /// Whether one of them may propose and endorse.
    pub active: bool,
    /// Whether one of them is paused.
    pub paused: bool,
    /// What it says it runs.
    pub version: Option<String>,
    /// Its tip.
    pub height: Option<u64>,
    /// The hash of its tip.
    pub hash: Option<String>,
    /// Whether that is the chain's tip.
    pub at_tip: bool,
}

impl Report {
    /// The seat of an operator address.
    pub fn seat(&self, address: &str) -> Option<&SeatState> {
        self.seats.iter().find(|s| s.address == address)
    }

    /// Seats that are connected now.
    pub fn online(&self) -> usize {
        self.seats.iter().filter(|s| s.connections > 0).count()
    }

    /// Whether every seat is connected and at the tip.
    pub fn all_at_tip(&self) -> bool {
        self.seats.iter().all(|s| s.at_tip)
    }
}
