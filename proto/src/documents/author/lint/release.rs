//! Whether the release fits the plan and the nodes.

use super::{Context, some};
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::author::nearest::nearest;
use crate::documents::ids::NodeName;
use crate::documents::plan::{Action, ReleaseRef};
use crate::documents::release::{Priority, Release};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    let Action::Upgrade(named) = &context.plan.action else { return };
    let Some(release) = context.release else {
        found.push(missing(context, named));
        return;
    };
    if !release.compatible {
        let fix = "wait for non-compatible plans, or mend the release if it is compatible";
        found.push(Finding::new(Code::P033, "release").fix(fix));
    }
    height(context, release, found);
    comes_from(context, release, found);
    misses(context, release, found);
}

fn missing(context: &Context<'_>, named: &ReleaseRef) -> Finding {
    if named.version.is_empty() {
        return Finding::new(Code::P031, "action").fix("`release: vX.Y.Z`");
    }
    let held = context.known.releases.keys().map(String::as_str);
    let finding = Finding::new(Code::P013, "release");
    if named.version.contains([':', '/', '@']) {
        let note = "this looks like an image with its tag";
        return finding.note(note).fix("the version of a published release, such as `v2.4.4`");
    }
    let note = match context.known.releases.contains_key(&named.version) {
        true => format!("the board holds {} with another digest", named.version),
        false => format!("no verified release {}", named.version),
    };
    finding.note(note).fix(match nearest(&named.version, held) {
        Some(near) if near != named.version => format!("did you mean `{near}`?"),
        _ => "publish it first: `muster release freeze`".into(),
    })
}

fn height(context: &Context<'_>, release: &Release, found: &mut Vec<Finding>) {
    let (Some(activation), Some(before)) =
        (release.activation_height, context.plan.deadline.before_height)
    else {
        return;
    };
    if before > activation {
        let note = format!("{} activates at {activation}", release.version);
        let fix = format!("`before-height: {activation}`, or leave it out");
        let finding = Finding::new(Code::P030, "deadline.before-height");
        found.push(finding.note(note).fix(fix));
    }
}

fn comes_from(context: &Context<'_>, release: &Release, found: &mut Vec<Finding>) {
    let (plan, known) = (context.plan, context.known);
    let may = |version: &String| *version == release.version || release.from.contains(version);
    let cannot = |version: &String| {
        let listed = release.from.join(", ");
        let note = format!("it may come from {listed}, not from {version}");
        let fix = "another release between, or mend `from` of this one";
        Finding::new(Code::P024, "release").note(note).fix(fix)
    };
    for serial in &plan.after {
        let siblings = known.of_counter(plan.class.counter());
        let earlier = siblings.iter().find(|(id, _)| id.serial == *serial);
        if let Some((_, earlier)) = earlier
            && let Action::Upgrade(before) = &earlier.action
            && !may(&before.version)
        {
            found.push(cannot(&before.version).why(format!("plan {serial} comes first")));
        }
    }
    for (_, name) in plan.order() {
        if let Some(version) = known.versions.get(name).filter(|version| !may(version)) {
            found.push(cannot(version).why(format!("{name} says it runs {version}")));
            return;
        }
    }
}

fn misses(context: &Context<'_>, release: &Release, found: &mut Vec<Finding>) {
    for (priority, code) in [(Priority::Must, Code::P020), (Priority::Recommended, Code::P203)] {
        let placed = |name: &NodeName| context.plan.order().any(|(_, placed)| placed == name);
        let missing: Vec<_> = context
            .concerned(priority)
            .map(|node| &node.name)
            .filter(|name| !placed(name))
            .collect();
        if !missing.is_empty() {
            let finding = Finding::new(code, "order").note(some(missing));
            found.push(finding.fix("add a last wave: `{wave: rest, select: {}}`"));
        }
    }
    for (wave, nodes) in context.plan.waves.iter().map(|wave| &wave.nodes).enumerate() {
        for (at, name) in nodes.iter().enumerate() {
            let Some(node) = context.roster_node(name) else { continue };
            if super::required(release, node) == Priority::NotRequired {
                let finding = Finding::new(Code::P204, Context::node_path(wave, at));
                found.push(finding.note(name.to_string()).fix("leave it out unless it is meant"));
            }
        }
    }
}
