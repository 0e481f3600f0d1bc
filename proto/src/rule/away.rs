//! Who counts as away by his newest beacon: the set B, and rules 5, 9 and 10.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::facts::NodeFacts;
use super::sight::{Row, Sight, millis};
use crate::documents::plan::Unmanaged;
use crate::evidence::Beacon;

/// Why a node counts as away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// It has no agent, and the plan does not assume that it is up.
    Unmanaged,
    /// The newest roster does not list it with the plan's key.
    NotListed,
    /// It signed two receipts with one counter.
    Quarantined,
    /// No beacon was ever seen.
    NoBeacon,
    /// The newest beacon is older than a receipt that tells of an effect.
    Overtaken,
    /// The newest beacon is too old.
    Stale(SignedDuration),
    /// The newest beacon is dated in the future beyond the skew.
    Future(SignedDuration),
    /// The container does not run.
    NotRunning,
    /// It runs and does not tell its height.
    NoHeight,
    /// Behind the fleet's median by so many blocks, for longer than `hold`.
    Behind(u64),
    /// Paused by its admin port.
    Paused,
    /// Follows, and neither proposes nor endorses.
    StandingBy,
    /// Its host's clock is beyond the skew.
    ClockOff,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Away::Unmanaged => f.write_str("no agent"),
            Away::NotListed => f.write_str("not in the newest roster with this key"),
            Away::Quarantined => f.write_str("quarantined: two receipts with one counter"),
            Away::NoBeacon => f.write_str("no beacon yet"),
            Away::Overtaken => f.write_str("no beacon since its last step"),
            Away::Stale(age) => write!(f, "no beacon for {}", words(*age)),
            Away::Future(ahead) => write!(f, "beacon dated {} in the future", words(*ahead)),
            Away::NotRunning => f.write_str("not running"),
            Away::NoHeight => f.write_str("does not tell its height"),
            Away::Behind(blocks) => write!(f, "{blocks} blocks behind the fleet"),
            Away::Paused => f.write_str("paused"),
            Away::StandingBy => f.write_str("standing by"),
            Away::ClockOff => f.write_str("its clock is off"),
        }
    }
}

/// Such as `6 min 12 s`.
fn words(span: SignedDuration) -> String {
    let seconds = span.as_secs();
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

impl Away {
    /// The node itself is down or out of consensus, whatever is known of it: to stop it takes
    /// nothing away (rule 6). A clock that is off or a missing roster entry is not of this kind.
    pub fn takes_nothing(self) -> bool {
        matches!(self, Away::NotRunning | Away::Behind(_) | Away::Paused | Away::StandingBy)
    }

    /// After its own `done` this is a failure of the plan, for as long as it lasts (rule 7). Silence
    /// is none: it may be the agent's or the network's. Standing by is what a spare is for.
    pub fn is_failure(self) -> bool {
        matches!(self, Away::NotRunning | Away::Behind(_) | Away::Paused)
    }
}

/// What is the same for all members at one moment: the median height of fresh beacons.
pub(crate) struct Clockwork {
    median: Option<u64>,
}

impl Clockwork {
    pub(crate) fn new(sight: &Sight<'_>) -> Self {
        let heights = sight.rows.iter().filter_map(|row| {
            let beacon = row.facts?.beacon.as_ref()?;
            let counts = row.listed && beacon.health.running && is_fresh(sight, beacon);
            beacon.health.height.filter(|_| counts)
        });
        Self { median: median(heights.collect()) }
    }

    pub(crate) fn away(&self, sight: &Sight<'_>, row: &Row<'_>) -> Option<Away> {
        if row.member.key.is_none() {
            // Nobody witnesses yet: lint refuses it, and here it counts as away.
            return match sight.plan().unmanaged {
                Unmanaged::AssumeUp => None,
                Unmanaged::Away | Unmanaged::Witness => Some(Away::Unmanaged),
            };
        }
        if !row.listed {
            return Some(Away::NotListed);
        }
        let Some(facts) = row.facts else { return Some(Away::NoBeacon) };
        if facts.quarantined {
            return Some(Away::Quarantined);
        }
        let Some(beacon) = &facts.beacon else { return Some(Away::NoBeacon) };
        // `done` of a stop frees the place in the order while a beacon from before it still looks
        // well. Chain heads tell the order of the two; clocks may step.
        if facts.is_overtaken() {
            return Some(Away::Overtaken);
        }
        dated(sight, beacon).or_else(|| self.unwell(sight, facts, beacon))
    }

    fn unwell(&self, sight: &Sight<'_>, facts: &NodeFacts, beacon: &Beacon) -> Option<Away> {
        let health = &beacon.health;
        let said = [
            (!health.running, Away::NotRunning),
            (health.clock_off, Away::ClockOff),
            (health.paused, Away::Paused),
            (health.standing_by, Away::StandingBy),
            (health.height.is_none(), Away::NoHeight),
        ];
        let said = said.into_iter().find(|(holds, _)| *holds).map(|(_, away)| away);
        said.or_else(|| self.behind(sight, facts, beacon))
    }

    /// Behind by more than `lag` for longer than `hold`. A height that stands still with
    /// everybody's is not behind.
    fn behind(&self, sight: &Sight<'_>, facts: &NodeFacts, beacon: &Beacon) -> Option<Away> {
        let (height, median) = (beacon.health.height?, self.median?);
        let health = &sight.plan().health;
        let lags = |height: u64, median: u64| median.saturating_sub(height) > health.lag_blocks;
        if !lags(height, median) {
            return None;
        }
        let mut since = beacon.at;
        for (at, height) in facts.recent.iter().rev() {
            if !median_at(sight, *at).is_some_and(|median| lags(*height, median)) {
                return (sight.since(since) > millis(health.hold_ms))
                    .then_some(Away::Behind(median - beacon.health.height?));
            }
            since = *at;
        }
        // It lagged for as long as is remembered; who is in doubt is away.
        Some(Away::Behind(median - height))
    }
}

fn dated(sight: &Sight<'_>, beacon: &Beacon) -> Option<Away> {
    let age = sight.since(beacon.at);
    let terms = &sight.plan().beacon;
    if age > millis(terms.stale_ms) {
        Some(Away::Stale(age))
    } else if -age > millis(terms.skew_ms) {
        Some(Away::Future(-age))
    } else {
        None
    }
}

fn is_fresh(sight: &Sight<'_>, beacon: &Beacon) -> bool {
    dated(sight, beacon).is_none()
}

/// The lower of the two middle values, so that half of a split fleet is not behind the other.
fn median(mut heights: Vec<u64>) -> Option<u64> {
    heights.sort_unstable();
    heights.get(heights.len().checked_sub(1)? / 2).copied()
}

/// The median of what members' remembered beacons said at `at`.
fn median_at(sight: &Sight<'_>, at: Timestamp) -> Option<u64> {
    let then = |row: &Row<'_>| {
        let recent = &row.facts?.recent;
        recent.iter().rev().find(|(date, _)| *date <= at).map(|(_, height)| *height)
    };
    median(sight.rows.iter().filter_map(then).collect())
}
