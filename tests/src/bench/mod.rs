//! What Muster costs: the same work by a local program and by Muster, side by side.

pub mod costs;
pub mod floor;
pub mod process;
pub mod rollout;
pub mod snapshot;
pub mod ssh;
pub mod table;

use std::time::Duration;

/// How a run is laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Stand-ins, all of them seats.
    pub nodes: u8,
    /// Divides the real node's durations; at most 2.5 where beat or downtime is shown.
    pub factor: f64,
    /// For how long programs are watched at rest.
    pub rest: Duration,
    /// How often a stop of all at once is measured: one lasts as long as a block, and begins
    /// anywhere in it.
    pub turns: u8,
}

impl Scale {
    /// A run whose figures count.
    pub fn full(nodes: u8) -> Self {
        Self { nodes, factor: 2.5, rest: Duration::from_secs(20), turns: 5 }
    }

    /// Shows that everything still works; its figures say little.
    pub fn smoke() -> Self {
        Self { nodes: 8, factor: 5.0, rest: Duration::from_secs(3), turns: 1 }
    }
}
