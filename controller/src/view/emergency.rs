//! `muster emergency stop`: what is about to happen, in words, before anybody signs it: how many
//! nodes, how fast, when the chain halts, what starts it again, and whom to call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::{NodeName, Plan, Roster};
use muster_proto::evidence::beacon::OnEmergency;
use muster_proto::rule::Evidence;
use serde::Serialize;

use super::standing::{Measure, Standing, median, standing};
use super::words::{WIDTH, count, height, indented, moment, names, span, wrap};

/// Names shown before a list is shortened.
const SHOWN: usize = 6;

/// What the preview is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The frozen plan.
    pub plan: &'a Plan,
    /// The verified roster.
    pub roster: &'a Roster,
    /// Verified beacons and receipts.
    pub evidence: &'a Evidence,
    /// Signatures of class hotfix that a start needs, and how many people have such a key.
    pub again: (usize, usize),
    /// Everybody is meant, so that who has no agent is missing.
    pub everybody: bool,
}

/// A stop, ready to be read.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Such as `emergency/7`.
    pub plan: String,
    /// Why, as everybody will read it.
    pub reason: String,
    /// Whose nodes.
    pub network: String,
    /// In order.
    pub nodes: Vec<NodeName>,
    /// The first slot.
    pub start: Timestamp,
    /// Between two slots at the latest; 0 for everybody at once.
    pub pace_ms: u64,
    /// The last slot.
    pub last: Timestamp,
    /// Nobody begins at or after.
    pub until: Timestamp,
    /// Consensus' active producers.
    pub active: u32,
    /// Seats that the order takes.
    pub seats: usize,
    /// When the chain is expected to halt; none when enough seats stay.
    pub halt: Option<Halt>,
    /// The median height now.
    pub height: Option<u64>,
    /// Signatures of class hotfix that a start needs.
    pub start_needs: usize,
    /// Of so many people.
    pub start_keys: usize,
    /// Who will not obey by himself.
    pub calls: Vec<Call>,
    /// When this was judged.
    pub at: Timestamp,
}

/// The node whose stop leaves too few seats for a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Halt {
    /// How many active ones are down then.
    pub after: usize,
    /// The last of them.
    pub node: NodeName,
    /// Its slot.
    pub at_latest: Timestamp,
}

/// Somebody who must be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Which node.
    pub node: NodeName,
    /// Why it will not obey by itself.
    pub why: String,
    /// From the roster.
    pub contact: String,
}

/// Reads what is about to be signed.
pub fn preview(input: Input<'_>, now: Timestamp) -> Preview {
    let plan = input.plan;
    let nodes: Vec<_> = plan.order().map(|(_, name)| name.clone()).collect();
    let slot = |name: &NodeName| plan.slot(name).unwrap_or(plan.valid.from);
    let start = plan.schedule.map_or(plan.valid.from, |schedule| schedule.start);
    Preview {
        plan: format!("{}/{}", plan.class, plan.serial),
        reason: plan.title.clone(),
        network: plan.network.clone(),
        start,
        pace_ms: plan.schedule.map_or(0, |schedule| schedule.pace_ms),
        last: nodes.last().map_or(start, slot),
        until: plan.valid.until,
        active: plan.active,
        seats: taken(plan).len(),
        halt: halt(plan),
        height: median(input.evidence, Measure::of(plan), now),
        start_needs: input.again.0,
        start_keys: input.again.1,
        calls: calls(input, now),
        nodes,
        at: now,
    }
}

/// Seats of which nobody is left, each with the place in the order that takes the last of it.
fn taken(plan: &Plan) -> BTreeMap<usize, &str> {
    let places: BTreeMap<_, _> = plan.order().map(|(_, name)| name).zip(0_usize..).collect();
    let seats: BTreeSet<_> = plan.members.iter().filter_map(|it| it.seat.as_deref()).collect();
    let last = |seat: &&str| {
        let held = plan.members.iter().filter(|it| it.seat.as_deref() == Some(seat));
        held.map(|it| places.get(&it.name).copied())
            .try_fold(0, |last, place| Some(last.max(place?)))
    };
    seats.into_iter().filter_map(|seat| Some((last(&seat)?, seat))).collect()
}

