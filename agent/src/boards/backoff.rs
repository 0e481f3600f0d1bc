//! How long to wait before a lost board is tried again: doubling, capped, with full jitter, so
//! that a thousand agents that lost one board do not come back as one.

use std::time::Duration;

use crate::config::Intervals;

/// Attempts since the last attachment that lasted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The wait before the next attempt. `random` is uniform over all of `u32`.
    pub(super) fn next(&mut self, intervals: &Intervals, random: u32) -> Duration {
        let first = intervals.reconnect.get();
        let most = intervals.reconnect_most.get();
        let doubled = first.saturating_mul(2_u32.saturating_pow(self.attempts)).min(most);
        self.attempts = self.attempts.saturating_add(1);
        doubled.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// An attachment ended. One that did not last does not count as success: a board that takes
    /// and drops everybody at once would be hammered.
    pub(super) fn ended(&mut self, lasted: Duration, intervals: &Intervals) {
        if lasted >= intervals.reconnect_most.get() {
            self.attempts = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_its_cap_and_the_jitter_is_full() {
        let intervals = Intervals::default();
        let mut backoff = Backoff::default();
        let waits: Vec<_> =
            (0..9).map(|_| backoff.next(&intervals, u32::MAX).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(backoff.next(&intervals, 0), Duration::ZERO);
    }

    #[test]
    fn only_an_attachment_that_lasted_begins_anew() {
        let intervals = Intervals::default();
        let mut backoff = Backoff { attempts: 5 };
        backoff.ended(Duration::from_secs(1), &intervals);
        assert_eq!(backoff.attempts, 5);
        backoff.ended(Duration::from_secs(31), &intervals);
        assert_eq!(backoff.attempts, 0);
    }
}
