//! `muster history`: every plan a board has carried, and how it ended, by the receipts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::{NodeName, Plan, PlanId, canonical};
use muster_proto::evidence::{Envelope, Event, Receipt};
use serde::Serialize;

use super::table;
use super::words::{date, labelled};

/// One plan as a board tells it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When the board took it; its own word.
    pub published_at: Timestamp,
    /// Canonical JSON.
    pub plan: Vec<u8>,
    /// DSSE envelopes.
    pub receipts: Vec<Vec<u8>>,
}

/// Plans, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct History {
    /// One line each.
    pub plans: Vec<Line>,
    /// Which board told it.
    pub told_by: String,
    /// What it sent that did not verify.
    pub refused: usize,
}

/// One plan and how it ended.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Which very plan.
    pub id: PlanId,
    /// Its title.
    pub title: String,
    /// What happens to each node.
    pub action: &'static str,
    /// When the board took it; its own word.
    pub published_at: Timestamp,
    /// It is among the documents that verify today.
    pub verified: bool,
    /// Nodes in its order.
    pub nodes: usize,
    /// Nodes by the last word of their receipts, each checked with the key in the plan.
    pub ended: BTreeMap<&'static str, usize>,
}

/// Reads a board's history; what does not parse or verify is counted, not shown.
pub fn history(
    entries: &[Entry],
    known: &BTreeMap<PlanId, Plan>,
    network: &str,
    told_by: &str,
) -> History {
    let mut refused = 0;
    let mut plans = Vec::new();
    for entry in entries {
        match canonical::from_bytes::<Plan>(&entry.plan) {
            Ok(plan) if plan.network == network => {
                let (line, bad) = line(entry, &plan, known);
                refused += bad;
                plans.push(line);
            }
            _ => refused += 1,
        }
    }
    History { plans, told_by: told_by.into(), refused }
}

fn line(entry: &Entry, plan: &Plan, known: &BTreeMap<PlanId, Plan>) -> (Line, usize) {
    let id = plan.id(&entry.plan);
    let (mut last, mut refused) = (BTreeMap::<NodeName, Receipt>::new(), 0);
    for bytes in &entry.receipts {
        match open(bytes, plan, &id) {
            Some(receipt) => {
                let newer = |old: &Receipt| old.counter < receipt.counter;
                if last.get(&receipt.node).is_none_or(newer) {
                    last.insert(receipt.node.clone(), receipt);
                }
            }
            None => refused += 1,
        }
    }
    let ordered: BTreeSet<_> = plan.order().map(|(_, node)| node.clone()).collect();
    let mut ended = BTreeMap::new();
    for node in &ordered {
        *ended
            .entry(last.get(node).map_or("silent", |receipt| word(&receipt.event)))
            .or_default() += 1;
    }
    let line = Line {
        verified: known.contains_key(&id),
        title: plan.headline(),
        action: plan.action.word(),
        published_at: entry.published_at,
        nodes: ordered.len(),
        ended,
        id,
    };
    (line, refused)
}

/// A receipt of a member of the plan, signed by the key the plan was made for, about this plan.
fn open(bytes: &[u8], plan: &Plan, id: &PlanId) -> Option<Receipt> {
    let envelope = Envelope::parse::<Receipt>(bytes).ok()?;
    let claimed: Receipt = envelope.claimed().ok()?;
    let key = plan.member(&claimed.node)?.key?;
    let receipt: Receipt = envelope.open(&key).ok()?;
    (receipt.plan == *id && receipt.network == plan.network).then_some(receipt)
}

fn word(event: &Event) -> &'static str {
    match event.is_final() {
        true => event.word(),
        false if matches!(event, Event::Failed { .. }) => "failed",
        false => "open",
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plans.is_empty() {
            writeln!(f, "no plan has been published yet")?;
        } else {
            f.write_str(&self.table())?;
        }
        if self.plans.iter().any(|line| !line.verified) {
            let text = "* no longer among the documents that verify: the board's word";
            writeln!(f, "{}", labelled("note", text))?;
        }
        if self.refused > 0 {
            let text = format!("{} of what it sent did not verify", self.refused);
            writeln!(f, "{}", labelled("doubt", &text))?;
        }
        writeln!(f, "{}", labelled("told by", &self.told_by))
    }
}

impl History {
    fn table(&self) -> String {
        let mut rows = table::plain(&["plan", "published", "action", "title", "nodes", "ended"]);
        table::right(&mut rows, &[4]);
        for line in &self.plans {
            let mark = if line.verified { "" } else { "*" };
            let ended = line.ended.iter().map(|(word, count)| format!("{count} {word}"));
            rows.add_row([
                format!("{}{mark}", line.id),
                date(line.published_at),
                line.action.to_owned(),
                line.title.clone(),
                line.nodes.to_string(),
                ended.collect::<Vec<_>>().join(", "),
            ]);
        }
        table::text(&rows)
    }
}
