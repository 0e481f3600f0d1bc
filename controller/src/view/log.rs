//! `muster log NODE`: what the node's agent has signed, oldest first.

use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use muster_proto::evidence::receipt::{Event, Outcome};
use muster_proto::evidence::{Head, Receipt};
use serde::Serialize;

use super::words::{ago, count, height, indented, labelled, span};

/// Verified receipts of one node.
#[derive(Debug, Clone, Serialize)]
pub struct Log {
    /// Whose.
    pub node: NodeName,
    /// When this was read.
    pub at: Timestamp,
    /// Oldest first; the chain is whole and each link verified.
    pub receipts: Vec<Receipt>,
    /// The newest link.
    pub head: Option<Head>,
    /// It signed two receipts with one counter.
    pub quarantined: bool,
    /// Newer links that its beacon names and nobody has shown.
    pub withheld: u64,
    #[serde(skip)]
    sources: String,
}

/// Puts the log together; `beacon_head` is what the node's newest beacon names.
pub fn log(
    node: &NodeName,
    receipts: Vec<Receipt>,
    head: Option<Head>,
    beacon_head: Option<&Head>,
    quarantined: bool,
    sources: String,
    now: Timestamp,
) -> Log {
    let shown = head.as_ref().map_or(0, |head| head.counter);
    let withheld = beacon_head.map_or(0, |named| named.counter.saturating_sub(shown));
    Log { node: node.clone(), at: now, receipts, head, quarantined, withheld, sources }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = count(self.receipts.len(), "receipt");
        match &self.head {
            Some(head) => {
                writeln!(f, "{} · {many}, verified, newest {}", self.node, head.hash.short())?;
            }
            None => writeln!(f, "{} has signed no receipt yet", self.node)?,
        }
        let mut day = String::new();
        for receipt in &self.receipts {
            let today = receipt.at.strftime("%Y-%m-%d").to_string();
            if today != day {
                writeln!(f, "\n  {today} (times are UTC, by the host's own clock)")?;
                day = today;
            }
            let time = receipt.at.strftime("%H:%M:%S").to_string();
            let line = format!("{:>4} {time}  {:<13}", receipt.counter, receipt.plan.to_string());
            writeln!(f, "{}", indented(&line, &event(&receipt.event), 33))?;
        }
        writeln!(f)?;
        if self.quarantined {
            let text = "two receipts with one counter: nothing newer is believed until a new \
                        roster gives it a new key";
            writeln!(f, "{}", labelled("doubt", text))?;
        }
        if self.withheld > 0 {
            let text = format!("its beacon names {} more that no board has shown", self.withheld);
            writeln!(f, "{}", labelled("missing", &text))?;
        }
        if let Some(newest) = self.receipts.last() {
            writeln!(f, "{}", labelled("newest", &ago(newest.at, self.at)))?;
        }
        writeln!(f, "{}", labelled("told by", &self.sources))
    }
}

/// One line about what happened.
fn event(event: &Event) -> String {
    match event {
        Event::Acknowledged { in_hand: Some(plan) } => format!("acknowledged, {plan} in hand"),
        Event::Declined { reason } => format!("declined: {reason}"),
        Event::Began { sum: Some(sum), .. } => format!("began, {}", count(*sum as usize, "seat")),
        Event::Stopped { height: at, exit, .. } => {
            let at = at.map_or(String::new(), |at| format!(" at height {}", height(at)));
            format!("stopped{at}, exit {exit}")
        }
        Event::Failed { code, why } => format!("failed {code}: {why}"),
        Event::Done(outcome) | Event::RolledBack(outcome) => {
            format!("{}{}", event.word(), ended(outcome))
        }
        other => other.word().into(),
    }
}

fn ended(outcome: &Outcome) -> String {
    let version = outcome.version.as_ref().map_or(String::new(), |v| format!(", {v}"));
    let at = outcome.height.map_or(String::new(), |at| format!(", height {}", height(at)));
    let away = outcome.away_ms.map_or(String::new(), |ms| format!(", away for {}", span(ms)));
    let would =
        outcome.would.as_ref().map_or(String::new(), |would| format!("; dry: would {would}"));
    format!("{version}{at}, image {}{away}{would}", outcome.image.short())
}
