//! A beacon: how a node is right now. Only the newest of a node is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Head;
use crate::documents::ids::Counter;
use crate::documents::{NodeName, PlanId};

/// One sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    /// Always `beacon/v1`.
    pub muster: String,
    /// The agent's network.
    pub network: String,
    /// Whose.
    pub node: NodeName,
    /// Grows with every beacon, also over restarts of the agent.
    pub counter: u64,
    /// By the host's clock.
    pub at: Timestamp,
    /// What the agent saw of its node when it wrote this.
    pub health: Health,
    /// The newest receipt; a head nobody has seen shows that receipts are withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The newest plan that the agent has verified, per counter.
    pub newest: BTreeMap<Counter, PlanId>,
    /// What it does or waits for, per open plan; for people, never for the rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doing: Vec<Doing>,
    /// What its operator's policy does with an emergency; for people, never for the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<OnEmergency>,
}

/// What a policy does with an emergency stop (which is always urgent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnEmergency {
    /// The agent stops its node by itself.
    Apply,
    /// It asks its operator first.
    Ask,
    /// It declines.
    Refuse,
}

/// How the node is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The container runs.
    pub running: bool,
    /// Exact height from gRPC, if the node answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Hash of that block (hex), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<String>,
    /// Time of that block, if known; the clock is compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_time: Option<Timestamp>,
    /// 0 when well, rising when stalled or behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u64>,
    /// Connected peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<u32>,
    /// What the node says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Follows, neither proposes nor endorses.
    #[serde(default)]
    pub standing_by: bool,
    /// Paused by its admin port.
    #[serde(default)]
    pub paused: bool,
    /// The agent's clock is beyond the skew from the block time of its synced node.
    #[serde(default)]
    pub clock_off: bool,
}

/// What an agent does about one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doing {
    /// Which plan.
    pub plan: PlanId,
    /// The stage achieved, such as `prepared`.
    pub stage: String,
    /// One line: the step under way, or the reason of the wait.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}
