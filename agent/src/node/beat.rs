//! The beat: when in a round a node may be stopped without missing a block. Pure.
//!
//! Measured (IOTEX.md, "the beat"): a stop in the first fifth of the block interval missed a
//! block in every trial, one at four fifths in none, one just before the next block now and then.

use jiff::Timestamp;

/// The stop may be sent from here on, in per mille of the interval since the height grew.
pub const FIRST_PERMILLE: u64 = 600;
/// And until here.
pub const LAST_PERMILLE: u64 = 900;

/// Between the advice and the signal lie a durable write and one Engine call: aim at the first
/// half of the window, and leave the last part of it to them.
const AIM_PERMILLE: u64 = 680;
const AIM_LAST_PERMILLE: u64 = 820;

/// Waiting is bounded by this many intervals; an absent proposer takes two.
const PATIENCE_INTERVALS: u64 = 5;

/// Without a known interval, give up after this long: two blocks of the slowest chain, 10 s apart.
const PATIENCE_MS: u64 = 20_000;

/// The height stands still when it did not grow for this many intervals.
const STALLED_INTERVALS: u64 = 3;

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Now, at this phase (per mille of the interval).
    Send {
        /// Since the height grew.
        permille: u64,
    },
    /// Look again after this many milliseconds.
    Wait {
        /// At least 1.
        ms: u64,
    },
    /// There is no beat to wait for: the chain is stalled, or waiting took too long.
    NoBeat,
}

/// What is known of a node's beat. Times are milliseconds of any clock that never goes back.
#[derive(Debug, Clone)]
pub struct Beat {
    since_ms: u64,
    interval_ms: Option<u64>,
    height: Option<(u64, u64)>,
    grew_ms: Option<u64>,
}

impl Beat {
    /// Watching begins at `now_ms`; `times` are those of the newest blocks, oldest first.
    pub fn new(now_ms: u64, times: &[Timestamp]) -> Self {
        Self { since_ms: now_ms, interval_ms: interval(times), height: None, grew_ms: None }
    }

    /// The node said its height.
    pub fn heard(&mut self, height: u64, now_ms: u64) {
        let Some((known, asked_ms)) = self.height.replace((height, now_ms)) else { return };
        if height <= known {
            return;
        }
        // It grew between the two questions.
        let grew_ms = asked_ms.midpoint(now_ms);
        if let Some(before) = self.grew_ms {
            let gap = grew_ms.saturating_sub(before) / (height - known);
            // A gap with an absent proposer is twice as long; the shortest one is the interval.
            self.interval_ms = Some(self.interval_ms.map_or(gap, |known| known.min(gap.max(1))));
        }
        self.grew_ms = Some(grew_ms);
    }

    /// Whether to send the stop now.
    pub fn advise(&self, now_ms: u64) -> Advice {
        let waited = now_ms.saturating_sub(self.since_ms);
        let Some(interval) = self.interval_ms.filter(|interval| *interval > 0) else {
            return if waited < PATIENCE_MS { Advice::Wait { ms: 50 } } else { Advice::NoBeat };
        };
        let last = self.grew_ms.unwrap_or(self.since_ms);
        let still = now_ms.saturating_sub(last);
        if still > STALLED_INTERVALS * interval || waited > PATIENCE_INTERVALS * interval {
            return Advice::NoBeat;
        }
        if self.grew_ms.is_none() {
            return Advice::Wait { ms: look_again(interval) };
        }
        let permille = still * 1_000 / interval;
        match permille {
            AIM_PERMILLE..=AIM_LAST_PERMILLE => Advice::Send { permille },
            early if early < AIM_PERMILLE => {
                let wait = (AIM_PERMILLE * interval).div_ceil(1_000).saturating_sub(still);
                Advice::Wait { ms: wait.max(1) }
            }
            _ => Advice::Wait { ms: look_again(interval) },
        }
    }
}

/// Between two questions while a growth is expected: precise enough for the window, and no
/// more than 20 a second.
fn look_again(interval_ms: u64) -> u64 {
    (interval_ms / 25).clamp(5, 50)
}

/// The shortest gap between blocks that follow each other.
fn interval(times: &[Timestamp]) -> Option<u64> {
    let gaps = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_millis());
    gaps.filter_map(|gap| u64::try_from(gap).ok()).filter(|gap| *gap > 0).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(gaps_ms: &[i64]) -> Vec<Timestamp> {
        let mut at = 1_800_000_000_000;
        let mut all = vec![Timestamp::from_millisecond(at).expect("a time")];
        for gap in gaps_ms {
            at += gap;
            all.push(Timestamp::from_millisecond(at).expect("a time"));
        }
        all
    }

    /// Blocks at multiples of `interval`, asked every time the advice says so.
    fn sent_at(interval: u64, start: u64, latency: u64) -> Option<u64> {
        let mut beat = Beat::new(start, &times(&[interval as i64, 2 * interval as i64]));
        let mut now = start;
        for _ in 0..10_000 {
            beat.heard(now / interval, now);
            match beat.advise(now) {
                Advice::Send { .. } => return Some(now + latency),
                Advice::Wait { ms } => now += ms,
                Advice::NoBeat => return None,
            }
        }
        None
    }

    #[test]
    fn the_stop_lands_in_the_window_whenever_watching_begins() {
        for interval in [2_500, 1_000, 10_000] {
            for start in (0..interval).step_by(interval as usize / 50) {
                let sent = sent_at(interval, 100 * interval + start, interval / 25);
                let phase = sent.expect("a beat") % interval * 1_000 / interval;
                assert!(
                    (FIRST_PERMILLE..=LAST_PERMILLE).contains(&phase),
                    "{phase} of an interval of {interval}, begun at {start}"
                );
            }
        }
    }

    #[test]
    fn a_stalled_chain_has_no_beat() {
        let mut beat = Beat::new(0, &times(&[2_500]));
        beat.heard(10, 0);
        assert!(matches!(beat.advise(2_000), Advice::Wait { .. }));
        assert_eq!(beat.advise(7_501), Advice::NoBeat);
    }

    #[test]
    fn waiting_is_bounded_also_without_block_times() {
        let mut beat = Beat::new(0, &[]);
        beat.heard(10, 0);
        assert!(matches!(beat.advise(19_999), Advice::Wait { .. }));
        assert_eq!(beat.advise(20_000), Advice::NoBeat);
    }

    #[test]
    fn the_interval_is_learnt_from_growth_alone() {
        let mut beat = Beat::new(0, &[]);
        let mut now = 0;
        let sent = loop {
            beat.heard(now / 2_500, now);
            match beat.advise(now) {
                Advice::Send { permille } => break permille,
                Advice::Wait { ms } => now += ms,
                Advice::NoBeat => panic!("no beat found"),
            }
        };
        assert!((FIRST_PERMILLE..=LAST_PERMILLE).contains(&sent));
    }

    #[test]
    fn an_absent_proposer_does_not_stretch_the_interval() {
        let beat = Beat::new(0, &times(&[2_500, 5_000, 2_500]));
        assert_eq!(beat.interval_ms, Some(2_500));
    }
}
