//! What only shows over time: the fewest seats and the longest gap between blocks.

use jiff::Timestamp;
use muster_proto::rule::Evidence;

use crate::view::words::age_ms;

/// Kept by whoever watches; fed with every look.
#[derive(Debug, Clone, Default)]
pub struct Trend {
    /// Fewest seats up so far.
    pub fewest: Option<u32>,
    /// Longest time between two blocks so far, in milliseconds.
    pub longest_gap_ms: Option<u64>,
    /// The first block that was seen: height and its own time.
    pub first: Option<(u64, Timestamp)>,
    /// The newest block: height and its own time.
    pub tip: Option<(u64, Timestamp)>,
}

impl Trend {
    /// Takes in what beacons say of the chain now.
    ///
    /// Block times are the blocks' own. Where beacons skip a height, the mean of the blocks
    /// between is taken: never more than the longest real gap.
    pub fn look(&mut self, evidence: &Evidence) {
        let mut tips: Vec<_> = evidence
            .nodes
            .values()
            .filter(|facts| !facts.quarantined)
            .filter_map(|facts| facts.beacon.as_ref())
            .filter_map(|beacon| beacon.health.height.zip(beacon.health.block_time))
            .collect();
        tips.sort_unstable();
        tips.dedup();
        for (height, at) in tips {
            match self.tip {
                Some((last, before)) if height > last => {
                    let gap = age_ms(before, at) / (height - last);
                    self.longest_gap_ms = self.longest_gap_ms.max(Some(gap));
                    self.tip = Some((height, at));
                }
                Some(_) => {}
                None => (self.first, self.tip) = (Some((height, at)), Some((height, at))),
            }
        }
    }

    /// Mean time between two blocks so far, in milliseconds.
    pub fn interval_ms(&self) -> Option<u64> {
        let ((from, since), (to, until)) = self.first.zip(self.tip)?;
        age_ms(since, until).checked_div(to.saturating_sub(from))
    }

    /// Takes in how many seats are up now.
    pub fn seats(&mut self, up: u32) {
        self.fewest = Some(self.fewest.map_or(up, |fewest| fewest.min(up)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::{all_well, before};

    #[test]
    fn the_longest_gap_is_taken_between_neighbouring_heights() {
        let mut trend = Trend::default();
        for (height, age) in [(10, 30), (11, 27), (13, 21), (14, 19)] {
            let mut evidence = all_well(3);
            for facts in evidence.nodes.values_mut() {
                let health = &mut facts.beacon.as_mut().expect("a beacon").health;
                (health.height, health.block_time) = (Some(height), Some(before(age)));
            }
            trend.look(&evidence);
        }
        assert_eq!(trend.longest_gap_ms, Some(3_000));
        assert_eq!(trend.tip, Some((14, before(19))));
        assert_eq!(trend.interval_ms(), Some(2_750));
        assert_eq!(Trend::default().interval_ms(), None);
    }
}
