//! How long a plan takes: for people, never for the rule.

use crate::documents::plan::{Action, Plan};

/// Stop and start of a container without the node's own time; measured 1.6 to 5 s.
const TURN_MS: u64 = 4_000;
/// A node that missed a block waits for its 30 s sync tick.
const CATCH_UP_MS: u64 = 35_000;

/// Two estimates, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Everybody misses no block and holds at once.
    pub shortest_ms: u64,
    /// Everybody waits for a sync tick first.
    pub expected_ms: u64,
}

impl Estimate {
    /// Of a plan without failures and absences.
    pub fn of(plan: &Plan) -> Self {
        let (short, long) = match plan.action {
            Action::Stop => (TURN_MS, 2 * TURN_MS),
            _ => (
                TURN_MS.saturating_add(plan.health.hold_ms),
                (TURN_MS + CATCH_UP_MS).saturating_add(plan.health.hold_ms),
            ),
        };
        let (mut shortest_ms, mut expected_ms) = (0_u64, 0_u64);
        for (index, wave) in plan.waves.iter().enumerate() {
            let turns = (wave.nodes.len() as u64).div_ceil(u64::from(plan.parallel.max(1)));
            let last = index + 1 == plan.waves.len();
            let soak = if last { 0 } else { wave.soak_ms };
            shortest_ms =
                shortest_ms.saturating_add(turns.saturating_mul(short).saturating_add(soak));
            expected_ms =
                expected_ms.saturating_add(turns.saturating_mul(long).saturating_add(soak));
        }
        Self { shortest_ms, expected_ms }
    }

    /// Such as `31 min`.
    pub fn shortest(&self) -> String {
        rough(self.shortest_ms)
    }

    /// Such as `1 h 10 min`.
    pub fn expected(&self) -> String {
        rough(self.expected_ms)
    }
}

/// A duration to the precision people plan with: `45 s`, `31 min`, `1 h 10 min`, `3 days`.
pub fn rough(millis: u64) -> String {
    let seconds = millis.div_ceil(1_000);
    let minutes = (seconds + 30) / 60;
    let days = (minutes + 720) / 1_440;
    match (seconds, minutes / 60, minutes % 60) {
        (..=99, ..) => format!("{seconds} s"),
        (_, 48.., _) => format!("{days} days"),
        (_, 0, minutes) => format!("{minutes} min"),
        (_, hours, 0) => format!("{hours} h"),
        (_, hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