/// A block needs more than two thirds of the active producers.
fn halt(plan: &Plan) -> Option<Halt> {
    let quorum = 2 * plan.active / 3 + 1;
    let after = usize::try_from(plan.active.saturating_sub(quorum) + 1).ok()?;
    let place = *taken(plan).keys().nth(after - 1)?;
    let node = plan.order().nth(place)?.1.clone();
    Some(Halt { after, at_latest: plan.slot(&node)?, node })
}

/// Who has no agent, whose agent is not heard now, or whose policy does not obey.
fn calls(input: Input<'_>, now: Timestamp) -> Vec<Call> {
    let measure = Measure::of(input.plan);
    let meant: BTreeSet<_> = input.plan.order().map(|(_, name)| name).collect();
    let nodes = input.roster.nodes.iter();
    let nodes =
        nodes.filter(|node| meant.contains(&node.name) || input.everybody && !node.managed());
    let call = |node: &muster_proto::documents::roster::Node| {
        let why = match standing(node, input.evidence, measure, None, now) {
            deaf @ (Standing::NoAgent
            | Standing::NeverHeard
            | Standing::Silent { .. }
            | Standing::Quarantined
            | Standing::ClockOff) => deaf.because(),
            _ => does_not_obey(input.evidence, &node.name)?.into(),
        };
        Some(Call { node: node.name.clone(), why, contact: node.contact.clone() })
    };
    nodes.filter_map(call).collect()
}

/// By what the agent last said of its policy.
fn does_not_obey(evidence: &Evidence, node: &NodeName) -> Option<&'static str> {
    match evidence.nodes.get(node)?.beacon.as_ref()?.emergency? {
        OnEmergency::Apply => None,
        OnEmergency::Ask => Some("it asks its operator first"),
        OnEmergency::Refuse => Some("its policy refuses emergencies"),
    }
}

impl Preview {
    fn first(&self) -> String {
        let soon = self.start <= self.at + SignedDuration::from_secs(1);
        match soon {
            true => "beginning at once".into(),
            false => format!("beginning {}", moment(self.start)),
        }
    }

    fn headline(&self) -> String {
        let nodes = count(self.nodes.len(), "node");
        let pace = match self.pace_ms {
            0 => "all at once".into(),
            pace => format!("one by one, {} apart at the latest", span(pace)),
        };
        let head = format!("This stops {nodes} of {} {pace}, {}.", self.network, self.first());
        wrap(&head, WIDTH, 2)
    }

    fn chain(&self) -> String {
        let now = self.height.map_or(String::new(), |at| format!(" (height now {})", height(at)));
        match &self.halt {
            Some(halt) => format!(
                "it halts after the {} active one of {}, {}, at the latest {}{now}",
                ordinal(halt.after),
                self.active,
                halt.node,
                moment(halt.at_latest)
            ),
            None => format!(
                "it goes on: {} of {} active ones stop, and a block needs more than 2/3{now}",
                self.seats, self.active
            ),
        }
    }
}

