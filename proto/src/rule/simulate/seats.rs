//! Which seats are there, by the truth of the simulated world.

use std::collections::BTreeMap;

use crate::documents::Plan;
use crate::documents::plan::Unmanaged;

/// Counts, for each seat, the members of it that are up.
pub(super) struct Seats {
    /// By member: which seat.
    of: Vec<Option<usize>>,
    /// By seat: members that are up.
    up: Vec<u32>,
    active: u32,
    online: u32,
    fewest: (u32, u64),
}

impl Seats {
    /// Nobody is up yet but the unmanaged, when the plan assumes so.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut names = BTreeMap::new();
        let seat = |member: &crate::documents::plan::Member| {
            let seat = member.seat.as_ref()?;
            let next = names.len();
            Some(*names.entry(seat.clone()).or_insert(next))
        };
        let of: Vec<_> = plan.members.iter().map(seat).collect();
        let up = vec![0; names.len()];
        let mut seats = Self { of, up, active: plan.active, online: 0, fewest: (0, 0) };
        for (index, member) in plan.members.iter().enumerate() {
            if member.key.is_none() && plan.unmanaged == Unmanaged::AssumeUp {
                seats.add(index);
            }
        }
        seats
    }

    fn add(&mut self, member: usize) {
        if let Some(seat) = self.of[member] {
            self.up[seat] += 1;
            self.online += u32::from(self.up[seat] == 1);
        }
    }

    /// A member comes up.
    pub(super) fn comes(&mut self, member: usize) {
        self.add(member);
    }

    /// From here on the lowest number is watched.
    pub(super) fn watch(&mut self) {
        self.fewest = (self.online, 0);
    }

    /// A member goes down at that time.
    pub(super) fn goes(&mut self, member: usize, at_ms: u64) {
        let Some(seat) = self.of[member] else { return };
        self.up[seat] -= 1;
        self.online -= u32::from(self.up[seat] == 0);
        if self.online < self.fewest.0 {
            self.fewest = (self.online, at_ms);
        }
    }

    pub(super) fn online(&self) -> u32 {
        self.online
    }

    pub(super) fn all(&self) -> u32 {
        self.up.len() as u32
    }

    /// Lowest number, and when.
    pub(super) fn fewest(&self) -> (u32, u64) {
        self.fewest
    }

    /// Seats that must be there for a block, if everybody away were active: more than two
    /// thirds of the active ones.
    pub(super) fn quorum(&self) -> u32 {
        let may_be_away = self.active.saturating_sub(self.active * 2 / 3 + 1);
        self.all().saturating_sub(may_be_away)
    }

    /// Blocks are made.
    pub(super) fn chain_advances(&self) -> bool {
        self.online >= self.quorum()
    }
}
