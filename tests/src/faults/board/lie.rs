//! What a board may do to an agent without any key of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_proto::documents::NodeName;

/// A kind of what travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signed metadata and targets.
    Metadata,
    /// Receipts of agents.
    Receipts,
    /// Beacons of agents.
    Beacons,
    /// What the board says it holds of the agent's own chain.
    OwnChain,
    /// The holds in force.
    Holds,
}

/// One way to lie; several hold at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lie {
    /// Never tells anything of that kind.
    Drop(Kind),
    /// Takes whatever the agent says of that kind and keeps it to itself.
    Deaf(Kind),
    /// Tells everything so much later, an hour at most.
    Delay(Duration),
    /// Tells in the opposite order: whole messages, this many at a time (100 at most), and the
    /// receipts within each.
    Reorder(usize),
    /// Tells something old again after everything new.
    Replay,
    /// Tells nothing more.
    Freeze,
    /// Tells evidence of these nodes only: who is told another set sees another fleet.
    Only(BTreeSet<NodeName>),
    /// Withholds every plan of that serial.
    Withhold(u64),
    /// Changes one number in everything of that kind, and leaves the signatures as they are.
    Tamper(Kind),
    /// Tells the oldest metadata that it ever told anybody, instead of the newest.
    OldMetadata,
    /// Says that it holds a longer chain of the agent's own than there is.
    LongerChain,
}

/// The longest that a message is kept.
pub(super) const DELAY_AT_MOST: Duration = Duration::from_secs(3_600);

/// The most messages that are turned round.
pub(super) const REORDER_AT_MOST: usize = 100;
