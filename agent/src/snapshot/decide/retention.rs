//! Which snapshots may go. The last good one never does: one goes only when its plan is
//! committed, its time is over, and a newer one has been verified.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::name::Name;

/// One snapshot, as far as its end is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: Name,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// When its content last proved to be what its manifest says; none when never, or when the
    /// last attempt failed.
    pub verified_at: Option<Timestamp>,
    /// Its plan is over and needs no way back any more. True where it has none.
    pub committed: bool,
}

/// What becomes of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Which one.
    pub name: Name,
    /// Why it stays; none when it goes.
    pub stays: Option<Stays>,
}

/// Why a snapshot stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stays {
    /// Its plan may still want to go back to it.
    NotCommitted,
    /// Its time is not over.
    Young,
    /// No newer one is verified.
    LastGood,
}

impl Stays {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Stays::NotCommitted => "its plan is not known to be over",
            Stays::Young => "its time is not over",
            Stays::LastGood => "no newer one is verified",
        }
    }
}

/// What becomes of each snapshot, oldest first.
pub fn verdicts(mut all: Vec<Kept>, retention: Duration, now: Timestamp) -> Vec<Verdict> {
    all.sort_by(|one, other| (one.taken_at, &one.name).cmp(&(other.taken_at, &other.name)));
    let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
    let newest_good = all.iter().rposition(|kept| kept.verified_at.is_some());
    let verdict = |(at, kept): (usize, &Kept)| {
        let stays = match kept {
            _ if newest_good.is_none_or(|good| good <= at) => Some(Stays::LastGood),
            kept if !kept.committed => Some(Stays::NotCommitted),
            kept if now.duration_since(kept.taken_at) < retention => Some(Stays::Young),
            _ => None,
        };
        Verdict { name: kept.name.clone(), stays }
    };
    all.iter().enumerate().map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).unwrap()
    }

    fn kept(taken: i64, verified: bool, committed: bool) -> Kept {
        Kept {
            name: format!("day-{taken}").parse().unwrap(),
            taken_at: day(taken),
            verified_at: verified.then(|| day(taken)),
            committed,
        }
    }

    fn gone(all: Vec<Kept>, now: i64) -> Vec<String> {
        let all = verdicts(all, 7 * DAY, day(now));
        let gone = all.into_iter().filter(|verdict| verdict.stays.is_none());
        gone.map(|verdict| verdict.name.to_string()).collect()
    }

    #[test]
    fn one_goes_when_committed_old_and_followed_by_a_verified_one() {
        let newest = kept(10, true, true);
        assert_eq!(gone(vec![newest.clone(), kept(1, true, true)], 11), ["day-1"]);
        assert!(gone(vec![kept(1, true, false), newest.clone()], 11).is_empty());
        assert!(gone(vec![kept(5, true, true), newest], 11).is_empty());
        assert!(gone(vec![kept(1, true, true), kept(10, false, true)], 99).is_empty());
    }

    /// Every combination of three snapshots: whatever goes, a verified one that is newer stays.
    #[test]
    fn the_last_good_one_never_goes() {
        for bits in 0..64_u32 {
            let of = |at: u32| {
                kept(i64::from(at), (bits >> (2 * at)) & 1 == 1, (bits >> (2 * at + 1)) & 1 == 1)
            };
            let all = vec![of(0), of(1), of(2)];
            let gone = gone(all.clone(), 1_000);
            for (at, name) in all.iter().map(|kept| kept.name.to_string()).enumerate() {
                let newer = all[at + 1..].iter().any(|kept| {
                    kept.verified_at.is_some() && !gone.contains(&kept.name.to_string())
                });
                assert!(!gone.contains(&name) || newer, "{bits:06b}: {name} of {gone:?}");
                assert!(!gone.contains(&name) || all[at].committed, "{bits:06b}: {name}");
            }
        }
    }
}
