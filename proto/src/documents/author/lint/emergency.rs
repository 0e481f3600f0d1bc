//! Stops that take effect by the clock, and the documents that end them.

use super::Context;
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::ids::{Class, Counter};
use crate::documents::plan::{Action, Budget, Plan};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    match plan.class {
        Class::Emergency => stop(plan, found),
        _ if plan.schedule.is_some() => {
            let fix = "leave it out, or `class: emergency`";
            found.push(Finding::new(Code::P042, "schedule").fix(fix));
        }
        _ => {}
    }
    ends(context, found);
    held(context, found);
}

fn stop(plan: &Plan, found: &mut Vec<Finding>) {
    if let Budget::Seats(_) = plan.budget {
        found.push(Finding::new(Code::P046, "budget").fix("`budget: all`"));
    }
    if !plan.after.is_empty() {
        found.push(Finding::new(Code::P048, "after").fix("leave it out"));
    }
    let Some(schedule) = plan.schedule else { return };
    let last = plan.order().last().and_then(|(_, name)| plan.slot(name));
    let valid = plan.valid;
    let outside = if schedule.start < valid.from {
        Some(("schedule.start", format!("the first slot is {}", schedule.start)))
    } else {
        last.filter(|last| *last >= valid.until)
            .map(|last| ("schedule", format!("the last slot is {last}")))
    };
    if let Some((path, note)) = outside {
        let fix = "a shorter `pace`, a larger `parallel`, or a later `until`";
        found.push(Finding::new(Code::P043, path).note(note).fix(fix));
    }
}

fn ends(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let Some(ends) = plan.ends else {
        if context.yaml.is_some_and(|yaml| yaml.interrupted.is_some()) {
            let fix = "leave it out, or `ends: [emergency/…]`";
            found.push(Finding::new(Code::P047, "interrupted").fix(fix));
        }
        return;
    };
    let newest = context.known.newest(Counter::Emergency);
    if plan.class != Class::Hotfix {
        let note = format!("this plan is of class {}", plan.class);
        found.push(Finding::new(Code::P044, "ends").note(note).fix("`class: hotfix`"));
    } else if ends.emergency > newest {
        let finding = Finding::new(Code::P045, "ends");
        found.push(match newest {
            0 => finding.note("it holds none").fix("leave `ends` out"),
            _ => finding
                .note(format!("the newest is emergency/{newest}"))
                .fix(format!("`ends: [emergency/{newest}]`")),
        });
    }
}

/// A plan that wants nodes to run, while an emergency is not known to be ended.
fn held(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, known) = (context.plan, context.known);
    if matches!(plan.action, Action::Stop) || plan.ends.is_some() {
        return;
    }
    let ending = known.plans.values().chain([plan]).filter_map(Plan::ended_emergencies);
    let ended = ending.map(|ends| ends.emergency).max().unwrap_or(0);
    let open = known.of_counter(Counter::Emergency).into_iter().map(|(id, _)| id.serial).max();
    if let Some(open) = open.filter(|open| *open > ended) {
        let finding = Finding::new(Code::P211, "action").note(format!("emergency/{open}"));
        found.push(finding.fix(format!("`ends: [emergency/{open}]`, if it may end")));
    }
}
