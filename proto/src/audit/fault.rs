//! What does not hold, one code each. The text says what, where and why.

use jiff::Timestamp;

use crate::documents::{NodeName, PlanId};
use crate::evidence::{ChainError, EnvelopeError};
use crate::rule::Reason;
use crate::trust::TrustError;

/// The first thing in a bundle that does not hold. Trying again with the same bytes never helps.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Not the file that is asked for.
    #[error("V030: this is no bundle/v1 in canonical JSON: {0}")]
    NotABundle(String),
    /// Metadata or a document does not verify from the first root.
    #[error("V031: {subject} does not verify from this root, as of {as_of}")]
    Documents {
        /// Role or target path.
        subject: String,
        /// The plan's own time.
        as_of: Timestamp,
        /// Why.
        #[source]
        source: Box<TrustError>,
    },
    /// The documents do not list the plan.
    #[error("V032: no document that verifies is plan {0}, by its digest")]
    NoPlan(PlanId),
    /// The documents hold no roster.
    #[error("V032: no roster is among the documents that verify")]
    NoRoster,
    /// Signed by nobody whose key the plan names.
    #[error("V033: {what} of {node} is not signed by the key that the plan names: forged")]
    Forged {
        /// Whose it claims to be.
        node: NodeName,
        /// Such as `receipt 4`.
        what: String,
    },
    /// Signed or not, it is no receipt of this node and network.
    #[error("V034: entry {entry} of {node}'s chain is no receipt of this node")]
    Malformed {
        /// In whose chain.
        node: NodeName,
        /// From 1 on.
        entry: usize,
        /// Why.
        #[source]
        source: Box<ChainError>,
    },
    /// A link is not there.
    #[error("V035: receipt {missing} of {node} is missing; receipt {next} follows the gap")]
    Missing {
        /// Whose.
        node: NodeName,
        /// Which.
        missing: u64,
        /// What stands in its place.
        next: u64,
    },
    /// The links are there, in another order than they were signed.
    #[error("V036: the receipts of {node} stand out of order: {found} where {expected} belongs")]
    Disordered {
        /// Whose.
        node: NodeName,
        /// Which came.
        found: u64,
        /// Which should have.
        expected: u64,
    },
    /// A link names another predecessor.
    #[error(
        "V037: receipt {counter} of {node} does not follow the one before it: one was exchanged"
    )]
    Broken {
        /// Whose.
        node: NodeName,
        /// Which.
        counter: u64,
    },
    /// Two contents, one counter.
    #[error("V038: {node} signed two receipts with counter {counter}; it is not to be believed")]
    Double {
        /// Whose.
        node: NodeName,
        /// Which.
        counter: u64,
    },
    /// Nobody whom the plan gives a key.
    #[error(
        "V039: the plan knows no agent of {0}, and the bundle holds something it should have said"
    )]
    Stranger(NodeName),
    /// Later in the chain, and earlier in time.
    #[error("V040: the time of receipt {counter} of {node} goes back, from {before} to {at}")]
    TimeBack {
        /// Whose.
        node: NodeName,
        /// Which.
        counter: u64,
        /// Date of the receipt before it.
        before: Timestamp,
        /// Its own.
        at: Timestamp,
    },
    /// It relies on what by its date had not happened.
    #[error(
        "V041: {node} began at {at} on receipt {counter} of {of}, which is dated later: {dated}; \
         one of the two times was moved"
    )]
    TimeAhead {
        /// Who began.
        node: NodeName,
        /// When, by its own clock.
        at: Timestamp,
        /// On whose word.
        of: NodeName,
        /// On which.
        counter: u64,
        /// Of that receipt.
        dated: Timestamp,
    },
    /// Somebody has seen a receipt that is not here.
    #[error(
        "V042: {by} refers to receipt {counter} of {of}, and the bundle ends at {held}: left out"
    )]
    Omitted {
        /// Such as `receipt 4 of robot-1`.
        by: String,
        /// Whose is missing.
        of: NodeName,
        /// What was seen.
        counter: u64,
        /// What is there.
        held: u64,
    },
    /// Somebody has seen another receipt under this counter.
    #[error("V043: {by} has seen another receipt {counter} of {of} than the one in the bundle")]
    OtherHistory {
        /// Such as `receipt 4 of robot-1`.
        by: String,
        /// Whose.
        of: NodeName,
        /// Which.
        counter: u64,
    },
    /// The rule gave no permission for what it did, by what it had seen.
    #[error("V044: {node} began without permission (receipt {counter}): {reason}")]
    NotPermitted {
        /// Who.
        node: NodeName,
        /// Its `began`.
        counter: u64,
        /// What it should have waited for.
        reason: Box<Reason>,
    },
    /// It counted fewer seats than its own heads show, or more than the budget.
    #[error(
        "V045: {node} counted {claimed} seats (receipt {counter}); what it had seen makes at least \
         {least}, and the budget is {budget}"
    )]
    Miscounted {
        /// Who.
        node: NodeName,
        /// Its `began`.
        counter: u64,
        /// What it said.
        claimed: u32,
        /// What its heads show.
        least: u32,
        /// The plan's.
        budget: u32,
    },
    /// Facts in an order in which no agent writes them.
    #[error("V046: {node} says {what} (receipt {counter}) {when}")]
    Incoherent {
        /// Who.
        node: NodeName,
        /// Which receipt.
        counter: u64,
        /// Its word.
        what: &'static str,
        /// Such as `before its promise`.
        when: &'static str,
    },
    /// Two envelopes that exclude nothing.
    #[error("V047: what should prove that {0} contradicted itself proves nothing")]
    NoProof(NodeName),
}

impl Fault {
    /// From a chain's own refusal of what stands at `entry` (from 1 on), claiming `counter`.
    pub(super) fn of_link(error: ChainError, node: &NodeName, entry: usize, counter: u64) -> Self {
        let node = node.clone();
        match error {
            ChainError::Envelope(EnvelopeError::Signature { .. }) => {
                Fault::Forged { node, what: format!("receipt {counter}") }
            }
            ChainError::Gap { counter, missing, .. } => {
                Fault::Missing { node, missing, next: counter }
            }
            ChainError::Broken { counter, .. } => Fault::Broken { node, counter },
            ChainError::DoubleCounter { counter, .. } => Fault::Double { node, counter },
            error @ (ChainError::Envelope(_) | ChainError::Elsewhere { .. }) => {
                Fault::Malformed { node, entry, source: Box::new(error) }
            }
        }
    }
}
