//! A plan as it is signed: every choice is made, every node has its place, seat and key.
//!
//! Everything that the rule reads stands here, so that two agents never run two rules.
//! Durations are whole milliseconds: canonical JSON knows no fractions.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{Class, Digest, NodeName, PlanId, PublicKey};

/// One plan. Target `<class>/<network>/<serial>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always `plan/v1`.
    pub muster: String,
    /// An agent of another network refuses it.
    pub network: String,
    /// Selects signing role, serial counter and policy rule.
    pub class: Class,
    /// From 1 on, per counter.
    pub serial: u64,
    /// For people.
    pub title: String,
    /// For the local policy.
    pub urgency: Urgency,
    /// When it was frozen.
    pub issued: Timestamp,
    /// Nobody begins outside of it.
    pub valid: Validity,
    /// Begins only when these (of the same counter) are over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<u64>,
    /// Takes the place of these at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<u64>,
    /// What happens to each node.
    pub action: Action,
    /// An emergency takes effect by this, whoever can be reached; only that class has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Emergencies that hold nobody any more; only the full threshold can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// Whether consensus is meant to survive.
    pub compatibility: Compatibility,
    /// Everybody of the roster at the time of freezing, sorted by name.
    pub members: Vec<Member>,
    /// Consensus' active producers at the time of freezing.
    pub active: u32,
    /// The total order: waves one after another, nodes of a wave in order.
    pub waves: Vec<Wave>,
    /// How many seats may be away at one moment.
    pub budget: Budget,
    /// Pace: begin only when fewer undone predecessors than this are present. At least 1.
    pub parallel: u32,
    /// How nodes without an agent count.
    pub unmanaged: Unmanaged,
    /// What a failure means.
    pub failures: Failures,
    /// How beacons are sent and judged.
    pub beacon: BeaconTerms,
    /// Without a fresh beacon, or asking its operator, for longer than this: blocks nobody by itself.
    pub absent_after_ms: u64,
    /// What *well* means after a start.
    pub health: HealthTerms,
    /// Time per node, and the height by which all must be done.
    pub deadline: Deadline,
    /// Labelled as a drill wherever a person or a monitor looks.
    pub drill: Drill,
}

/// Whether it is a rehearsal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drill {
    /// It is not.
    #[default]
    No,
    /// It does the real thing, under the drill role's keys.
    Real,
    /// Every check up to the last moment before the effect, and no effect.
    Dry,
}

impl Drill {
    /// A rehearsal, of either kind.
    pub fn is_drill(self) -> bool {
        self != Drill::No
    }

    /// Nothing is done to any node.
    pub fn is_dry(self) -> bool {
        self == Drill::Dry
    }

    /// What people see of it; none when it is no drill.
    pub fn mark(self) -> Option<&'static str> {
        match self {
            Drill::No => None,
            Drill::Real => Some("DRILL"),
            Drill::Dry => Some("DRY DRILL"),
        }
    }
}

/// How soon people are expected to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Within its validity.
    Routine,
    /// Now.
    Urgent,
}

/// From `from` (included) to `until` (excluded).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub until: Timestamp,
}

/// What happens to each node. More actions are refused where they are parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Stop the container and keep it down.
    Stop,
    /// Start the container as it is. Only gives: never counted.
    Start,
    /// Stop and start the same container.
    Restart,
    /// Replace it by a successor of this release.
    Upgrade(ReleaseRef),
}

impl Action {
    /// As people write it.
    pub fn word(&self) -> &'static str {
        match self {
            Action::Stop => "stop",
            Action::Start => "start",
            Action::Restart => "restart",
            Action::Upgrade(_) => "upgrade",
        }
    }

    /// An action that only gives takes nobody away, so nothing is counted (rule 6).
    pub fn only_gives(&self) -> bool {
        matches!(self, Action::Start)
    }
}

/// When everybody goes at the latest, by his own clock.
///
/// The slot of a node is `start + ⌊place ÷ parallel⌋ × pace`, its place counted from 0 over the
/// whole order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The first slot.
    pub start: Timestamp,
    /// Between two slots; 0 for everybody at once.
    pub pace_ms: u64,
    /// From the stop signal to SIGKILL.
    pub grace_ms: u64,
}

/// What a plan of the full threshold says to the emergencies before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ends {
    /// All emergencies up to this serial, known or not yet known.
    pub emergency: u64,
    /// What becomes of a step that the stop interrupted.
    pub interrupted: Interrupted,
}

/// Which node starts where a stop came in the middle of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interrupted {
    /// The one from before the step.
    RollBack,
    /// The one that the step was to bring.
    GoOn,
}

