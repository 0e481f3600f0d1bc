//! A roster in words: what changes against the one in force, then every node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use muster_proto::documents::roster::{Node, Role};
use muster_proto::documents::{NodeName, PublicKey, Roster};
use serde::Serialize;

use super::table;
use super::words::{count, labelled};

/// A roster against the one before.
#[derive(Debug, Clone, Serialize)]
pub struct RosterChange {
    /// Such as `mainnet`.
    pub network: String,
    /// Of the new one.
    pub version: u64,
    /// Active producers.
    pub active: u32,
    /// Seats in all.
    pub seats: usize,
    /// The change, one line each.
    pub changes: Vec<Change>,
    /// Every node of the new roster.
    pub nodes: Vec<Node>,
    /// There is one in force already.
    pub replaces: Option<u64>,
}

/// What changes for one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Joins.
    Added(NodeName),
    /// Leaves: from the next roster on it counts as away, its receipts are refused.
    Removed(NodeName),
    /// Differs in these fields.
    Changed(NodeName, Vec<String>),
    /// The number of active producers.
    Active(u32, u32),
}

/// Compares `new` with the roster in force.
pub fn change(old: Option<&Roster>, new: &Roster) -> RosterChange {
    let changes = old.map(|old| changes(old, new)).unwrap_or_default();
    let seats = new.nodes.iter().filter(|node| node.seat);
    let seats = seats.map(|node| node.group.as_deref().unwrap_or(node.name.as_str()));
    RosterChange {
        network: new.network.clone(),
        version: new.version,
        active: new.consensus.active,
        seats: seats.collect::<BTreeSet<_>>().len(),
        changes,
        nodes: new.nodes.clone(),
        replaces: old.map(|old| old.version),
    }
}

fn changes(old: &Roster, new: &Roster) -> Vec<Change> {
    let by_name = |roster: &Roster| -> BTreeMap<NodeName, Node> {
        roster.nodes.iter().map(|node| (node.name.clone(), node.clone())).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    let mut all = Vec::new();
    if old.consensus.active != new.consensus.active {
        all.push(Change::Active(old.consensus.active, new.consensus.active));
    }
    for (name, node) in &after {
        match before.get(name) {
            None => all.push(Change::Added(name.clone())),
            Some(was) if was == node => {}
            Some(was) => all.push(Change::Changed(name.clone(), differences(was, node))),
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    all.extend(gone.cloned().map(Change::Removed));
    all
}

fn differences(was: &Node, is: &Node) -> Vec<String> {
    let key = |key: &Option<PublicKey>| match key {
        Some(key) => key.to_string()[..12].to_owned() + "…",
        None => "none".into(),
    };
    let mut all = Vec::new();
    let mut note = |field: &str, was: String, is: String| {
        if was != is {
            all.push(format!("{field} {was} → {is}"));
        }
    };
    note("key", key(&was.key), key(&is.key));
    note("operator", was.operator.to_string(), is.operator.to_string());
    note("endpoint", was.endpoint.to_string(), is.endpoint.to_string());
    note("contact", was.contact.clone(), is.contact.clone());
    note("role", role(was.role).into(), role(is.role).into());
    note("seat", was.seat.to_string(), is.seat.to_string());
    note("labels", format!("{:?}", was.labels), format!("{:?}", is.labels));
    note("group", format!("{:?}", was.group), format!("{:?}", is.group));
    note("bootstrap", was.bootstrap.to_string(), is.bootstrap.to_string());
    all
}

/// As it stands in documents.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::ConsensusDelegate => "consensus-delegate",
        Role::Delegate => "delegate",
        Role::Candidate => "candidate",
        Role::FullNode => "full-node",
        Role::Api => "api",
        Role::Archive => "archive",
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added(name) => write!(f, "{name} joins"),
            Change::Removed(name) => {
                write!(f, "{name} leaves: it counts as away, its receipts are refused")
            }
            Change::Changed(name, fields) => write!(f, "{name}: {}", fields.join(", ")),
            Change::Active(was, is) => write!(f, "active producers {was} → {is}"),
        }
    }
}

impl fmt::Display for RosterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = count(self.nodes.len(), "node");
        let (network, version, seats, active) =
            (&self.network, self.version, self.seats, self.active);
        writeln!(f, "roster {version} of {network} · {nodes}, {seats} seats, {active} active")?;
        let replaces = match self.replaces {
            None => "none: this is the first".to_owned(),
            Some(version) => format!("roster {version}"),
        };
        writeln!(f, "{}", labelled("replaces", &replaces))?;
        if self.replaces.is_some() && self.changes.is_empty() {
            writeln!(f, "{}", labelled("changes", "none"))?;
        }
        for (at, change) in self.changes.iter().enumerate() {
            let label = if at == 0 { "changes" } else { "" };
            writeln!(f, "{}", labelled(label, &change.to_string()))?;
        }
        let mut rows = table::plain(&["node", "role", "seat", "operator", "key", "contact"]);
        for node in &self.nodes {
            let operator = node.operator.as_str();
            rows.add_row([
                node.name.to_string(),
                role(node.role).to_owned(),
                if node.seat { node.group.clone().unwrap_or("yes".into()) } else { "–".into() },
                format!("{}…{}", &operator[..7], &operator[operator.len() - 4..]),
                node.key.map_or("no agent".into(), |key| key.to_string()[..8].to_owned() + "…"),
                node.contact.clone(),
            ]);
        }
        write!(f, "\n{}", table::text(&rows))
    }
}
