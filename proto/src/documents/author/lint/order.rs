//! Who stands in the order.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::documents::author::codes::Code;
use crate::documents::author::finding::Finding;
use crate::documents::author::nearest::nearest;
use crate::documents::ids::NodeName;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Finding>) {
    let plan = context.plan;
    if plan.waves.is_empty() {
        let fix = "`- {wave: all, select: {}}`";
        found.push(Finding::new(Code::P017, "order").note("no wave at all").fix(fix));
    }
    let mut names = BTreeSet::new();
    let mut placed: BTreeMap<&NodeName, &str> = BTreeMap::new();
    for (index, wave) in plan.waves.iter().enumerate() {
        if !names.insert(&wave.name) {
            let finding = Finding::new(Code::P034, format!("order[{index}].wave"));
            found.push(finding.note(format!("`{}` above", wave.name)).fix("choose another name"));
        }
        if wave.nodes.is_empty() {
            found.push(nobody(context, index));
        }
        for (at, name) in wave.nodes.iter().enumerate() {
            let path = Context::node_path(index, at);
            if let Some(finding) = place(context, name, path.clone()) {
                found.push(finding);
            } else if let Some(first) = placed.insert(name, &wave.name) {
                let finding = Finding::new(Code::P018, path);
                let note = format!("{name} stands in wave {first} already");
                found.push(finding.note(note).fix("keep one of the two"));
            }
        }
    }
}

fn nobody(context: &Context<'_>, index: usize) -> Finding {
    let selects = context.yaml.is_some_and(|yaml| yaml.order[index].select.is_some());
    let field = if selects { "select" } else { "wave" };
    let finding = Finding::new(Code::P017, format!("order[{index}].{field}"));
    match selects {
        true => finding
            .note("finds nobody that is not placed before")
            .fix("see `muster fleet` for roles and labels; nodes without an agent are not found"),
        false => finding.note("neither nodes nor a select").fix("`nodes: […]` or `select: {…}`"),
    }
}

/// Why a node has no place in an order, if so.
fn place(context: &Context<'_>, name: &NodeName, path: String) -> Option<Finding> {
    match context.plan.member(name) {
        None => {
            let known = context.plan.members.iter().map(|member| member.name.as_str());
            let finding = Finding::new(Code::P019, path);
            let finding = finding.note(format!("the roster knows no {name}"));
            Some(finding.fix(match nearest(name.as_str(), known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see `muster fleet` for the names".into(),
            }))
        }
        Some(member) if member.key.is_none() => {
            let finding = Finding::new(Code::P029, path).note(format!("{name} has no agent"));
            Some(finding.fix("leave it out, or enrol an agent there"))
        }
        Some(_) => None,
    }
}
