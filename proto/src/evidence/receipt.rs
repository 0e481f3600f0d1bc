//! A receipt: one fact of a node's life under a plan, in the chain of its agent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Head;
use crate::documents::{Digest, NodeName, PlanId};

/// One link of an agent's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Always `receipt/v1`.
    pub muster: String,
    /// The agent's network.
    pub network: String,
    /// Whose.
    pub node: NodeName,
    /// From 1 on, without a gap.
    pub counter: u64,
    /// Digest of the payload before; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// By the host's clock.
    pub at: Timestamp,
    /// Which plan it speaks of.
    pub plan: PlanId,
    /// What happened.
    pub event: Event,
}

/// What happened, as a fact achieved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The promise of rule 2: from here on nothing of a lower serial is begun.
    Acknowledged {
        /// What was begun and has no final receipt yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_hand: Option<PlanId>,
    },
    /// The local policy asks the operator.
    Asked,
    /// Final: this agent begins nothing of this plan.
    Declined {
        /// For people; the policy's rule or the operator's words.
        reason: String,
    },
    /// Everything that can be done while the node runs is done.
    Prepared,
    /// The effect follows at once.
    Began {
        /// Seats counted by the rule, this node included; none when nothing is counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sum: Option<u32>,
        /// The newest link of every chain that the decision relied on.
        heads: BTreeMap<NodeName, Head>,
    },
    /// The container is verified exited.
    Stopped {
        /// The last height seen before the stop, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        height: Option<u64>,
        /// Hash of that block (hex), if the node told it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block_hash: Option<String>,
        /// The container's exit code; 137 when it had to be killed.
        exit: i64,
        /// Image of the other container that is kept, when a step was interrupted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beside: Option<Digest>,
    },
    /// The step failed; what follows (undo, or stuck) is said by the next receipt.
    Failed {
        /// Stable code, such as `E317`.
        code: String,
        /// One line for people, redacted.
        why: String,
    },
    /// Final: the plan's action took effect and passed its test.
    Done(Outcome),
    /// Final: the old node is healthy again.
    RolledBack(Outcome),
}

/// The node as it is at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What the node says it is; none when the plan left it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The last height seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// Image id of the container.
    pub image: Digest,
    /// Milliseconds from the stop signal until it was well again; none when it was not taken
    /// away or stayed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_ms: Option<u64>,
    /// What would have been done, one line for people; of a dry drill only, which does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<String>,
}

impl Event {
    /// As people write it.
    pub fn word(&self) -> &'static str {
        match self {
            Event::Acknowledged { .. } => "acknowledged",
            Event::Asked => "asked",
            Event::Declined { .. } => "declined",
            Event::Prepared => "prepared",
            Event::Began { .. } => "began",
            Event::Stopped { .. } => "stopped",
            Event::Failed { .. } => "failed",
            Event::Done(_) => "done",
            Event::RolledBack(_) => "rolled-back",
        }
    }

    /// It tells that something was done, or is about to be done, to the container.
    pub fn is_effect(&self) -> bool {
        match self {
            Event::Began { .. } | Event::Stopped { .. } | Event::Failed { .. } => true,
            Event::Done(_) | Event::RolledBack(_) => true,
            Event::Acknowledged { .. } | Event::Asked | Event::Prepared => false,
            Event::Declined { .. } => false,
        }
    }

    /// Final: that agent begins nothing of this plan again (rule 3).
    pub fn is_final(&self) -> bool {
        matches!(self, Event::Declined { .. } | Event::Done(_) | Event::RolledBack(_))
    }
}
