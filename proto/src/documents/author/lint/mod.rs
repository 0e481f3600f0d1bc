//! What cannot be safe or cannot end is refused before anybody signs it.
//!
//! The rules read the frozen plan, so that a signer checks by the same rules as the author;
//! the author's text only adds places and what freezing drops.

mod budget;
mod emergency;
mod gates;
mod identity;
mod order;
mod release;
mod terms;
mod warnings;

use std::collections::BTreeSet;

use super::finding::Finding;
use super::freeze::required;
use super::known::Known;
use super::plan::PlanYaml;
use super::source::Places;
use crate::documents::ids::NodeName;
use crate::documents::plan::{Action, Budget, Member, Plan, Unmanaged};
use crate::documents::release::{Priority, Release};
use crate::documents::roster::Node;

/// All findings about `plan`, errors first, then in the order of the file.
pub fn check(plan: &Plan, yaml: Option<&PlanYaml>, places: &Places, known: &Known) -> Vec<Finding> {
    let context = Context::new(plan, yaml, known);
    let mut found = Vec::new();
    for rule in [
        identity::check,
        release::check,
        order::check,
        gates::check,
        budget::check,
        emergency::check,
        terms::check,
        warnings::check,
    ] {
        rule(&context, &mut found);
    }
    let mut found: Vec<_> = found.into_iter().map(|finding| finding.at(places)).collect();
    found.sort_by_key(|finding| {
        let place = finding.place.as_ref().map(|place| (place.line, place.column));
        (finding.code.severity(), place, finding.code)
    });
    found
}

/// What the rules look at.
struct Context<'a> {
    plan: &'a Plan,
    yaml: Option<&'a PlanYaml>,
    known: &'a Known,
    /// The very release that the plan names, when the board holds it.
    release: Option<&'a Release>,
}

impl<'a> Context<'a> {
    fn new(plan: &'a Plan, yaml: Option<&'a PlanYaml>, known: &'a Known) -> Self {
        let release = match &plan.action {
            Action::Upgrade(named) => known
                .release(&named.version)
                .filter(|(_, digest)| *digest == named.digest)
                .map(|(release, _)| release),
            _ => None,
        };
        Self { plan, yaml, known, release }
    }

    /// Path of the `at`-th node of a wave.
    fn node_path(wave: usize, at: usize) -> String {
        format!("order[{wave}].nodes[{at}]")
    }

    /// The seat that a node holds.
    fn seat(&self, name: &NodeName) -> Option<&'a str> {
        self.plan.member(name).and_then(|member| member.seat.as_deref())
    }

    /// Seats of everybody in the order.
    fn order_seats(&self) -> BTreeSet<&'a str> {
        self.plan.order().filter_map(|(_, name)| self.seat(name)).collect()
    }

    /// Seats that count as away for as long as the plan lasts.
    fn unmanaged_seats(&self) -> BTreeSet<&'a str> {
        if self.plan.unmanaged != Unmanaged::Away {
            return BTreeSet::new();
        }
        self.seats_of_only(|member| member.key.is_none())
    }

    /// Seats all of whose holders are such. A standby group is there while one of it is.
    fn seats_of_only(&self, such: impl Fn(&Member) -> bool) -> BTreeSet<&'a str> {
        let (mut seats, mut others) = (BTreeSet::new(), BTreeSet::new());
        for member in &self.plan.members {
            let list = if such(member) { &mut seats } else { &mut others };
            list.extend(member.seat.as_deref());
        }
        seats.difference(&others).copied().collect()
    }

    /// The budget in seats, when this action takes seats away and they are counted.
    fn counted(&self) -> Option<u32> {
        match self.plan.budget {
            Budget::Seats(down) if !self.plan.action.only_gives() => Some(down),
            _ => None,
        }
    }

    fn roster_node(&self, name: &NodeName) -> Option<&'a Node> {
        self.known.roster.node(name)
    }

    /// Nodes with an agent that the release names with this priority.
    fn concerned(&self, priority: Priority) -> impl Iterator<Item = &'a Node> {
        let release = self.release;
        let nodes = self.known.roster.nodes.iter().filter(|node| node.managed());
        nodes.filter(move |node| release.is_some_and(|release| required(release, node) == priority))
    }
}

/// `a, b, c and 4 more`.
fn some<'a>(names: impl IntoIterator<Item = &'a NodeName>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<_> = names.into_iter().map(NodeName::as_str).collect();
    match names.len() {
        0..=SHOWN => names.join(", "),
        many => format!("{} and {} more", names[..SHOWN].join(", "), many - SHOWN),
    }
}

/// Seats that must be there for a block: more than 2/3 of the active ones.
fn quorum(active: u32) -> u32 {
    2 * active / 3 + 1
}
