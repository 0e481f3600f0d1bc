//! Receipts folded into what the rule reads.

use jiff::Timestamp;

use super::receipt::Event;
use crate::rule::Final;
use crate::rule::facts::{Acknowledged, NodeFacts, PlanFacts, RECENT};

impl PlanFacts {
    /// Takes the next receipt of the chain in. What was said first stays: promises and final
    /// words are not taken back.
    pub fn fold(&mut self, at: Timestamp, event: &Event) {
        let first = |field: &mut Option<Timestamp>| {
            field.get_or_insert(at);
        };
        match event {
            Event::Acknowledged { in_hand } => {
                let promise = || Acknowledged { at, in_hand: in_hand.clone() };
                self.acknowledged.get_or_insert_with(promise);
            }
            Event::Asked => first(&mut self.asked),
            Event::Prepared => first(&mut self.prepared),
            Event::Began { .. } => first(&mut self.began),
            Event::Stopped { .. } => first(&mut self.stopped),
            Event::Failed { .. } => first(&mut self.failed),
            Event::Declined { .. } => self.end(Final::Declined, at),
            Event::Done(_) => self.end(Final::Done, at),
            Event::RolledBack(_) => self.end(Final::RolledBack, at),
        }
    }

    fn end(&mut self, how: Final, at: Timestamp) {
        self.outcome.get_or_insert((how, at));
    }
}

impl NodeFacts {
    /// Remembers a height that a beacon told, and forgets the oldest beyond [`RECENT`].
    pub fn remember(&mut self, at: Timestamp, height: u64) {
        self.recent.push_back((at, height));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }
}
