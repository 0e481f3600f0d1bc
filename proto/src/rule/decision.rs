//! What a node does next, or what it waits for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::reason::{Reason, Why};
use crate::documents::ids::Counter;
use crate::documents::{NodeName, PlanId};
use crate::evidence::Head;

/// The answer to "what now?" for one node and one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Do this, then ask again.
    Do(Step),
    /// Nothing yet; the reason says what would end the wait.
    Wait(Reason),
    /// Take back what was done, because of this.
    Undo(Why),
    /// This node's part is over.
    Finished(Final),
    /// Neither forward nor back is safe; people must look.
    Stuck(Why),
}

/// One step of a node under a plan, coarse enough to be the same for every action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Give the promise of rule 2.
    Acknowledge {
        /// What is begun and not final.
        in_hand: Option<PlanId>,
    },
    /// Say that the operator is asked.
    Ask,
    /// Say that this node takes no part.
    Decline(String),
    /// Do everything that can be done while the node runs.
    Prepare,
    /// The rule allows it: wait for the beat, ask the rule again, journal, say `began`.
    Begin(Permit),
    /// Stop the old container and verify that it exited.
    Stop,
    /// Swap the files that belong to the release, while the node is down.
    Swap,
    /// Start the node (the successor in an upgrade).
    Start,
    /// Look again whether the node is well (`Observations::test` is the answer).
    Test,
    /// Make it final: names, restart policy, receipt.
    Commit,
}

/// Permission by the rule; it is not the effect, and does not outlive a crash (rule 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Seats counted, this node's own included; none when nothing is counted.
    pub sum: Option<u32>,
    /// Heads of the chains that the decision relied on.
    pub heads: BTreeMap<NodeName, Head>,
}

/// How a node's part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Final {
    /// The action took effect and passed its test.
    Done,
    /// The old node is healthy again.
    RolledBack,
    /// It took no part.
    Declined,
}

/// How far a node has come with a plan: facts folded from its journal, in order.
///
/// Which stages an action passes through: stop `…Begun, Stopped, Passed`, start
/// `…Begun, Started, Passed`, restart `…Begun, Stopped, Started, Passed`, upgrade all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The plan has verified.
    #[default]
    Verified,
    /// The promise is given.
    Acknowledged,
    /// Everything before the effect is done.
    Prepared,
    /// `began` is journaled.
    Begun,
    /// The old container is verified exited.
    Stopped,
    /// The files of the release are in place.
    Swapped,
    /// The node (the successor) was started.
    Started,
    /// The test passed and held.
    Passed,
    /// Final.
    Over(Final),
}

/// What this node knows of itself; others see it only through receipts and beacons.
#[derive(Debug, Clone)]
pub struct Observations {
    /// Whose decision it is.
    pub me: NodeName,
    /// How far the journal says it has come.
    pub stage: Stage,
    /// Another plan that was begun here and is not final. Where a stop stands beside what it
    /// interrupted: for an emergency the stop, for every other plan what it interrupted.
    pub in_hand: Option<PlanId>,
    /// What the local policy, or the operator, says to this plan.
    pub policy: Answer,
    /// The self-test, from `Started` on (for a stop: from `Stopped` on).
    pub test: Test,
    /// A step that failed.
    pub failed: Option<Why>,
    /// An undo is under way or done; nothing forward follows.
    pub undoing: bool,
    /// What boards hold of this agent's own chain (rule 11).
    pub own_chain: OwnChain,
    /// A stop interrupted this plan after it had begun, and nothing was done about it since.
    pub interrupted: bool,
    /// The newest emergency that a document of the full threshold has ended, as far as this node
    /// ever verified; 0 for none. Documents leave the boards when they run out; this stays.
    pub ended: u64,
    /// The newest serials that this host's ledger has admitted: a plan may have left the boards.
    pub admitted: Serials,
    /// Somebody with the right asked to begin nothing for now.
    pub held: Option<Held>,
    /// When the publisher's timestamp stops being fresh (rule 12); none when there is none.
    pub fresh_until: Option<Timestamp>,
    /// The node's height by its own gRPC, if it answers.
    pub height: Option<u64>,
}

/// The newest serial of each counter; 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Serials {
    /// Of hotfixes and drills.
    pub ordinary: u64,
    /// Of emergencies.
    pub emergency: u64,
}

impl Serials {
    /// Of one counter.
    pub fn of(self, counter: Counter) -> u64 {
        match counter {
            Counter::Ordinary => self.ordinary,
            Counter::Emergency => self.emergency,
        }
    }
}

/// What the local policy, or the operator, says to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Goes ahead by itself, or was approved.
    Apply,
    /// The operator has not answered yet; asked since then, or not yet asked.
    Ask {
        /// When the receipt `asked` was written.
        since: Option<Timestamp>,
    },
    /// Refused by policy or declined by the operator.
    Refuse {
        /// For the receipt.
        reason: String,
    },
}

/// What the self-test says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Not asked yet.
    Unknown,
    /// Well so far, not for long enough yet.
    Holding,
    /// Well, and held.
    Pass,
    /// Not well yet; time is left.
    NotYet(Why),
    /// Not well, and time is up or it is final.
    Fail(Why),
    /// Nobody could tell now (the chain itself does not advance): the deadline stands still.
    CannotTell(Why),
}

/// What boards hold of this agent's own chain, compared with its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnChain {
    /// No reachable board was asked yet under this plan.
    Unasked,
    /// No board holds more than the journal.
    Agrees,
    /// A board holds more: the host was restored from a backup.
    Ahead,
}

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who asked for it.
    pub by: String,
    /// For people.
    pub reason: String,
    /// It ends by itself.
    pub until: Timestamp,
}
