//! A plan as its author writes it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::codes::Code;
use super::document::AuthorDocument;
use super::fields::{Fields, Read, Reader};
use super::finding::Finding;
use super::node::{Kind, Node, Value};
use super::values::{Blocks, Millis, Share};
use super::words::{By, Verb};
use crate::documents::ids::{Class, NodeName};
use crate::documents::plan::{Compatibility, Drill, Interrupted, Then, Unmanaged, Urgency};
use crate::documents::roster::Role;

/// `muster: plan/v1`. Everything a plan can leave out has its default here or in `freeze`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanYaml {
    /// An agent of another network refuses it.
    pub network: String,
    /// From 1 on, per counter.
    pub serial: u64,
    /// For people.
    pub title: String,
    /// Selects the signing role.
    pub class: Class,
    /// `routine` by default.
    pub urgency: Urgency,
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub until: Timestamp,
    /// None by default.
    pub after: Vec<u64>,
    /// None by default.
    pub supersedes: Vec<u64>,
    /// What happens to each node.
    pub action: Verb,
    /// By version; only an upgrade has one.
    pub release: Option<String>,
    /// Only an emergency has one; by default it begins with the validity, 5 s between two nodes.
    pub schedule: Option<ScheduleYaml>,
    /// None by default.
    pub ends: Option<u64>,
    /// `roll-back` by default; only a plan that ends an emergency says so.
    pub interrupted: Option<Interrupted>,
    /// By default `compatible`, or `halting` for a stop or start with `budget: all`.
    pub compatibility: Option<Compatibility>,
    /// Waves, first to last.
    pub order: Vec<WaveYaml>,
    /// Has no default.
    pub budget: Share,
    /// 1 by default.
    pub parallel: u32,
    /// `away` by default.
    pub unmanaged: Unmanaged,
    /// How many failures end nothing yet; 0 by default.
    pub tolerate: u32,
    /// `hold` by default.
    pub then: Then,
    /// 2 s by default.
    pub beacon_every: Millis,
    /// 10 s by default.
    pub beacon_stale: Millis,
    /// 5 s by default.
    pub beacon_skew: Millis,
    /// 60 s by default.
    pub absent_after: Millis,
    /// What *well* means.
    pub health: HealthYaml,
    /// 20 min by default.
    pub per_node: Millis,
    /// The release's activation height by default.
    pub before_height: Option<u64>,
    /// By default, what the class says.
    pub drill: Option<Drill>,
}

/// One wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveYaml {
    /// Its name.
    pub wave: String,
    /// Named nodes, in this order.
    pub nodes: Vec<NodeName>,
    /// And then the nodes that match, without those that are named anywhere or placed before.
    pub select: Option<Select>,
    /// How selected nodes are put in order; by name by default.
    pub by: By,
    /// The gate; by default its nodes minus `tolerate`.
    pub done: Option<u32>,
    /// 0 by default.
    pub soak: Millis,
}

/// Which nodes are meant: all conditions hold. Nodes without an agent are never meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// With this role.
    pub role: Option<Role>,
    /// With or without a seat.
    pub seat: Option<bool>,
    /// Bootstrap nodes, or the others.
    pub bootstrap: Option<bool>,
    /// Of this standby group.
    pub group: Option<String>,
    /// With these labels.
    pub labels: BTreeMap<String, String>,
}

/// What *well* means after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthYaml {
    /// 2 min by default.
    pub boot: Millis,
    /// 15 min by default.
    pub ready: Millis,
    /// 5 blocks by default.
    pub advance: Blocks,
    /// 10 blocks by default.
    pub lag: Blocks,
    /// 3 by default.
    pub peers: u32,
    /// 2 min by default.
    pub hold: Millis,
}

impl Default for HealthYaml {
    fn default() -> Self {
        Self {
            boot: Millis(120_000),
            ready: Millis(900_000),
            advance: Blocks(5),
            lag: Blocks(10),
            peers: 3,
            hold: Millis(120_000),
        }
    }
}

impl AuthorDocument for PlanYaml {
    const KIND: &'static str = "plan/v1";

