//! Whose evidence agents need for their decisions; watchers get everything.
//!
//! Pure. A receipt verifies only in its chain, so whole chains are sent: about 1 KiB per receipt
//! and nine receipts per node and plan, once per attachment.

use std::collections::BTreeSet;

use jiff::Timestamp;
use muster_proto::documents::{NodeName, Plan, Roster};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Nodes whose chains are sent to every agent.
    pub receipts: BTreeSet<NodeName>,
    /// Nodes whose beacons are sent to every agent.
    pub beacons: BTreeSet<NodeName>,
}

/// Rule A asks for predecessors, B for seats, C for acknowledgements of members with a seat, gates
/// and pace for everybody in the order. Each plan comes with whether somebody began it and has not
/// ended: such a plan counts past its validity.
pub fn audience<'a>(
    roster: Option<&Roster>,
    plans: impl Iterator<Item = (&'a Plan, bool)>,
    now: Timestamp,
) -> Audience {
    let mut nodes = BTreeSet::new();
    for (plan, _) in plans.filter(|(plan, unfinished)| now < plan.valid.until || *unfinished) {
        nodes.extend(plan.order().map(|(_, node)| node.clone()));
        let seated = plan.members.iter().filter(|member| member.seat.is_some());
        nodes.extend(seated.map(|member| member.name.clone()));
    }
    let seats = roster.into_iter().flat_map(|roster| &roster.nodes);
    let seats = seats.filter(|node| node.seat || node.group.is_some());
    let beacons = seats.map(|node| node.name.clone()).chain(nodes.iter().cloned()).collect();
    Audience { receipts: nodes, beacons }
}
