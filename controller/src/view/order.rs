//! A frozen plan in words: who, in which order, how many seats away at most. What stands here is
//! read from the very document that is signed.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::author::summary;
use muster_proto::documents::plan::{
    Action, Budget, Compatibility, Drill, Plan, Unmanaged, Urgency,
};
use muster_proto::documents::release::{GenesisChange, Release};
use muster_proto::documents::{Class, NodeName};
use serde::Serialize;

use super::table;
use super::words::{date, labelled, span, wrap};

/// The order of a plan, ready to be read.
#[derive(Debug, Clone, Serialize)]
pub struct Order {
    /// Such as `hotfix/42`.
    pub plan: String,
    /// The plan's title.
    pub title: String,
    /// Class of the plan.
    pub class: Class,
    /// How soon people act.
    pub urgency: Urgency,
    /// Whose nodes.
    pub network: String,
    /// What happens to each node, in words.
    pub action: String,
    /// More about the release, one fact a line.
    pub release: Vec<String>,
    /// Nobody begins before.
    pub valid_from: Timestamp,
    /// Nobody begins at or after.
    pub valid_until: Timestamp,
    /// Waves, first to last.
    pub waves: Vec<OrderedWave>,
    /// Most seats away at one moment; none when nothing is counted.
    pub budget: Option<u32>,
    /// Active producers.
    pub active: u32,
    /// Pace.
    pub parallel: u32,
    /// Failures that are borne.
    pub tolerate: u32,
    /// Nodes of the roster in no wave.
    pub left_out: Vec<NodeName>,
    /// Everything else that a signer should know, in words.
    pub remarks: Vec<String>,
}

/// One wave of the order.
#[derive(Debug, Clone, Serialize)]
pub struct OrderedWave {
    /// Its name.
    pub name: String,
    /// In order.
    pub nodes: Vec<NodeName>,
    /// Seats that its nodes hold, each once.
    pub seats: usize,
    /// So many must be done before a later wave begins.
    pub done: u32,
    /// And well for so long, in milliseconds.
    pub soak_ms: u64,
}

/// Reads the order of `plan`; `release` is the one it names, when it is known.
pub fn order(plan: &Plan, release: Option<&Release>) -> Order {
    let ordered: BTreeSet<_> = plan.order().map(|(_, node)| node).collect();
    let outside = plan.members.iter().filter(|member| !ordered.contains(&member.name));
    Order {
        plan: format!("{}/{}", plan.class, plan.serial),
        title: plan.headline(),
        class: plan.class,
        urgency: plan.urgency,
        network: plan.network.clone(),
        action: action(plan, release),
        release: release.map(about).unwrap_or_default(),
        valid_from: plan.valid.from,
        valid_until: plan.valid.until,
        waves: waves(plan),
        budget: match plan.budget {
            Budget::All => None,
            Budget::Seats(seats) => Some(seats),
        },
        active: plan.active,
        parallel: plan.parallel,
        tolerate: plan.failures.tolerate,
        left_out: outside.map(|member| member.name.clone()).collect(),
        remarks: remarks(plan),
    }
}

fn waves(plan: &Plan) -> Vec<OrderedWave> {
    let seat = |name: &NodeName| plan.member(name).and_then(|member| member.seat.as_ref());
    let one = |wave: &muster_proto::documents::plan::Wave| OrderedWave {
        name: wave.name.clone(),
        nodes: wave.nodes.clone(),
        seats: wave.nodes.iter().filter_map(seat).collect::<BTreeSet<_>>().len(),
        done: wave.done,
        soak_ms: wave.soak_ms,
    };
    plan.waves.iter().map(one).collect()
}

fn action(plan: &Plan, release: Option<&Release>) -> String {
    match (&plan.action, release) {
        (Action::Upgrade(to), Some(release)) => {
            format!("upgrade from {} to {}", release.from.join(" or "), to.version)
        }
        (Action::Upgrade(to), None) => format!("upgrade to {} ({})", to.version, to.digest.short()),
        (Action::Stop, _) => "stop, and keep down".into(),
        (Action::Start, _) => "start".into(),
        (Action::Restart, _) => "restart".into(),
    }
}

