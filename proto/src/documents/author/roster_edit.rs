//! Puts an enrolled node into a roster's text, and leaves every comment where it is.
//!
//! The edit is one inserted block or one replaced key; then the text is read again and must
//! say exactly what was meant, or nothing is changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::codes::Code;
use super::document::{Parsed, read};
use super::enrol::Enrol;
use super::finding::{Finding, Refused};
use super::roster::{NodeYaml, RosterYaml};
use super::source::{Places, Span};
use super::words::word;
use crate::documents::ids::OperatorAddress;
use crate::documents::roster::Role;

/// What the officers decide about a new node; the agent does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Needed when the enrolment names none.
    pub operator: Option<OperatorAddress>,
    /// What the node is for.
    pub role: Role,
    /// By default true for a consensus delegate, else false.
    pub seat: Option<bool>,
    /// For a plan's `select`.
    pub labels: BTreeMap<String, String>,
    /// Its standby group.
    pub group: Option<String>,
    /// Listed in everybody's `network.bootstrapNodes`.
    pub bootstrap: bool,
}

/// The roster's text with the node in it: a new node, or a new key for a node that is listed.
///
/// # Errors
/// `D128` when the enrolment does not fit, `D129` when the layout is not understood, and every
/// refusal of the text itself.
pub fn add(
    file: &str,
    text: &str,
    enrol: &Enrol,
    placement: &Placement,
) -> Result<String, Refused> {
    let parsed = read::<RosterYaml>(file, text)?;
    if parsed.value.network != enrol.network {
        let note = format!("the enrolment is for {}", enrol.network);
        let finding = Finding::new(Code::D128, "network").note(note);
        return Err(finding.fix("take that network's roster").at(&parsed.places).into());
    }
    let at = parsed.value.nodes.iter().position(|node| node.name == enrol.name);
    let (edited, meant) = match at {
        Some(at) => rekey(text, &parsed, at, enrol)?,
        None => append(text, &parsed, enrol, placement)?,
    };
    match read::<RosterYaml>(file, &edited) {
        Ok(again) if again.value == meant => Ok(edited),
        _ => Err(by_hand(&parsed.places)),
    }
}

fn by_hand(places: &Places) -> Refused {
    let fix = "write `nodes:` as a list with one `- name: …` block for each node";
    Finding::new(Code::D129, "nodes").fix(fix).at(places).into()
}

type Edit = (String, RosterYaml);

fn rekey(
    text: &str,
    parsed: &Parsed<RosterYaml>,
    at: usize,
    enrol: &Enrol,
) -> Result<Edit, Refused> {
    let places = &parsed.places;
    let mut meant = parsed.value.clone();
    let node = &mut meant.nodes[at];
    if enrol.operator.as_ref().is_some_and(|operator| *operator != node.operator) {
        let note = "the enrolment names another operator address";
        let finding = Finding::new(Code::D128, format!("nodes[{at}].operator")).note(note);
        return Err(finding.fix("ask the operator which is right").at(places).into());
    }
    let had = node.key.replace(enrol.key);
    let edited = match (had, places.span(&format!("nodes[{at}].key"))) {
        (Some(_), Some(span)) => splice(text, span, &enrol.key.to_string()),
        _ => {
            let name = places.key(&format!("nodes[{at}].name")).ok_or_else(|| by_hand(places))?;
            insert_after(text, name.line, &format!("{}key: {}\n", indent(name), enrol.key))
        }
    };
    Ok((edited, meant))
}

fn append(
    text: &str,
    parsed: &Parsed<RosterYaml>,
    enrol: &Enrol,
    placement: &Placement,
) -> Result<Edit, Refused> {
    let places = &parsed.places;
    let node = placed(enrol, placement, places)?;
    let key = places.key("nodes").ok_or_else(|| by_hand(places))?;
    let (text, dash) = match places.span("nodes[0]") {
        Some(first) => (text.to_owned(), dash_column(text, first).ok_or_else(|| by_hand(places))?),
        None => {
            let list = places.span("nodes").and_then(|span| empty_list(text, span));
            (splice(text, list.ok_or_else(|| by_hand(places))?, ""), 2)
        }
    };
    let last = last_line(&text, key, places);
    let edited = insert_after(&text, last, &block(&node, dash));
    let mut meant = parsed.value.clone();
    meant.nodes.push(node);
    Ok((edited, meant))
}

