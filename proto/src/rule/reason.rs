//! Why nothing happens, and why something went wrong: values with words, shown the same everywhere.

use jiff::Timestamp;

use crate::documents::{NodeName, PlanId};

/// Why a node waits. `code` is stable, `Display` is one line for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The plan is not valid yet.
    #[error("the plan is valid from {0} on")]
    NotYetValid(Timestamp),
    /// The plan ran out before this node began.
    #[error("the plan was valid until {0}; a new plan is needed")]
    Expired(Timestamp),
    /// Too many failed.
    #[error("the plan is over: {failures} failed, {tolerated} tolerated; a new plan is needed")]
    Over {
        /// How many failed.
        failures: u32,
        /// How many were tolerated.
        tolerated: u32,
    },
    /// Officers aborted it.
    #[error("the plan is aborted: {0}; a new plan is needed")]
    Aborted(String),
    /// Another plan takes its place.
    #[error("plan {0} takes the place of this one")]
    Superseded(PlanId),
    /// It comes after a plan that is not over.
    #[error("plan {0} comes first and is not over")]
    After(u64),
    /// An older plan is in hand here.
    #[error("plan {0} is in hand here and not final")]
    InHand(PlanId),
    /// A newer plan is promised.
    #[error("a newer plan, {0}, is acknowledged; nothing older begins")]
    Promised(PlanId),
    /// The emergency is ended by a document of the full threshold.
    #[error("emergency/{0} is ended; it stops nobody any more")]
    Ended(u64),
    /// An emergency holds the node.
    #[error("{0} holds this node; a plan that says `ends: [{0}]` lets it go")]
    Emergency(PlanId),
    /// Its slot has not come, and those before it are not known to be down.
    #[error("its slot is {at}; sooner when {} are down", list(.nodes))]
    Slot {
        /// By the own clock.
        at: Timestamp,
        /// Of whom no receipt says that they are down.
        nodes: Vec<NodeName>,
    },
    /// The operator is asked.
    #[error("the operator has not answered yet")]
    Operator,
    /// An earlier wave's gate is not met.
    #[error("wave {wave}: {done} of {gate} done")]
    Gate {
        /// Which.
        wave: String,
        /// So far.
        done: u32,
        /// Needed.
        gate: u32,
    },
    /// An earlier wave soaks.
    #[error("wave {wave} soaks: {soaked} of {gate} proved well for {soak_ms} ms after their done")]
    Soak {
        /// Which.
        wave: String,
        /// Nodes with the proof.
        soaked: u32,
        /// Needed.
        gate: u32,
        /// How long.
        soak_ms: u64,
    },
    /// Predecessors are present and undone.
    #[error("{} before it at work or at their turn, {parallel} at a time", list(.nodes))]
    Turn {
        /// Who.
        nodes: Vec<NodeName>,
        /// The plan's pace.
        parallel: u32,
    },
    /// The budget is used up.
    #[error("{sum} seats would be away, the budget is {budget}: {}", list(.nodes))]
    Budget {
        /// Seats counted, this node's own included.
        sum: u32,
        /// The plan's budget.
        budget: u32,
        /// Whose seats.
        nodes: Vec<NodeName>,
    },
    /// The publisher's timestamp is missing or expired.
    #[error("no fresh timestamp from the publisher since {}", .0.map_or("ever".into(), |t| t.to_string()))]
    NotFresh(Option<Timestamp>),
    /// A serial was named that is not held here.
    #[error("{node} holds plan {plan}, which is not known here yet")]
    UnknownSerial {
        /// Who named it.
        node: NodeName,
        /// What it named.
        plan: PlanId,
    },
    /// No board was asked for the own chain yet.
    #[error("no board has told yet what it holds of this agent's own receipts")]
    OwnChainUnasked,
    /// Somebody asked to hold.
    #[error("held by {by} until {until}: {reason}")]
    Held {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when.
        until: Timestamp,
    },
    /// The own clock cannot be believed.
    #[error("this host's clock is beyond the skew from the chain's")]
    Clock,
    /// The newest roster does not list this node with the plan's key.
    #[error("the newest roster does not list this node with the key the plan was made for")]
    NotListed,
    /// The plan has no place for this node.
    #[error("this node is not in the plan's order; its promise is all the plan needs of it")]
    NoPart,
    /// The test runs.
    #[error("{0}")]
    Test(String),
    /// The test cannot tell.
    #[error("cannot tell: {0}; the deadline stands still")]
    CannotTell(String),
}

impl Reason {
    /// No evidence and no time ends this wait: whoever has not begun never begins.
    pub fn is_for_good(&self) -> bool {
        matches!(
            self,
            Reason::Expired(_)
                | Reason::Over { .. }
                | Reason::Aborted(_)
                | Reason::Superseded(_)
                | Reason::Ended(_)
        )
    }
}

/// Why something is undone, failed or stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Stable, such as `E317`.
    pub code: &'static str,
    /// One line for people, redacted.
    pub text: String,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

fn list(nodes: &[NodeName]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<_> = nodes.iter().take(SHOWN).map(|n| n.as_str().to_owned()).collect();
    if nodes.len() > SHOWN {
        text.push(format!("and {} more", nodes.len() - SHOWN));
    }
    text.join(", ")
}
