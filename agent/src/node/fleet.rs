//! What the others say about the chain: the median height, whether anybody advances, whether a
//! quorum runs. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::{NodeName, Plan};
use muster_proto::rule::Evidence;

/// The chain as the others' beacons show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Median height of the others' fresh beacons; none when there are none.
    pub median: Option<u64>,
    /// The greatest of these heights.
    pub tip: Option<u64>,
    /// The height of at least one other fresh beacon grew a short while ago.
    pub advancing: bool,
    /// More than two thirds of the active seats run, this node counted as running.
    pub quorum: bool,
}

/// Remembers when each other node's height last grew.
#[derive(Debug, Clone, Default)]
pub struct FleetWatch {
    seen: BTreeMap<NodeName, Growth>,
}

#[derive(Debug, Clone, Copy)]
struct Growth {
    height: u64,
    /// None until it grew before our eyes.
    grew: Option<Timestamp>,
}

/// The chain stands still when nobody grew for this many times the age at which a beacon is
/// stale. Shorter, and a chain with absent proposers seems to stand now and then.
const STILL_AFTER_STALE: i32 = 3;

impl FleetWatch {
    /// Takes in the newest evidence and says how the chain is, as seen from `me`.
    pub fn look(
        &mut self,
        plan: &Plan,
        me: &NodeName,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Fleet {
        let millis = |ms: u64| SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        let stale = millis(plan.beacon.stale_ms);
        let skew = millis(plan.beacon.skew_ms);
        let mut heights = Vec::new();
        let mut seats = std::collections::BTreeSet::new();
        let mut advancing = false;
        seats.extend(plan.member(me).and_then(|own| own.seat.as_deref()));
        for member in plan.members.iter().filter(|member| member.name != *me) {
            let facts = evidence.nodes.get(&member.name).filter(|facts| !facts.quarantined);
            let Some(beacon) = facts.and_then(|facts| facts.beacon.as_ref()) else { continue };
            let age = now.duration_since(beacon.at);
            if age > stale || age < -skew || !beacon.health.running {
                continue;
            }
            seats.extend(member.seat.as_deref());
            let Some(height) = beacon.health.height else { continue };
            heights.push(height);
            let growth = self.grown(&member.name, height, now);
            advancing |=
                growth.is_some_and(|grew| now.duration_since(grew) <= stale * STILL_AFTER_STALE);
        }
        let quorum = 3 * seats.len() as u64 > 2 * u64::from(plan.active);
        let tip = heights.iter().copied().max();
        Fleet { median: median(&mut heights), tip, advancing, quorum }
    }

    fn grown(&mut self, node: &NodeName, height: u64, now: Timestamp) -> Option<Timestamp> {
        let seen = self.seen.entry(node.clone()).or_insert(Growth { height, grew: None });
        if height > seen.height {
            *seen = Growth { height, grew: Some(now) };
        }
        seen.grew
    }
}

/// The middle height, the lower of two.
fn median(heights: &mut [u64]) -> Option<u64> {
    heights.sort_unstable();
    heights.get(heights.len().checked_sub(1)? / 2).copied()
}