fn placed(enrol: &Enrol, placement: &Placement, places: &Places) -> Result<NodeYaml, Refused> {
    let operator = match (&enrol.operator, &placement.operator) {
        (Some(said), Some(given)) if said != given => {
            let note = format!("the enrolment says {said}, the command {given}");
            let finding = Finding::new(Code::D128, "nodes").note(note);
            return Err(finding.fix("ask the operator which is right").at(places).into());
        }
        (Some(operator), _) | (None, Some(operator)) => operator.clone(),
        (None, None) => {
            let finding = Finding::new(Code::D128, "nodes").note("it names no operator address");
            return Err(finding.fix("give it: `--operator io1…`").at(places).into());
        }
    };
    Ok(NodeYaml {
        name: enrol.name.clone(),
        operator,
        key: Some(enrol.key),
        managed: None,
        endpoint: enrol.endpoint,
        contact: enrol.contact.clone(),
        role: placement.role,
        seat: placement.seat,
        labels: placement.labels.clone(),
        group: placement.group.clone(),
        bootstrap: placement.bootstrap,
    })
}

/// One node as a block, its dash in column `dash` (from 0).
fn block(node: &NodeYaml, dash: usize) -> String {
    // JSON's strings are YAML's double-quoted ones.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = vec![
        format!("name: {}", node.name),
        format!("operator: {}", node.operator),
        format!("endpoint: {}", quoted(&node.endpoint.to_string())),
        format!("contact: {}", quoted(&node.contact)),
        format!("role: {}", word(node.role)),
    ];
    lines.extend(node.key.map(|key| format!("key: {key}")));
    lines.extend(node.seat.map(|seat| format!("seat: {seat}")));
    lines.extend(node.group.as_ref().map(|group| format!("group: {}", quoted(group))));
    if node.bootstrap {
        lines.push("bootstrap: true".into());
    }
    if !node.labels.is_empty() {
        let label =
            |(name, value): (&String, &String)| format!("{}: {}", quoted(name), quoted(value));
        let labels: Vec<_> = node.labels.iter().map(label).collect();
        lines.push(format!("labels: {{{}}}", labels.join(", ")));
    }
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let lead = if at == 0 { "- " } else { "  " };
        let _ = writeln!(out, "{:dash$}{lead}{line}", "");
    }
    out
}

fn indent(span: Span) -> String {
    " ".repeat(span.column.saturating_sub(1) as usize)
}

/// Column (from 0) of the dash before a list's first item.
fn dash_column(text: &str, first: Span) -> Option<usize> {
    let line = text.lines().nth(first.line as usize - 1)?;
    let blank = line.len() - line.trim_start().len();
    line.trim_start().starts_with('-').then_some(blank)
}

/// All of `[]`, from its bracket on.
fn empty_list(text: &str, span: Span) -> Option<Span> {
    let inside = text[span.start..].strip_prefix('[')?;
    let close = inside.find(']').filter(|at| inside[..*at].trim().is_empty())?;
    Some(Span { len: close + 2, ..span })
}

/// The last line of the list below `nodes`: before the next field, comments and blanks left out.
fn last_line(text: &str, nodes: Span, places: &Places) -> u32 {
    let next = (places.keys.iter())
        .filter(|(path, key)| !path.contains(['.', '[']) && key.line > nodes.line)
        .map(|(_, key)| key.line)
        .min();
    let lines: Vec<_> = text.lines().collect();
    let end = next.map_or(lines.len(), |line| line as usize - 1);
    let content = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && line != "..."
    };
    let last = lines[..end].iter().rposition(content);
    last.map_or(nodes.line, |at| at as u32 + 1)
}

fn splice(text: &str, span: Span, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.start + span.len..])
}

fn insert_after(text: &str, line: u32, block: &str) -> String {
    let mut out = String::new();
    for (at, existing) in text.split_inclusive('\n').enumerate() {
        out.push_str(existing);
        if at as u32 + 1 == line {
            if !existing.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(block);
        }
    }
    out
}
