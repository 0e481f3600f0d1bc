//! Whether every gate can be met, and a start does not wait for itself.

use std::collections::BTreeSet;

use super::{Context, quorum};
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::author::values::Millis;
use crate::documents::ids::NodeName;
use crate::documents::plan::{Action, Compatibility};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    gates(context, found);
    soaks(context, found);
    if context.plan.action == Action::Start {
        waits_for_itself(context, found);
    }
}

fn gates(context: &Context<'_>, found: &mut Vec<Finding>) {
    for (index, wave) in context.plan.waves.iter().enumerate() {
        let with_agent =
            |name: &&NodeName| context.plan.member(name).is_some_and(|member| member.key.is_some());
        let managed = wave.nodes.iter().filter(with_agent).count() as u32;
        let path = format!("order[{index}].done");
        // A gate that nobody wrote is too high only because of nodes that are refused anyway.
        let written = context.yaml.is_none_or(|yaml| yaml.order[index].done.is_some());
        if wave.done > managed && written {
            let note = format!("{} done of {managed} nodes with an agent", wave.done);
            let fix = format!("at most `done: {managed}`");
            found.push(Finding::new(Code::P015, path).note(note).fix(fix));
        } else if wave.done == 0 && managed > 0 {
            let tolerate = context.plan.failures.tolerate;
            let note = match written {
                true => "0 done".into(),
                false => format!("{managed} nodes, {tolerate} failures tolerated"),
            };
            let fix = "`done: 1` at least, or a smaller `tolerate`";
            found.push(Finding::new(Code::P028, path).note(note).fix(fix));
        }
    }
}

/// The soak of the last wave holds nobody up.
fn soaks(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let Some((_, before)) = plan.waves.split_last() else { return };
    let soak = before.iter().fold(0_u64, |sum, wave| sum.saturating_add(wave.soak_ms));
    let valid = plan.valid.until.duration_since(plan.valid.from).as_millis();
    if valid > 0 && i128::from(soak) >= valid {
        let longest = (0..before.len()).max_by_key(|at| before[*at].soak_ms).unwrap_or(0);
        let note = format!("{} of soak, valid for {}", Millis(soak), Millis(valid as u64));
        let finding = Finding::new(Code::P023, format!("order[{longest}].soak"));
        found.push(finding.note(note).fix("a shorter soak, or a later `until`"));
    }
}

/// What runs once the waves so far are started: bootstrap nodes and seats.
struct Running<'a> {
    bootstrap: usize,
    bootstrap_all: usize,
    seats: BTreeSet<&'a str>,
    quorum: u32,
}

impl Running<'_> {
    fn can_be_healthy(&self) -> bool {
        let peers = self.bootstrap_all == 0 || 2 * self.bootstrap > self.bootstrap_all;
        peers && self.seats.len() as u32 >= self.quorum
    }

    fn note(&self) -> String {
        let (seats, quorum) = (self.seats.len(), self.quorum);
        match self.bootstrap_all {
            0 => format!("{seats} seats run then, {quorum} are needed"),
            all => format!(
                "{} of {all} bootstrap nodes and {seats} seats run then, {} and {quorum} are needed",
                self.bootstrap,
                all / 2 + 1
            ),
        }
    }
}

fn running<'a>(context: &Context<'a>, started: &BTreeSet<&NodeName>) -> Running<'a> {
    let ordered: BTreeSet<_> = context.plan.order().map(|(_, name)| name).collect();
    let up = |name: &NodeName| !ordered.contains(name) || started.contains(name);
    let bootstrap = context.known.roster.nodes.iter().filter(|node| node.bootstrap);
    let members = context.plan.members.iter().filter(|member| up(&member.name));
    // Seats beyond the active ones wait for their turn; they make no quorum by themselves.
    let all_seats: BTreeSet<_> =
        context.plan.members.iter().filter_map(|member| member.seat.as_deref()).collect();
    let active = context.plan.active.min(all_seats.len() as u32);
    Running {
        bootstrap: bootstrap.clone().filter(|node| up(&node.name)).count(),
        bootstrap_all: bootstrap.count(),
        seats: members.filter_map(|member| member.seat.as_deref()).collect(),
        quorum: quorum(active),
    }
}

/// In a compatible start every node must be healthy before the next one begins; in a halting
/// one *done* means running, and only a soak needs health.
fn waits_for_itself(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let fix = "`compatibility: halting` (a fleet that is down) and a soak in the last wave only";
    if plan.compatibility == Compatibility::Compatible {
        let first: BTreeSet<_> =
            plan.order().map(|(_, name)| name).take(plan.parallel as usize).collect();
        let running = running(context, &first);
        if !running.can_be_healthy() {
            let finding = Finding::new(Code::P021, "parallel").note(running.note());
            found.push(finding.fix(fix));
        }
        return;
    }
    let mut started = BTreeSet::new();
    let last = plan.waves.len().saturating_sub(1);
    for (index, wave) in plan.waves.iter().enumerate().take(last) {
        started.extend(&wave.nodes);
        let running = running(context, &started);
        if wave.soak_ms > 0 && !running.can_be_healthy() {
            let finding = Finding::new(Code::P021, format!("order[{index}].soak"));
            found.push(finding.note(running.note()).fix(fix));
        }
    }
}