    fn fields(mut f: Fields<'_>, r: &mut Reader<'_>) -> Option<Self> {
        let network = f.need("network", r);
        let serial = f.need("serial", r);
        let title = f.need("title", r);
        let class = f.need("class", r);
        let urgency = f.or("urgency", Urgency::Routine, r);
        let valid = f.need::<Valid>("valid", r);
        let after = f.or("after", Vec::new(), r);
        let supersedes = f.or("supersedes", Vec::new(), r);
        let action = f.need("action", r);
        let release = f.may("release", r);
        let compatibility = f.may("compatibility", r);
        let schedule = f.may("schedule", r);
        let ends = f.or("ends", Vec::<EmergencyName>::new(), r);
        let interrupted = f.may("interrupted", r);
        let order = f.need("order", r);
        let budget = f.need::<Budget>("budget", r);
        let parallel = f.or("parallel", 1, r);
        let unmanaged = f.or("unmanaged", Unmanaged::Away, r);
        let failures = f.or("failures", Failures { tolerate: 0, then: Then::Hold }, r);
        let beacon = f.or("beacon", Beacon::default(), r);
        let absent_after = f.or("absent-after", Millis(60_000), r);
        let health = f.or("health", HealthYaml::default(), r);
        let deadline = f.or("deadline", Deadline::default(), r);
        let drill = f.may("drill", r);
        f.end(r);
        let (valid, failures, beacon, deadline) = (valid?, failures?, beacon?, deadline?);
        Some(Self {
            network: network?,
            serial: serial?,
            title: title?,
            class: class?,
            urgency: urgency?,
            from: valid.from,
            until: valid.until,
            after: after?,
            supersedes: supersedes?,
            action: action?,
            release: release?,
            schedule: schedule?,
            ends: ends?.into_iter().map(|name| name.0).max(),
            interrupted: interrupted?,
            compatibility: compatibility?,
            order: order?,
            budget: budget?.0,
            parallel: parallel?,
            unmanaged: unmanaged?,
            tolerate: failures.tolerate,
            then: failures.then,
            beacon_every: beacon.every,
            beacon_stale: beacon.stale,
            beacon_skew: beacon.skew,
            absent_after: absent_after?,
            health: health?,
            per_node: deadline.per_node,
            before_height: deadline.before_height,
            drill: drill?,
        })
    }
}

impl Read for Drill {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(Kind::Bool, text) if text.eq_ignore_ascii_case("true") => {
                Some(Drill::Real)
            }
            Value::Scalar(Kind::Bool, _) => Some(Drill::No),
            Value::Scalar(Kind::Text, text) if text == "dry" => Some(Drill::Dry),
            _ => r.wrong_type(node, "true, false or dry"),
        }
    }
}

struct Valid {
    from: Timestamp,
    until: Timestamp,
}

impl Read for Valid {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let (from, until) = (f.need("from", r), f.need("until", r));
        f.end(r);
        Some(Self { from: from?, until: until? })
    }
}

/// When everybody goes at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleYaml {
    /// `valid.from` by default.
    pub start: Option<Timestamp>,
    /// 5 s by default.
    pub pace: Millis,
    /// 60 s by default.
    pub grace: Millis,
}

impl Default for ScheduleYaml {
    fn default() -> Self {
        Self { start: None, pace: Millis(5_000), grace: Millis(60_000) }
    }
}

/// `at-once`, or `{start: …, pace: 5s, grace: 60s}`.
impl Read for ScheduleYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let default = Self::default();
        if node.scalar() == Some("at-once") {
            return Some(Self { pace: Millis(0), ..default });
        }
        let mut f = Fields::of(node, r)?;
        let start = f.may("start", r);
        let pace = f.or("pace", default.pace, r);
        let grace = f.or("grace", default.grace, r);
        f.end(r);
        Some(Self { start: start?, pace: pace?, grace: grace? })
    }
}

/// `emergency/7`.
struct EmergencyName(u64);

