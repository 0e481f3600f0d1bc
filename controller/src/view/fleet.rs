//! `muster fleet`: every node, and what the fleet's trust rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::{NodeName, Plan, PlanId, Roster};
use muster_proto::rule::Evidence;
use serde::Serialize;

use super::standing::{Measure, Standing, median, standing};
use super::table;
use super::told::{AgentRefused, Attached, BoardSeen, Hold, Told};
use super::words::{age_ms, ago, count, height, labelled, moment, span, until};

/// What the report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The newest roster.
    pub roster: &'a Roster,
    /// Every verified plan.
    pub plans: &'a BTreeMap<PlanId, Plan>,
    /// Verified receipts and beacons.
    pub evidence: &'a Evidence,
    /// When each role's metadata expires.
    pub expiries: &'a [(String, Timestamp)],
    /// The boards' own words.
    pub told: &'a Told,
}

/// The fleet at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Fleet {
    /// Such as `mainnet`.
    pub network: String,
    /// When this was judged.
    pub at: Timestamp,
    /// Seats in all.
    pub seats: usize,
    /// Seats with a node that is well.
    pub seats_well: usize,
    /// Median height of fresh beacons.
    pub height: Option<u64>,
    /// In the roster's order.
    pub nodes: Vec<NodeLine>,
    /// Plans within their validity.
    pub open: Vec<String>,
    /// Earliest first.
    pub expiries: Vec<(String, Timestamp)>,
    /// Documents that agents refused, by their own word.
    pub refused: Vec<AgentRefused>,
    /// Holds in force, by the boards' word.
    pub holds: Vec<Hold>,
    /// Where this comes from.
    pub boards: Vec<BoardSeen>,
    #[serde(skip)]
    sources: String,
}

/// One node.
#[derive(Debug, Clone, Serialize)]
pub struct NodeLine {
    /// Its name.
    pub name: NodeName,
    /// What it says it runs.
    pub version: Option<String>,
    /// By its newest beacon.
    pub height: Option<u64>,
    /// How it stands.
    pub standing: Standing,
    /// It holds a seat.
    pub seat: bool,
    /// The time of its newest beacon, by its own clock.
    pub beacon_at: Option<Timestamp>,
    /// Whether a board has its stream open; the board's own word.
    pub attached: Option<Attached>,
}

/// Judges the fleet.
pub fn fleet(input: Input<'_>, now: Timestamp) -> Fleet {
    let newest = input.plans.values().max_by_key(|plan| plan.issued);
    let measure = newest.map_or(Measure::USUAL, Measure::of);
    let median = median(input.evidence, measure, now);
    let line = |node: &muster_proto::documents::roster::Node| {
        let facts = input.evidence.nodes.get(&node.name);
        let beacon = facts.and_then(|facts| facts.beacon.as_ref());
        NodeLine {
            name: node.name.clone(),
            version: beacon.and_then(|beacon| beacon.health.version.clone()),
            height: beacon.and_then(|beacon| beacon.health.height),
            standing: standing(node, input.evidence, measure, median, now),
            seat: node.seat,
            beacon_at: beacon.map(|beacon| beacon.at),
            attached: input.told.attached(node.name.as_str()),
        }
    };
    let nodes: Vec<_> = input.roster.nodes.iter().map(line).collect();
    let mut expiries = input.expiries.to_vec();
    expiries.sort_by_key(|(_, at)| *at);
    let open = input.plans.values().filter(|plan| plan.valid.from <= now && now < plan.valid.until);
    Fleet {
        network: input.roster.network.clone(),
        at: now,
        seats: seats(input.roster, |_| true),
        seats_well: seats(input.roster, |name| well(&nodes, name)),
        height: median,
        nodes,
        open: open.map(|plan| format!("{}/{}", plan.class, plan.serial)).collect(),
        expiries,
        refused: input.told.refusals(),
        holds: input.told.holds(now),
        boards: input.told.boards.clone(),
        sources: input.told.sources(now),
    }
}

/// Seats of nodes that `counts` speaks for; a group shares one.
fn seats(roster: &Roster, counts: impl Fn(&NodeName) -> bool) -> usize {
    let held = roster.nodes.iter().filter(|node| node.seat && counts(&node.name));
    held.map(|node| node.group.as_deref().unwrap_or(node.name.as_str()))
        .collect::<BTreeSet<_>>()
        .len()
}

fn well(nodes: &[NodeLine], name: &NodeName) -> bool {
    nodes.iter().any(|line| line.name == *name && line.standing == Standing::Well)
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = count(self.nodes.len(), "node");
        let at = self.height.map_or("height unknown".into(), |at| format!("height {}", height(at)));
        let (network, well, seats) = (&self.network, self.seats_well, self.seats);
        writeln!(f, "{network} · {nodes} · {well} of {seats} seats well · {at}\n")?;
        f.write_str(&self.table())?;
        writeln!(f)?;
        self.plans(f)?;
        self.trust(f)?;
        for refused in &self.refused {
            let AgentRefused { node, code, text, subject, .. } = refused;
            let when = ago(refused.at, self.at);
            let text = format!("{node} refused {subject} {when}: {code} {text}");
            writeln!(f, "{}", labelled("refused", &text))?;
        }
        for board in self.boards.iter().filter(|board| board.refused > 0) {
            let why = board.last_refused.as_deref().unwrap_or_default();
            let text = format!(
                "{} did not verify, the last: {why}",
                count(board.refused as usize, "thing")
            );
            writeln!(
                f,
                "{}",
                labelled("doubt", &format!("of what {} sent, {text}", board.address))
            )?;
        }
        let sources = format!("{} (who is attached: the boards' own word)", self.sources);
        writeln!(f, "{}", labelled("told by", &sources))
    }
}

impl Fleet {
    fn table(&self) -> String {
        let header = ["node", "version", "height", "state", "seat", "heard", "attached"];
        let mut rows = table::plain(&header);
        table::right(&mut rows, &[2]);
        for node in &self.nodes {
            let dash = || "–".to_owned();
            rows.add_row([
                node.name.to_string(),
                node.version.clone().unwrap_or_else(dash),
                node.height.map_or_else(dash, height),
                node.standing.text(),
                if node.seat { "yes".into() } else { dash() },
                node.beacon_at.map_or_else(dash, |at| ago(at, self.at)),
                node.attached.map_or_else(dash, |attached| attachment(attached, self.at)),
            ]);
        }
        table::text(&rows)
    }

    fn plans(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.open.is_empty() { "none".into() } else { self.open.join(", ") };
        writeln!(f, "{}", labelled("plans", &format!("valid now: {open}")))?;
        for Hold { class, serial, by, reason, until } in &self.holds {
            let text = format!("{class}/{serial} by {by} until {}: {reason}", moment(*until));
            writeln!(f, "{}", labelled("held", &text))?;
        }
        Ok(())
    }

    fn trust(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self
            .expiries
            .iter()
            .map(|(role, at)| format!("{role} {}", until(*at, self.at)))
            .collect();
        let text = match all.is_empty() {
            true => "nothing verified yet".to_owned(),
            false => format!("expires: {}", all.join(", ")),
        };
        writeln!(f, "{}", labelled("trust", &text))
    }
}

fn attachment(attached: Attached, now: Timestamp) -> String {
    match attached.now {
        true => "yes".into(),
        false => format!("no, {}", span(age_ms(attached.since, now) / 1_000 * 1_000)),
    }
}
