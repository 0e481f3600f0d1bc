//! A frozen plan in words. Read from the frozen plan alone: what is printed is what is signed.
//!
//! The release and the roster only explain (versions it comes from, why a node is left out),
//! and only when they are the very documents that the plan was frozen with.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::codes::Code;
use super::estimate::{Estimate, rough};
use super::finding::wrap;
use super::freeze::required;
use super::values::Millis;
use super::words::word;
use crate::documents::canonical;
use crate::documents::ids::{Digest, NodeName};
use crate::documents::plan::{Action, Budget, Compatibility, Interrupted, Plan, Unmanaged, Wave};
use crate::documents::release::{GenesisChange, Priority, Release};
use crate::documents::roster::Roster;

/// What explains a plan beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The release that the plan names; ignored when its digest is another.
    pub release: Option<&'a Release>,
    /// The roster that it was frozen with.
    pub roster: Option<&'a Roster>,
}

impl<'a> Beside<'a> {
    fn release_of(&self, plan: &Plan) -> Option<&'a Release> {
        let Action::Upgrade(named) = &plan.action else { return None };
        let bytes = canonical::to_bytes(self.release?).ok()?;
        self.release.filter(|_| Digest::of(&bytes) == named.digest)
    }
}

/// The table that `muster plan freeze` prints, at most 80 columns.
pub fn table(plan: &Plan, beside: Beside<'_>) -> String {
    let mut out = String::new();
    let drill = plan.drill.mark().map_or(String::new(), |mark| format!(" · {mark}"));
    let _ = writeln!(
        out,
        "plan {} · {} · {}, {} · {}{drill}",
        plan.serial,
        plan.title,
        plan.class,
        word(plan.urgency),
        plan.network
    );
    let lines = [what(plan, beside), pace(plan)].into_iter().chain(emergency(plan));
    for line in lines.flat_map(|line| wrapped(&line)) {
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
    let nodes = |wave: &Wave| abbreviate(&wave.nodes);
    let wide = |texts: Vec<usize>, least: usize| texts.into_iter().max().unwrap_or(0).max(least);
    let w1 = wide(plan.waves.iter().map(|wave| wave.name.chars().count()).collect(), 6).min(16);
    let w2 = wide(plan.waves.iter().map(|wave| nodes(wave).chars().count()).collect(), 24);
    let _ = writeln!(out, "  {:w1$}  {:w2$}  {:>5}  {:8} then", "wave", "nodes", "seats", "gate");
    for wave in &plan.waves {
        let (gate, then) = (format!("{} done", wave.done), soak(wave));
        let seats = seats(plan, &wave.nodes);
        let line = format!(
            "  {:w1$}  {:w2$}  {seats:>5}  {gate:8} {then}",
            clipped(&wave.name, w1),
            nodes(wave)
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
    for line in left_out(plan, beside) {
        let _ = writeln!(out, "  {line}");
    }
    let estimate = Estimate::of(plan);
    let (shortest, expected) = (estimate.shortest(), estimate.expected());
    let _ = writeln!(out, "  shortest possible {shortest} · with usual health times {expected}");
    out
}

/// What `muster sign` shows: what is about to be signed, a line each.
pub fn words(plan: &Plan, beside: Beside<'_>) -> Vec<String> {
    let order: Vec<_> = plan.order().map(|(_, name)| name).collect();
    let mut lines = vec![format!(
        "{}{} {} of {}, {}, valid {} to {}",
        plan.drill.mark().map_or(String::new(), |mark| format!("{mark}: ")),
        plan.action.word(),
        count(order.len(), "node"),
        plan.network,
        at_a_time(plan),
        plan.valid.from.strftime("%-d %b %H:%M"),
        moment(plan.valid.until),
    )];
    if matches!(plan.action, Action::Upgrade(_)) {
        lines.push(what(plan, beside));
    }
    lines.push(match plan.budget {
        Budget::All if plan.action.only_gives() => "it takes nobody away".into(),
        Budget::All => "nothing is counted: the chain halts, or is halted already".into(),
        Budget::Seats(down) => format!("at most {} away at any time", count(down as usize, "seat")),
    });
    lines.extend(emergency(plan));
    let tolerate = plan.failures.tolerate as usize;
    lines.push(format!(
        "it holds itself after {}; it may not roll back everybody",
        count(tolerate + 1, "failure")
    ));
    for (list, says) in [(&plan.after, "after"), (&plan.supersedes, "in the place of")] {
        if !list.is_empty() {
            let list: Vec<_> = list.iter().map(u64::to_string).collect();
            lines.push(format!("{says} plan {}", list.join(", ")));
        }
    }
    if plan.unmanaged == Unmanaged::AssumeUp {
        lines.push("nodes without an agent are taken for up, on your word".into());
    }
    lines.iter().flat_map(|line| wrapped(line)).collect()
}

/// Columns of a line that is indented by two.
const WIDTH: usize = 78;

/// Breaks a line between words; what follows is indented.
fn wrapped(text: &str) -> Vec<String> {
    let lines = wrap(text, WIDTH - 2).into_iter().enumerate();
    lines.map(|(at, line)| if at == 0 { line } else { format!("  {line}") }).collect()
}

fn what(plan: &Plan, beside: Beside<'_>) -> String {
    let Action::Upgrade(named) = &plan.action else {
        let halting = match plan.compatibility {
            Compatibility::Compatible => "the chain stays alive",
            Compatibility::Halting => "the chain may halt",
        };
        return format!("{}: {halting}", plan.action.word());
    };
    let Some(release) = beside.release_of(plan) else {
        return format!("to {} (release {})", named.version, named.digest.short());
    };
    let image = release.images.iter().map(|(platform, image)| {
        let digest = image.manifest.as_ref().unwrap_or(&image.config);
        format!("sha256:{}, {platform}", digest.short())
    });
    let genesis = match release.genesis {
        GenesisChange::Unchanged => "config unchanged",
        GenesisChange::Replaced { .. } => "config unchanged, new genesis file",
    };
    format!(
        "from {} to {} ({}), {genesis}, {}",
        release.from.join(" or "),
        release.version,
        image.collect::<Vec<_>>().join("; "),
        word(plan.compatibility)
    )
}

fn pace(plan: &Plan) -> String {
    let nodes = plan.order().count();
    let budget = match plan.budget {
        Budget::All => "nothing counted".into(),
        Budget::Seats(_) if plan.action.only_gives() => "nobody taken away".into(),
        Budget::Seats(down) => {
            format!("at most {} away at any time", count(down as usize, "seat"))
        }
    };
    format!(
        "{} in {}, {}, {budget} ({} active)",
        count(nodes, "node"),
        count(plan.waves.len(), "wave"),
        at_a_time(plan),
        plan.active
    )
}

/// By when everybody goes, and which emergencies are over, a line each.
pub fn emergency(plan: &Plan) -> Vec<String> {
    slots(plan).into_iter().chain(ends(plan)).collect()
}

fn slots(plan: &Plan) -> Option<String> {
    let schedule = plan.schedule?;
    let last = plan.order().last().and_then(|(_, name)| plan.slot(name));
    let pace = match (schedule.pace_ms, last) {
        (0, _) | (_, None) => format!("everybody at the latest {}", second(schedule.start)),
        (pace, Some(last)) => format!(
            "the first at the latest {}, then {} apart, the last at the latest {}; sooner when \
             those before are down",
            second(schedule.start),
            Millis(pace),
            second(last)
        ),
    };
    Some(format!(
        "{pace}. Each by its own clock, whoever can be reached; killed after {}",
        Millis(schedule.grace_ms)
    ))
}

fn ends(plan: &Plan) -> Option<String> {
    let ends = plan.ended_emergencies()?;
    let which = match ends.emergency {
        1 => "emergency/1: it holds".to_owned(),
        last => format!("every emergency up to emergency/{last}: they hold"),
    };
    let interrupted = match ends.interrupted {
        Interrupted::RollBack => "rolled back: the node from before it starts",
        Interrupted::GoOn => "gone on with: the node that it was to bring starts",
    };
    Some(format!("ends {which} nobody any more. A step that a stop interrupted is {interrupted}"))
}

fn at_a_time(plan: &Plan) -> String {
    match plan.parallel {
        1 => "one by one".into(),
        parallel => format!("{parallel} at a time"),
    }
}

fn soak(wave: &Wave) -> String {
    match wave.soak_ms {
        0 => String::new(),
        soak => format!("soak {}", rough(soak)),
    }
}

/// Seats that a wave takes away, each counted once.
fn seats(plan: &Plan, nodes: &[NodeName]) -> usize {
    let seat = |name| plan.member(name).and_then(|member| member.seat.as_deref());
    nodes.iter().filter_map(seat).collect::<BTreeSet<_>>().len()
}

/// Widest list of nodes in the table, in characters.
const NODES_SHOWN: usize = 34;

/// `robot-1, robot-2`, or `coredev … piexgo (8)`.
fn abbreviate(nodes: &[NodeName]) -> String {
    let names: Vec<_> = nodes.iter().map(NodeName::as_str).collect();
    let all = names.join(", ");
    match names.as_slice() {
        _ if all.chars().count() <= NODES_SHOWN => all,
        [first, .., last] => {
            let short = (NODES_SHOWN - 9) / 2;
            format!("{} … {} ({})", clipped(first, short), clipped(last, short), names.len())
        }
        _ => clipped(&all, NODES_SHOWN),
    }
}

fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Members without a place in the order, and why.
fn left_out(plan: &Plan, beside: Beside<'_>) -> Vec<String> {
    const SHOWN: usize = 6;
    let ordered: BTreeSet<_> = plan.order().map(|(_, name)| name).collect();
    let out: Vec<_> =
        plan.members.iter().filter(|member| !ordered.contains(&member.name)).collect();
    let why = |name: &NodeName, managed: bool| {
        let node = beside.roster.and_then(|roster| roster.node(name));
        let role = node.map(|node| word(node.role)).unwrap_or_default();
        let skipped = beside
            .release_of(plan)
            .zip(node)
            .is_some_and(|(release, node)| required(release, node) == Priority::NotRequired);
        match (managed, skipped) {
            (false, _) => "no agent".into(),
            (true, true) => format!("{role}: release says not required"),
            (true, false) => "not in the order".to_owned(),
        }
    };
    let mut lines: Vec<_> = out
        .iter()
        .take(SHOWN)
        .map(|member| {
            let why = why(&member.name, member.key.is_some());
            format!("not in this plan: {} ({why})", member.name)
        })
        .collect();
    if out.len() > SHOWN {
        lines.push(format!("not in this plan: {} more", out.len() - SHOWN));
    }
    lines
}

fn count(number: usize, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    }
}

/// `26 Jul 2026 03:12:44 UTC`.
fn second(at: Timestamp) -> String {
    at.strftime("%-d %b %Y %H:%M:%S UTC").to_string()
}

/// `26 Jul 12:00 UTC`, with the year: what is signed should not be read a year off.
fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y %H:%M UTC").to_string()
}

/// What `muster explain CODE` prints, if there is such a code.
pub fn explain(code: &str) -> Option<String> {
    let found = Code::ALL.iter().find(|known| known.as_str().eq_ignore_ascii_case(code))?;
    let severity = found.severity().word();
    Some(format!("{severity}[{}]: {}\n  {}\n", found.as_str(), found.what(), found.explain()))
}
