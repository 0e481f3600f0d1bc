//! `muster abort`: what ends, for whom, and what becomes of those in the middle, in words, before
//! anybody signs it.

use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use muster_proto::documents::plan::Action;
use muster_proto::rule::away::Away;
use muster_proto::rule::progress::{NodeProgress, progress};
use muster_proto::rule::{Documents, Evidence, Final};
use serde::Serialize;

use super::words::{WIDTH, count, indented, moment, names, wrap};

/// Names shown before a list is shortened.
const SHOWN: usize = 6;

/// An abort, ready to be read. Every node of the plan's order stands in one list.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// Such as `hotfix/42`.
    pub plan: String,
    /// Its title, with the mark of a drill.
    pub title: String,
    /// Why, as everybody will read it.
    pub reason: String,
    /// The plan's own end.
    pub until: Timestamp,
    /// Have not begun, and never will.
    pub never: Vec<NodeName>,
    /// In the middle of an upgrade: they put their old node back.
    pub back: Vec<NodeName>,
    /// In the middle of anything else: they finish.
    pub finish: Vec<NodeName>,
    /// Done; they stay as they are.
    pub done: Vec<NodeName>,
    /// Rolled back or declined.
    pub out: Vec<NodeName>,
    /// Of those who have not come to an end, who is not heard now.
    pub silent: Vec<NodeName>,
    /// The done ones were stopped, and stay down.
    pub stays_down: bool,
}

/// Reads what is about to be ended.
pub fn preview(
    documents: &Documents<'_>,
    evidence: &Evidence,
    reason: &str,
    now: Timestamp,
) -> Preview {
    let plan = documents.plan;
    let nodes = progress(documents, evidence, now).nodes;
    let those = |is: &dyn Fn(&NodeProgress) -> bool| {
        nodes.iter().filter(|node| is(node)).map(|node| node.node.clone()).collect::<Vec<_>>()
    };
    let upgrade = matches!(plan.action, Action::Upgrade(_));
    let deaf = |node: &NodeProgress| matches!(node.away, Some(Away::NoBeacon | Away::Stale(_)));
    let out = |node: &NodeProgress| matches!(node.outcome(), Some(end) if end != Final::Done);
    Preview {
        plan: documents.id.to_string(),
        title: plan.headline(),
        reason: reason.to_owned(),
        until: plan.valid.until,
        never: those(&|node| node.outcome().is_none() && !node.is_at_work()),
        back: those(&|node| node.is_at_work() && upgrade),
        finish: those(&|node| node.is_at_work() && !upgrade),
        done: those(&|node| node.outcome() == Some(Final::Done)),
        out: those(&out),
        silent: those(&|node| node.outcome().is_none() && deaf(node)),
        stays_down: plan.leaves_down(),
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!("This ends plan {} for good: {}.", self.plan, self.title);
        writeln!(f, "{}", wrap(&head, WIDTH, 2))?;
        writeln!(f, "{}", indented("reason", &self.reason, 12))?;
        let stay = if self.stays_down { "are down and stay down" } else { "are done and stay" };
        let heard = "are not heard now: they begin nothing until a board tells them the newest";
        for (label, who, words) in [
            ("never", &self.never, "have not begun, and never will"),
            ("back", &self.back, "are in the middle, and put their old node back"),
            ("finish", &self.finish, "are in the middle, and finish"),
            ("stay", &self.done, stay),
            ("out", &self.out, "rolled back or declined"),
            ("silent", &self.silent, heard),
        ] {
            if who.is_empty() {
                continue;
            }
            let who: Vec<_> = who.iter().map(NodeName::as_str).collect();
            let many = count(who.len(), "node");
            let text = format!("{many}: {}; they {words}", names(&who, SHOWN));
            writeln!(f, "{}", indented(label, &text, 12))?;
        }
        let end = format!("nothing takes it back; the plan ran until {}", moment(self.until));
        writeln!(f, "{}", indented("then", &end, 12))
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::plan::ReleaseRef;
    use muster_proto::documents::{NO_ABORTS, Plan};
    use muster_proto::rule::facts::PlanFacts;

    use super::*;
    use crate::view::fixture::{all_well, before, name, now, plan, roster};

    #[test]
    fn everybody_is_told_what_becomes_of_him() {
        let ((id, plan), mut evidence) = (plan(7), all_well(7));
        let mut says = |node: u8, facts: PlanFacts| {
            let node = evidence.nodes.get_mut(&name(node)).expect("it is there");
            node.plans.insert(id.clone(), facts);
        };
        let began = Some(before(60));
        let outcome = |how| Some((how, before(30)));
        says(1, PlanFacts { began, outcome: outcome(Final::Done), ..PlanFacts::default() });
        says(2, PlanFacts { outcome: outcome(Final::Declined), ..PlanFacts::default() });
        says(3, PlanFacts { began, ..PlanFacts::default() });
        evidence.nodes.remove(&name(5));
        let (roster, others) = (roster(7), Default::default());
        let release = ReleaseRef { version: "v2.4.4".into(), digest: id.digest.clone() };
        let plan = Plan { action: Action::Upgrade(release), ..plan };
        let (plan, aborts) = (&plan, &NO_ABORTS);
        let documents = Documents { id: &id, plan, roster: &roster, others: &others, aborts };
        let shown = preview(&documents, &evidence, "the canary lost its peers", now());
        assert_eq!(shown.done, [name(1)]);
        assert_eq!(shown.out, [name(2)]);
        assert_eq!(shown.back, [name(3)]);
        assert_eq!(shown.silent, [name(5)]);
        assert!(shown.finish.is_empty());
        assert!(shown.never.contains(&name(4)) && shown.never.contains(&name(5)));
        let text = shown.to_string();
        assert!(text.starts_with("This ends plan hotfix/42 for good: "), "{text}");
        assert!(text.contains("1 node: node-03; they are in the middle, and put"), "{text}");
        assert!(!text.contains("finish"), "nobody stands there\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");

        let stop = Plan { action: Action::Stop, ..plan.clone() };
        let documents = Documents { plan: &stop, ..documents };
        let shown = preview(&documents, &evidence, "enough", now());
        assert_eq!((shown.finish.as_slice(), shown.stays_down), ([name(3)].as_slice(), true));
        assert!(shown.to_string().contains("they are down and stay down"));
    }
}
