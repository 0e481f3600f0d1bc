//! What the delegate sees, as values; the screens and `--json` both come from these.

use jiff::Timestamp;
use muster_proto::documents::plan::{Drill, Urgency};
use muster_proto::documents::{Class, NodeName, PlanId};
use muster_proto::evidence::beacon::Health;
use serde::{Deserialize, Serialize};

use crate::policy::Rule;

/// How the node and its agent are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When this was said.
    pub at: Timestamp,
    /// The roster's name of this node.
    pub node: NodeName,
    /// The agent's network.
    pub network: String,
    /// The container under its care.
    pub container: String,
    /// The daemon; none when it does not run and this comes from its files.
    pub daemon: Option<DaemonView>,
    /// Whether the newest roster lists this agent's key.
    pub enrolled: Enrolled,
    /// The node as it was seen last; none when nobody looked.
    pub node_health: Option<SeenHealth>,
    /// Plans that concern this node, newest first.
    pub plans: Vec<PlanView>,
    /// The policy in force.
    pub policy: PolicyView,
    /// Boards, in the order of the configuration.
    pub boards: Vec<BoardView>,
    /// What is trusted, and for how long.
    pub trust: TrustView,
    /// Documents refused, newest last.
    pub refused: Vec<RefusedView>,
    /// Nothing is begun because of this; people must act.
    pub stuck: Option<String>,
}

/// The daemon that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonView {
    /// Process id.
    pub pid: u32,
    /// Since when it runs.
    pub since: Timestamp,
    /// Version of the agent's software.
    pub software: String,
    /// It drains: nothing more is begun.
    pub draining: bool,
}

/// Whether the newest roster lists this agent's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enrolled {
    /// It does, under this node's name.
    Yes,
    /// It does not, or no roster is known; boards turn the agent away until one does.
    No,
}

/// The node as it was seen, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenHealth {
    /// When it was looked at.
    pub at: Timestamp,
    /// What was seen.
    pub health: Health,
    /// The newest height in other nodes' fresh beacons.
    pub fleet_height: Option<u64>,
}

/// A plan that concerns this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// Which very plan.
    pub plan: PlanId,
    /// For people.
    pub title: String,
    /// Whether it is a rehearsal.
    #[serde(default)]
    pub drill: Drill,
    /// `stop`, `start`, `restart`, `upgrade`.
    pub action: String,
    /// The stage achieved, as a word.
    pub stage: String,
    /// It is final here, or can no longer begin.
    pub over: bool,
    /// The step under way, the reason of the wait, or how it ended.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// How long the node was away, when that is known.
    pub away_ms: Option<u64>,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Every class and urgency.
    pub rows: Vec<PolicyRow>,
    /// There is no `policy.yaml`; everything is asked.
    pub missing: bool,
    /// Why the file as it lies there is not in force.
    pub problem: Option<String>,
}

/// One line of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// Of the plan.
    pub class: Class,
    /// Of the plan.
    pub urgency: Urgency,
    /// What happens to it.
    pub rule: Rule,
}

/// One board and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardView {
    /// `host:port`.
    pub address: String,
    /// Where the attachment stands.
    pub state: BoardState,
    /// Since when.
    pub since: Timestamp,
}

/// Where the attachment to a board stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoardState {
    /// Not tried yet.
    Untried,
    /// The stream is open.
    Attached,
    /// The board knows no roster that lists this agent's key.
    NotEnrolled {
        /// In the board's words.
        why: String,
    },
    /// Not reachable; tried again by itself.
    Lost {
        /// Why, on one line.
        why: String,
    },
}

/// What is trusted, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustView {
    /// Version of the root.
    pub root: u64,
    /// Version of the timestamp; 0 for none.
    pub timestamp: u64,
    /// The timestamp's expiry; none without a timestamp.
    pub fresh_until: Option<Timestamp>,
    /// Every role with its expiry, earliest first.
    pub expiries: Vec<(String, Timestamp)>,
}

/// A document that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedView {
    /// When it was met first.
    pub at: Timestamp,
    /// Whence: a board's address, or `this host`.
    pub from: String,
    /// Target path or role.
    pub subject: String,
    /// Stable code.
    pub code: String,
    /// One line.
    pub text: String,
}

/// A plan that asks the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which very plan.
    pub plan: PlanId,
    /// For people.
    pub title: String,
    /// What would happen, such as `upgrade v2.4.3 -> v2.4.4`.
    pub what: String,
    /// Of the plan.
    pub urgency: Urgency,
    /// A rehearsal.
    pub drill: bool,
    /// Since when it asks; none when it is about to.
    pub since: Option<Timestamp>,
    /// The plan can begin until then.
    pub until: Timestamp,
    /// From then on this node counts as absent; it can still take its turn late.
    pub absent_from: Option<Timestamp>,
}

/// What a plan does here, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Which very plan, and where it stands.
    pub view: PlanView,
    /// What would happen.
    pub what: String,
    /// Wave and place in the order, from 1 on; none when the node has no place.
    pub place: Option<Place>,
    /// What the policy, or the operator, says.
    pub policy: String,
    /// The plan can begin from then.
    pub from: Timestamp,
    /// The plan can begin until then.
    pub until: Timestamp,
}

/// A node's place in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Name of the wave.
    pub wave: String,
    /// From 1 on, over the whole order.
    pub position: usize,
    /// Nodes in the order.
    pub of: usize,
}

/// A line of the log: a receipt, or a fact of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// By the host's clock.
    pub at: Timestamp,
    /// Which plan.
    pub plan: PlanId,
    /// Counter of the receipt; none for a fact that only the journal knows.
    pub receipt: Option<u64>,
    /// A word, such as `began`.
    pub event: String,
    /// The rest, on one line.
    pub text: String,
}