/// `8th`.
fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |label: &str, text: &str| indented(label, text, 12);
        writeln!(f, "{}", self.headline())?;
        writeln!(f, "{}", line("reason", &self.reason))?;
        writeln!(
            f,
            "{}",
            line("plan", &format!("{}, valid until {}", self.plan, moment(self.until)))
        )?;
        let slots = match self.pace_ms {
            0 => String::new(),
            _ => format!("; the last at the latest {}", moment(self.last)),
        };
        let order: Vec<_> = self.nodes.iter().map(NodeName::as_str).collect();
        writeln!(f, "{}", line("order", &format!("{}{slots}", names(&order, SHOWN))))?;
        writeln!(f, "{}", line("chain", &self.chain()))?;
        let again =
            format!("starting again takes {} of {} hotfix keys", self.start_needs, self.start_keys);
        writeln!(f, "{}", line("then", &again))?;
        if self.calls.is_empty() {
            let fine = "nobody: every agent is heard now, and none says that it would not obey";
            return writeln!(f, "{}", line("call", fine));
        }
        let many = match self.calls.len() {
            1 => "1 node will not obey by itself".to_owned(),
            many => format!("{many} nodes will not obey by themselves"),
        };
        writeln!(f, "{}", line("call", &format!("{many}:")))?;
        let calls = self.calls.iter();
        let mut calls = calls.map(|it| format!("{} ({}): {}", it.node, it.why, it.contact));
        calls.try_for_each(|call| writeln!(f, "{}", line("", &call)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixture::{all_well, beacon, name, now, plan, roster};
    use muster_proto::documents::Class;
    use muster_proto::documents::plan::{Action, Budget, Schedule};

    /// A stop of nodes 1 to 7 of 8, 5 s apart; node 8 has no agent.
    fn stop(pace_ms: u64) -> Plan {
        let (_, plan) = plan(8);
        let schedule = Some(Schedule { start: now(), pace_ms, grace_ms: 60_000 });
        let (class, action) = (Class::Emergency, Action::Stop);
        let title = "bridge drained, halt now".to_owned();
        Plan { class, serial: 7, action, schedule, budget: Budget::All, title, ..plan }
    }

    fn shown(plan: &Plan, evidence: &Evidence, everybody: bool) -> Preview {
        let input = Input { plan, roster: &roster(8), evidence, again: (2, 3), everybody };
        preview(input, now())
    }

    #[test]
    fn it_says_when_the_chain_halts_what_starts_it_and_whom_to_call() {
        let mut evidence = all_well(8);
        evidence.nodes.get_mut(&name(3)).expect("node-03").beacon =
            Some(beacon(3, 372, 36_884_000));
        let says = |evidence: &mut Evidence, node, word| {
            let facts = evidence.nodes.get_mut(&name(node)).expect("it is there");
            facts.beacon.as_mut().expect("a beacon").emergency = Some(word);
        };
        says(&mut evidence, 1, OnEmergency::Apply);
        says(&mut evidence, 5, OnEmergency::Ask);
        says(&mut evidence, 6, OnEmergency::Refuse);
        let shown = shown(&stop(5_000), &evidence, true);
        let text = shown.to_string();
        let expected = "\
This stops 7 nodes of testnet one by one, 5 s apart at the latest, beginning at
  once.
  reason    bridge drained, halt now
  plan      emergency/7, valid until 26 Jul 12:00:00 UTC
  order     node-01 … node-07 (7); the last at the latest 23 Jul 12:00:30 UTC
  chain     it halts after the 3rd active one of 8, node-03, at the latest 23
            Jul 12:00:10 UTC (height now 36 884 100)
  then      starting again takes 2 of 3 hotfix keys
  call      4 nodes will not obey by themselves:
            node-03 (no beacon for 6 min 12 s): ops3@example.org
            node-05 (it asks its operator first): ops5@example.org
            node-06 (its policy refuses emergencies): ops6@example.org
            node-08 (no agent): ops8@example.org
";
        assert_eq!(text, expected, "\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn a_stop_of_a_few_leaves_the_chain_alive_and_calls_nobody_else() {
        let mut plan = stop(0);
        plan.waves.truncate(1);
        let shown = shown(&plan, &all_well(8), false);
        let text = shown.to_string();
        assert_eq!(shown.halt, None);
        assert_eq!(shown.calls, [], "who is not meant need not obey");
        assert!(text.starts_with("This stops 2 nodes of testnet all at once, beginning"), "{text}");
        assert!(text.contains("it goes on: 2 of 8 active ones stop"), "{text}");
        assert!(text.contains("every agent is heard now"), "{text}");
    }

    #[test]
    fn a_seat_is_taken_only_when_nobody_of_it_is_left() {
        let mut plan = stop(5_000);
        // Node 8, which nobody stops, shares the seat of node 1.
        let seat = plan.members[0].seat.clone();
        plan.members[7].seat = seat;
        let halt = halt(&plan).expect("six seats are taken");
        assert_eq!((halt.after, halt.node), (3, name(4)));
    }

    #[test]
    fn numbers_in_a_row_end_as_people_say_them() {
        let all = [1, 2, 3, 4, 8, 11, 12, 13, 21, 22, 113].map(ordinal).join(" ");
        assert_eq!(all, "1st 2nd 3rd 4th 8th 11th 12th 13th 21st 22nd 113th");
    }
}