impl Read for EmergencyName {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let text = node.scalar().unwrap_or_default();
        let serial = text.strip_prefix("emergency/").and_then(|digits| digits.parse().ok());
        serial.filter(|serial| *serial > 0).map(Self).or_else(|| {
            let finding = Finding::new(Code::D109, "").note("this is no name of an emergency");
            r.refuse(node, finding.fix("such as `ends: [emergency/7]`"));
            None
        })
    }
}

/// `all`, or `{down: 7 of 24}`.
struct Budget(Share);

impl Read for Budget {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        if node.scalar().is_some() {
            let share = Share::read(node, r)?;
            if share == Share::All {
                return Some(Self(share));
            }
            let finding = Finding::new(Code::D106, "").note("a group with `down` is expected");
            let text = super::values::clip(node.scalar().unwrap_or_default());
            r.refuse(node, finding.fix(format!("`budget: {{down: {text}}}`, or `budget: all`")));
            return None;
        }
        let mut f = Fields::of(node, r)?;
        let down = f.need("down", r);
        f.end(r);
        down.map(Self)
    }
}

#[derive(Clone, Copy)]
struct Failures {
    tolerate: u32,
    then: Then,
}

impl Read for Failures {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let (tolerate, then) = (f.or("tolerate", 0, r), f.or("then", Then::Hold, r));
        f.end(r);
        Some(Self { tolerate: tolerate?, then: then? })
    }
}

struct Beacon {
    every: Millis,
    stale: Millis,
    skew: Millis,
}

impl Default for Beacon {
    fn default() -> Self {
        Self { every: Millis(2_000), stale: Millis(10_000), skew: Millis(5_000) }
    }
}

impl Read for Beacon {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let (mut f, default) = (Fields::of(node, r)?, Self::default());
        let every = f.or("every", default.every, r);
        let stale = f.or("stale", default.stale, r);
        let skew = f.or("skew", default.skew, r);
        f.end(r);
        Some(Self { every: every?, stale: stale?, skew: skew? })
    }
}

struct Deadline {
    per_node: Millis,
    before_height: Option<u64>,
}

impl Default for Deadline {
    fn default() -> Self {
        Self { per_node: Millis(1_200_000), before_height: None }
    }
}

impl Read for Deadline {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let (mut f, default) = (Fields::of(node, r)?, Self::default());
        let per_node = f.or("per-node", default.per_node, r);
        let before_height = f.may("before-height", r);
        f.end(r);
        Some(Self { per_node: per_node?, before_height: before_height? })
    }
}

impl Read for HealthYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let (mut f, default) = (Fields::of(node, r)?, Self::default());
        let boot = f.or("boot", default.boot, r);
        let ready = f.or("ready", default.ready, r);
        let advance = f.or("advance", default.advance, r);
        let lag = f.or("lag", default.lag, r);
        let peers = f.or("peers", default.peers, r);
        let hold = f.or("hold", default.hold, r);
        f.end(r);
        Some(Self {
            boot: boot?,
            ready: ready?,
            advance: advance?,
            lag: lag?,
            peers: peers?,
            hold: hold?,
        })
    }
}

impl Read for WaveYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let wave = f.need("wave", r);
        let nodes = f.or("nodes", Vec::new(), r);
        let select = f.may("select", r);
        let by = f.or("by", By::Name, r);
        let done = f.may("done", r);
        let soak = f.or("soak", Millis(0), r);
        f.end(r);
        Some(Self {
            wave: wave?,
            nodes: nodes?,
            select: select?,
            by: by?,
            done: done?,
            soak: soak?,
        })
    }
}

impl Read for Select {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let role = f.may("role", r);
        let seat = f.may("seat", r);
        let bootstrap = f.may("bootstrap", r);
        let group = f.may("group", r);
        let labels: Vec<_> = (f.rest().into_iter())
            .map(|(key, node)| Some((key.text.clone(), String::read(node, r)?)))
            .collect();
        Some(Self {
            role: role?,
            seat: seat?,
            bootstrap: bootstrap?,
            group: group?,
            labels: labels.into_iter().collect::<Option<_>>()?,
        })
    }
}