/// Facts about a release, one a line.
pub fn about(release: &Release) -> Vec<String> {
    let images = release.images.iter();
    let mut facts: Vec<_> = images
        .map(|(platform, image)| {
            let pulled = match &image.manifest {
                Some(manifest) => format!("pulled as {}", manifest.short()),
                None => "loaded by hand".into(),
            };
            format!("{platform} {} {}, {pulled}", image.repository, image.config.short())
        })
        .collect();
    facts.push(match &release.genesis {
        GenesisChange::Unchanged => "config and genesis unchanged".into(),
        GenesisChange::Replaced { digest, length } => {
            format!("config unchanged, new genesis {} ({length} bytes)", digest.short())
        }
    });
    if let Some(height) = release.activation_height {
        facts.push(format!("new rules from height {} on", super::words::height(height)));
    }
    facts
}

fn remarks(plan: &Plan) -> Vec<String> {
    let mut remarks = Vec::new();
    let serials = |all: &[u64]| all.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if !plan.after.is_empty() {
        remarks.push(format!("begins only when {} is over", serials(&plan.after)));
    }
    if !plan.supersedes.is_empty() {
        remarks.push(format!("takes the place of {} at once", serials(&plan.supersedes)));
    }
    if plan.compatibility == Compatibility::Halting {
        remarks.push("it may halt the chain".into());
    }
    remarks.extend(summary::emergency(plan));
    match plan.unmanaged {
        Unmanaged::Away => {}
        Unmanaged::AssumeUp => remarks.push("nodes without an agent are taken to be up".into()),
        Unmanaged::Witness => {
            remarks.push("nodes without an agent are up while two others see them grow".into());
        }
    }
    match plan.drill {
        Drill::No => {}
        Drill::Real => remarks.push("this is a drill: the real thing, under the drill keys".into()),
        Drill::Dry => remarks.push("this is a dry drill: no node is touched".into()),
    }
    remarks
}

impl Order {
    /// How many nodes stand in the order.
    pub fn nodes(&self) -> usize {
        self.waves.iter().map(|wave| wave.nodes.len()).sum()
    }

    /// Pace and budget in one phrase.
    pub fn pace(&self) -> String {
        let pace = match self.parallel {
            1 => "one by one".to_owned(),
            many => format!("at most {many} at a time"),
        };
        match self.budget {
            None => format!("{pace}; seats are NOT counted: the chain may halt"),
            Some(seats) => {
                let seats = super::words::count(seats as usize, "seat");
                format!("{pace}, at most {seats} away at any time ({} active)", self.active)
            }
        }
    }
}

/// `routine` or `urgent`.
pub fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Routine => "routine",
        Urgency::Urgent => "urgent",
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urgency = urgency(self.urgency);
        let head = format!("plan {} · {} · {urgency} · {}", self.plan, self.title, self.network);
        writeln!(f, "{}", wrap(&head, 80, 2))?;
        writeln!(f, "{}", labelled("action", &self.action))?;
        for (at, fact) in self.release.iter().enumerate() {
            writeln!(f, "{}", labelled(if at == 0 { "release" } else { "" }, fact))?;
        }
        let waves = super::words::count(self.waves.len(), "wave");
        let nodes = super::words::count(self.nodes(), "node");
        writeln!(f, "{}", labelled("order", &format!("{nodes} in {waves}, {}", self.pace())))?;
        let valid = format!("{} to {}", date(self.valid_from), date(self.valid_until));
        writeln!(f, "{}", labelled("valid", &valid))?;
        writeln!(f, "{}\n", labelled("over", &over(self.tolerate)))?;
        f.write_str(&wave_table(&self.waves))?;
        if !self.left_out.is_empty() {
            let names: Vec<_> = self.left_out.iter().map(NodeName::as_str).collect();
            writeln!(f, "\n{}", labelled("left out", &names.join(", ")))?;
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{}", labelled("note", remark)))
    }
}

fn over(tolerate: u32) -> String {
    match tolerate {
        0 => "at the first failure; then nobody begins".into(),
        many => format!("past {many} failures; then nobody begins"),
    }
}

fn wave_table(waves: &[OrderedWave]) -> String {
    let mut rows = table::plain(&["wave", "nodes, in order", "seats", "gate", "then"]);
    table::right(&mut rows, &[2]);
    for wave in waves {
        let nodes: Vec<_> = wave.nodes.iter().map(NodeName::as_str).collect();
        let soak = match wave.soak_ms {
            0 => "–".to_owned(),
            ms => format!("soak {}", span(ms)),
        };
        let gate = format!("{} done", wave.done);
        rows.add_row([wave.name.clone(), nodes.join(", "), wave.seats.to_string(), gate, soak]);
    }
    table::text(&rows)
}
