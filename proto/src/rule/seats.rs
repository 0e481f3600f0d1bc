//! The sum: seats of A, B, C and the node itself, each counted once.

use std::collections::BTreeSet;

use super::promise;
use super::sight::{Row, Sight};
use crate::documents::NodeName;

/// Seats that count against the budget of one node's step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// How many, the node's own included.
    pub seats: u32,
    /// Whose they are, the node's own left out; in the members' order.
    pub nodes: Vec<NodeName>,
}

/// Counts for `me`, who stands behind `before` in the order.
pub fn count(sight: &Sight<'_>, me: &Row<'_>, before: &BTreeSet<&NodeName>) -> Sum {
    let mut seats = BTreeSet::new();
    let mut nodes = Vec::new();
    for row in &sight.rows {
        let Some(seat) = row.member.seat.as_deref() else { continue };
        let own = row.member.name == me.member.name;
        let undone = before.contains(&row.member.name) && row.outcome().is_none();
        if own || undone || promise::is_owed_by(row) || is_gone(sight, row) {
            if !own {
                nodes.push(row.member.name.clone());
            }
            seats.insert(seat);
        }
    }
    Sum { seats: seats.len() as u32, nodes }
}

/// The seat is away by beacons: of a group, every member must be.
fn is_gone(sight: &Sight<'_>, row: &Row<'_>) -> bool {
    if sight.away(row).is_none() {
        return false;
    }
    let same = |other: &&Row<'_>| {
        other.member.seat == row.member.seat && other.member.name != row.member.name
    };
    sight.rows.iter().filter(same).all(|other| sight.away(other).is_some())
}

/// Seats of the plan, and how many of them are there by their beacons.
pub fn online(sight: &Sight<'_>) -> (u32, u32) {
    let mut all = BTreeSet::new();
    let mut there = BTreeSet::new();
    for row in &sight.rows {
        let Some(seat) = row.member.seat.as_deref() else { continue };
        all.insert(seat);
        if sight.away(row).is_none() {
            there.insert(seat);
        }
    }
    (there.len() as u32, all.len() as u32)
}
