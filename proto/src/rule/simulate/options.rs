//! What a simulated world is like.

use std::collections::BTreeSet;

use super::fault::{BadOption, Fault};
use crate::documents::{NodeName, Plan};

/// A world of one's choice. The default has no faults and the usual times.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Who fails, and where.
    pub faults: Vec<Fault>,
    /// Who is never heard of.
    pub absent: Vec<NodeName>,
    /// Whose operator is asked and does not answer.
    pub asking: Vec<NodeName>,
    /// Whose policy refuses.
    pub refusing: Vec<NodeName>,
    /// For everything that varies.
    pub seed: u64,
    /// How long things take.
    pub times: Times,
}

/// A time that varies, in milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// At least.
    pub least_ms: u64,
    /// At most.
    pub most_ms: u64,
}

impl Span {
    /// Always the same.
    pub const fn of(ms: u64) -> Self {
        Self { least_ms: ms, most_ms: ms }
    }

    /// From `least_ms` to `most_ms`.
    pub const fn new(least_ms: u64, most_ms: u64) -> Self {
        Self { least_ms, most_ms }
    }
}

/// How long things take. The defaults were measured on real nodes with small databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Between blocks.
    pub block_ms: u64,
    /// A receipt from one agent to another, over a board.
    pub travel: Span,
    /// From the promise to `prepared`: pull, stage, create.
    pub prepare: Span,
    /// From the permission to the right moment of the block interval.
    pub beat: Span,
    /// From SIGTERM to exit; the round is finished first.
    pub stop: Span,
    /// Files swapped.
    pub swap: Span,
    /// From the start to an answer.
    pub start: Span,
    /// From the answer to an advancing height; a missed block costs a 30 s sync tick.
    pub catch_up: Span,
    /// Names, restart policy, receipt.
    pub commit: Span,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            block_ms: 2_500,
            travel: Span::new(50, 400),
            prepare: Span::new(10_000, 40_000),
            beat: Span::new(0, 3_000),
            stop: Span::new(500, 3_000),
            swap: Span::new(20, 200),
            start: Span::new(1_500, 4_000),
            catch_up: Span::new(2_000, 32_000),
            commit: Span::new(100, 400),
        }
    }
}

impl Times {
    /// Everything at its quickest, and no block missed.
    pub fn shortest() -> Self {
        let quick = |span: Span| Span::of(span.least_ms);
        let usual = Self::default();
        Self {
            block_ms: usual.block_ms,
            travel: quick(usual.travel),
            prepare: quick(usual.prepare),
            beat: quick(usual.beat),
            stop: quick(usual.stop),
            swap: quick(usual.swap),
            start: quick(usual.start),
            catch_up: quick(usual.catch_up),
            commit: quick(usual.commit),
        }
    }
}

impl Options {
    /// Refuses what could not happen, so that nothing asked for is silently left out.
    pub(super) fn check(&self, plan: &Plan) -> Result<(), BadOption> {
        let ordered: BTreeSet<&NodeName> = plan.order().map(|(_, node)| node).collect();
        let failing = self.faults.iter().map(|fault| &fault.node);
        let named = failing.chain(&self.absent).chain(&self.asking).chain(&self.refusing);
        let mut seen = BTreeSet::new();
        for node in named {
            if !ordered.contains(node) {
                return Err(BadOption::NotInOrder(node.clone()));
            }
            if !seen.insert(node) {
                return Err(BadOption::Twice(node.clone()));
            }
        }
        let lost = self.faults.iter().find(|fault| !fault.place.is_part_of(&plan.action));
        match lost {
            Some(fault) => {
                let action = plan.action.word();
                Err(BadOption::NoSuchStep { fault: fault.clone(), action })
            }
            None => Ok(()),
        }
    }
}
