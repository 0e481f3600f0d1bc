//! Receipts and beacons folded into what the rule reads.

use jiff::Timestamp;

use super::beacon::Beacon;
use super::receipt::{Event, Receipt};
use crate::rule::Final;
use crate::rule::facts::{Acknowledged, NodeFacts, PlanFacts, RECENT};

impl NodeFacts {
    /// Takes the next receipt of the chain in. One that does not count for its plan (rule 10)
    /// still tells that something was done to the node.
    pub fn fold(&mut self, receipt: &Receipt, counts: bool) {
        if counts {
            let plan = self.plans.entry(receipt.plan.clone()).or_default();
            plan.fold(receipt.at, &receipt.event);
        }
        if receipt.event.is_effect() {
            self.effect = Some(receipt.counter);
        }
    }

    /// Takes a newer beacon in.
    pub fn take(&mut self, beacon: Beacon) {
        if let Some(height) = beacon.health.height {
            self.remember(beacon.at, height);
        }
        self.beacon = Some(beacon);
    }

    /// Forgets the oldest beyond [`RECENT`].
    fn remember(&mut self, at: Timestamp, height: u64) {
        self.recent.push_back((at, height));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// The newest beacon was written before the newest receipt that tells of an effect: it shows
    /// the node as it was before.
    pub fn is_overtaken(&self) -> bool {
        let head = self.beacon.as_ref().and_then(|beacon| beacon.head.as_ref());
        head.map(|head| head.counter) < self.effect
    }
}

impl PlanFacts {
    /// Takes the next receipt about this plan in. What was said first stays: promises and final
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