/// A release by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRef {
    /// For people and for the target path.
    pub version: String,
    /// Of the release's canonical JSON.
    pub digest: Digest,
}

/// Whether consensus is meant to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compatibility {
    /// Node by node; consensus never pauses.
    Compatible,
    /// The chain may halt on purpose (a stop or start of the whole fleet).
    Halting,
}

/// A node as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// As in the roster.
    pub name: NodeName,
    /// The agent's key; none for a node without an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// The seat it holds, by name (the node's own or its group's); none when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<String>,
}

/// Nodes that go together, a gate behind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Unique in the plan.
    pub name: String,
    /// In order.
    pub nodes: Vec<NodeName>,
    /// The gate: this many of them must be done before a later wave begins.
    pub done: u32,
    /// And well for this long after their own `done`.
    pub soak_ms: u64,
}

/// How many seats may be away at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// Nothing is counted: the plan means to halt the chain, or it is halted.
    All,
    /// At most this many seats.
    Seats(u32),
}

/// How nodes without an agent count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unmanaged {
    /// As away, always.
    Away,
    /// As up, on the officers' word.
    AssumeUp,
    /// As up while two other operators' agents saw their height grow within 150 s.
    Witness,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// More than this many and the plan is over.
    pub tolerate: u32,
    /// And then.
    pub then: Then,
}

/// What follows when a plan is over by failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// Nobody begins; who is done stays.
    Hold,
}

/// How beacons are sent and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeaconTerms {
    /// Sent at least this often.
    pub every_ms: u64,
    /// Older than this is stale.
    pub stale_ms: u64,
    /// Clocks may differ by this much.
    pub skew_ms: u64,
}

/// What *well* means after a start, and *bad* for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthTerms {
    /// The probe must answer within this time of the start.
    pub boot_ms: u64,
    /// And readiness must be there within this time.
    pub ready_ms: u64,
    /// Blocks by which the height must advance.
    pub advance_blocks: u64,
    /// Blocks behind the median of fresh beacons that are still well.
    pub lag_blocks: u64,
    /// Peers at least.
    pub peers: u32,
    /// For this long without a break.
    pub hold_ms: u64,
}

/// Time per node, and the height by which all must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// From `began` to final; stands still while *advancing* cannot be told.
    pub per_node_ms: u64,
    /// The activation height, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_height: Option<u64>,
}

impl Plan {
    /// The plan's name in receipts. `bytes` are the canonical JSON it was parsed from.
    pub fn id(&self, bytes: &[u8]) -> PlanId {
        PlanId { class: self.class, serial: self.serial, digest: Digest::of(bytes) }
    }

    /// Where it lies among the targets.
    pub fn path(&self) -> String {
        format!("{}/{}/{}.json", self.class.role(), self.network, self.serial)
    }

    /// All nodes of the order, first to last, with the index of their wave.
    pub fn order(&self) -> impl Iterator<Item = (usize, &NodeName)> {
        let waves = self.waves.iter().enumerate();
        waves.flat_map(|(index, wave)| wave.nodes.iter().map(move |node| (index, node)))
    }

    /// By when `node` goes at the latest, if the plan says so.
    pub fn slot(&self, node: &NodeName) -> Option<Timestamp> {
        let schedule = self.schedule?;
        let place = self.order().position(|(_, name)| name == node)?;
        let turn = u64::try_from(place).ok()? / u64::from(self.parallel.max(1));
        let after = i64::try_from(turn.saturating_mul(schedule.pace_ms)).unwrap_or(i64::MAX);
        let slot = schedule.start.checked_add(SignedDuration::from_millis(after));
        Some(slot.unwrap_or(Timestamp::MAX))
    }

    /// All emergencies up to this serial are ended by this plan. Only the full threshold can.
    pub fn ended_emergencies(&self) -> Option<Ends> {
        self.ends.filter(|_| self.class == Class::Hotfix && !self.drill.is_dry())
    }

    /// The title as every screen shows it: that of a drill begins with `DRILL` or `DRY DRILL`.
    pub fn headline(&self) -> String {
        match self.drill.mark() {
            Some(mark) => format!("{mark}: {}", self.title),
            None => self.title.clone(),
        }
    }

    /// It leaves its nodes down, and is well when they are.
    pub fn leaves_down(&self) -> bool {
        matches!(self.action, Action::Stop) && !self.drill.is_dry()
    }

    /// The member of that name.
    pub fn member(&self, name: &NodeName) -> Option<&Member> {
        let at = self.members.binary_search_by(|member| member.name.cmp(name));
        at.ok().map(|at| &self.members[at])
    }
}
