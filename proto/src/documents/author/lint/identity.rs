//! Network, class, serial, validity, and the other plans.

use super::Context;
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::ids::Class;
use crate::documents::plan::Action;

/// Agents refuse a serial further than this above the newest.
const SERIAL_JUMP_MAX: u64 = 1_000;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    network(context, found);
    class(context, found);
    serial(context, found);
    validity(context, found);
    rests_on(context, found);
    older_plans(context, found);
    named_plans(context, found);
}

fn network(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, roster) = (context.plan, &context.known.roster);
    if plan.network != roster.network {
        let finding = Finding::new(Code::P001, "network");
        let note = format!("the roster at hand is that of {}", roster.network);
        found.push(finding.note(note).fix("mend the network, or take the other network's board"));
    }
}

fn class(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let carries = matches!(plan.action, Action::Upgrade(_));
    let names_one = context.yaml.is_some_and(|yaml| yaml.release.is_some());
    if plan.class == Class::Emergency {
        if carries || names_one {
            let field = if carries { "action" } else { "release" };
            let finding = Finding::new(Code::P010, field);
            found.push(finding.fix("`action: stop` without a release, or `class: hotfix`"));
        } else if plan.action != Action::Stop {
            let finding = Finding::new(Code::P011, "action");
            let note = format!("`{}` is more than a stop", plan.action.word());
            found.push(finding.note(note).fix("`action: stop`, or `class: hotfix`"));
        }
    } else if names_one && !carries {
        let fix = "leave it out, or `action: upgrade`";
        found.push(Finding::new(Code::P035, "release").fix(fix));
    }
    match (plan.class, plan.drill.is_drill()) {
        (Class::Drill, false) => {
            let fix = "`drill: true` or `drill: dry`, or leave it out";
            found.push(Finding::new(Code::P012, "drill").fix(fix));
        }
        (Class::Drill, true) | (_, false) => {}
        (_, true) => {
            let note = format!("its class is {}", plan.class);
            let fix = "`class: drill`, or leave `drill` out";
            found.push(Finding::new(Code::P049, "drill").note(note).fix(fix));
        }
    }
}

fn serial(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let newest = context.known.newest(plan.class.counter());
    let fix = format!("the next one is `serial: {}`", newest + 1);
    if plan.serial <= newest {
        let finding = Finding::new(Code::P002, "serial");
        let note = match newest {
            0 => "serials begin with 1".into(),
            _ => format!("the newest is {newest}"),
        };
        found.push(finding.note(note).fix(fix));
    } else if plan.serial > newest + SERIAL_JUMP_MAX {
        let finding = Finding::new(Code::P003, "serial");
        found.push(finding.note(format!("the newest is {newest}")).fix(fix));
    }
}

fn validity(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, now) = (context.plan, context.known.now);
    if plan.valid.until <= plan.valid.from {
        let note = format!("it begins {}", plan.valid.from);
        let fix = "a later `until`";
        found.push(Finding::new(Code::P004, "valid.until").note(note).fix(fix));
    } else if plan.valid.until <= now {
        let note = format!("it is {now} now");
        let fix = "a later `until`";
        found.push(Finding::new(Code::P005, "valid.until").note(note).fix(fix));
    }
}

fn rests_on(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    let rests = |role: &str| {
        matches!(role, "root" | "targets" | "roster")
            || role == plan.class.role()
            || role == "release" && matches!(plan.action, Action::Upgrade(_))
    };
    let shorter = (context.known.expiries.iter())
        .filter(|(role, expires)| rests(role) && *expires < plan.valid.until);
    if let Some((role, expires)) = shorter.min_by_key(|(_, expires)| *expires) {
        let finding = Finding::new(Code::P006, "valid.until");
        let note = format!("`{role}` expires {expires}");
        let fix = format!("an `until` before that, or sign `{role}` anew first");
        found.push(finding.note(note).fix(fix));
    }
}

fn older_plans(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, known) = (context.plan, context.known);
    // An emergency waits for no other and ends none.
    if plan.class == Class::Emergency {
        return;
    }
    for (id, other) in known.of_counter(plan.class.counter()) {
        let named = plan.after.contains(&id.serial) || plan.supersedes.contains(&id.serial);
        if id.serial < plan.serial && known.is_open(id, other) && !named {
            // Only evidence tells that a plan is over, and a signer has none.
            let code = if context.yaml.is_some() { Code::P007 } else { Code::P210 };
            let finding = Finding::new(code, "serial");
            let note = format!("plan {id} ({}) is open until {}", other.title, other.valid.until);
            let fix = format!("`after: [{0}]`, or `supersedes: [{0}]`", id.serial);
            found.push(finding.note(note).fix(fix));
        }
    }
}

fn named_plans(context: &Context<'_>, found: &mut Vec<Finding>) {
    let (plan, known) = (context.plan, context.known);
    let siblings = known.of_counter(plan.class.counter());
    for (list, serials) in [("after", &plan.after), ("supersedes", &plan.supersedes)] {
        for (at, serial) in serials.iter().enumerate() {
            let path = format!("{list}[{at}]");
            let twice = serials[..at].contains(serial)
                || list == "supersedes" && plan.after.contains(serial);
            if *serial >= plan.serial || twice {
                let note = match twice {
                    true => format!("{serial} is named twice"),
                    false => format!("{serial} is not older than {}", plan.serial),
                };
                let fix = "each older plan once, in one of the two";
                found.push(Finding::new(Code::P009, path).note(note).fix(fix));
            } else if !siblings.iter().any(|(id, _)| id.serial == *serial) {
                let note = format!("the board holds no plan {serial} of this counter");
                let fix = "name a plan that `muster history` shows";
                found.push(Finding::new(Code::P008, path).note(note).fix(fix));
            }
        }
    }
}
