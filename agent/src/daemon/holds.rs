//! Holds: a board's word that nothing of a plan should be begun for a while. It can only delay.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::PlanId;
use muster_proto::rule::decision::Held;
use muster_proto::wire::muster::Hold;

use crate::control::said;

/// Longest hold that is believed, counted from when it was heard; a board grants a day at most.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The holds of every board, each board's own set as it said it last.
#[derive(Debug, Default)]
pub(super) struct Holds {
    by_board: BTreeMap<usize, Vec<(String, u64, Held)>>,
}

impl Holds {
    /// Replaces what `board` said before.
    pub(super) fn replace(&mut self, board: usize, holds: &[Hold], now: Timestamp) {
        let believed = holds.iter().filter_map(|hold| {
            let until = Timestamp::from_second(hold.until).ok()?.min(now + LONGEST);
            let reason = said::one_line(&hold.reason);
            let held = Held { by: said::one_line(&hold.by), reason, until };
            Some((hold.class.clone(), hold.serial, held))
        });
        self.by_board.insert(board, believed.collect());
    }

    /// The hold on `plan` that ends last, if one is in force.
    pub(super) fn on(&self, plan: &PlanId, now: Timestamp) -> Option<Held> {
        let all = self.by_board.values().flatten();
        let fitting = all.filter(|(class, serial, held)| {
            *class == plan.class.role() && *serial == plan.serial && held.until > now
        });
        fitting.map(|(_, _, held)| held).max_by_key(|held| held.until).cloned()
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::{Class, Digest};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn hold(serial: u64, until: i64) -> Hold {
        Hold {
            class: "hotfix".into(),
            serial,
            by: "alice".into(),
            reason: "look first".into(),
            until,
        }
    }

    #[test]
    fn a_hold_ends_by_itself_when_released_or_after_a_day() {
        let plan = PlanId { class: Class::Hotfix, serial: 42, digest: Digest::of(b"x") };
        let mut holds = Holds::default();
        holds.replace(0, &[hold(42, 100)], at(0));
        holds.replace(1, &[hold(42, 200), hold(43, 900)], at(0));
        assert_eq!(holds.on(&plan, at(150)).unwrap().until, at(200));
        assert_eq!(holds.on(&plan, at(200)), None);
        holds.replace(1, &[], at(0));
        assert_eq!(holds.on(&plan, at(150)), None);
        holds.replace(0, &[hold(42, i64::from(i32::MAX))], at(0));
        assert_eq!(holds.on(&plan, at(0)).unwrap().until, at(86_400));
    }
}
