//! Everything the daemon knows, in one place behind one lock that is never held over a wait.
//!
//! Three tasks share it: the loop writes what boards and people say, the pulse what the node
//! looks like, the hands read it to decide. Nothing in here waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use muster_proto::documents::{Aborts, NodeName, Plan, PlanId, PublicKey};
use muster_proto::evidence::Head;
use muster_proto::evidence::beacon::Health;
use muster_proto::evidence::book::Book;
use muster_proto::trust::{SecretKey, State, StateFile};
use tokio::sync::{Notify, watch};

use super::holds::Holds;
use super::refusals::Refusals;
use crate::boards::Outgoing;
use crate::config::Config;
use crate::control::view::BoardState;
use crate::decide::own_chain::Heard;
use crate::journal::Journal;
use crate::node::Seen;
use crate::node::fleet::FleetWatch;
use crate::policy::PolicyFile;
use crate::steps::Progress;

/// Who this agent is.
pub(super) struct Me {
    /// The node's name in the roster.
    pub(super) node: NodeName,
    /// Such as `mainnet`.
    pub(super) network: String,
    /// Signs receipts and beacons, and is the TLS identity.
    pub(super) key: SecretKey,
    /// Its public half.
    pub(super) public: PublicKey,
}

/// One board as it was met so far.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) address: String,
    pub(super) state: BoardState,
    pub(super) since: Timestamp,
    /// What it answered about the own chain since it was attached.
    pub(super) heard: Heard,
}

/// The node as it was seen last.
#[derive(Debug, Clone)]
pub(super) struct LastSeen {
    pub(super) seen: Seen,
    /// As it was told to everybody.
    pub(super) health: Health,
}

/// What is done about one plan, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doing {
    pub(super) text: String,
    pub(super) since: Timestamp,
}

/// See the module.
pub(super) struct Core {
    pub(super) me: Arc<Me>,
    pub(super) config: Config,
    pub(super) journal: Journal,
    /// Verified metadata and the ledger of serials.
    pub(super) state: State,
    pub(super) file: StateFile,
    /// Plans that the ledger admitted, and whatever is in hand by the journal.
    pub(super) plans: BTreeMap<PlanId, Plan>,
    /// Every abort that ever verified here.
    pub(super) aborts: Aborts,
    pub(super) book: Book,
    pub(super) policy: PolicyFile,
    pub(super) holds: Holds,
    pub(super) refusals: Refusals,
    pub(super) boards: Vec<Board>,
    /// The number of the newest question about the own chain, and when it was asked.
    pub(super) question: (u64, Timestamp),
    /// The question that was asked when a plan appeared.
    pub(super) asked_under: BTreeMap<PlanId, u64>,
    /// A receipt of ours that some board proved and the journal does not know.
    pub(super) ahead: Option<Head>,
    pub(super) seen: Option<LastSeen>,
    pub(super) fleet: FleetWatch,
    pub(super) doing: BTreeMap<PlanId, Doing>,
    /// What the runner does right now.
    pub(super) progress: watch::Receiver<Option<Progress>>,
    pub(super) since: Timestamp,
    pub(super) draining: bool,
    pub(super) outgoing: watch::Sender<Outgoing>,
    /// Rung when a decision may come out otherwise than before.
    pub(super) changed: Arc<Notify>,
    /// Rung when others should hear of it at once.
    pub(super) tell: Arc<Notify>,
}

/// The core as the tasks hold it.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Core>>);

impl Shared {
    pub(super) fn new(core: Core) -> Self {
        Self(Arc::new(Mutex::new(core)))
    }

    /// For a moment; never over a wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        // A holder panics only on a bug; what is durable lies in journal and trust state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// The time by which decisions are made: the host's clock, never before what officers signed.
    pub(super) fn now(&self) -> Timestamp {
        self.state.trust.now(Timestamp::now())
    }

    /// The step under way, else what was said last about a plan.
    pub(super) fn doing(&self, id: &PlanId) -> Option<Doing> {
        let progress = self.progress.borrow();
        match progress.as_ref().filter(|progress| progress.plan == *id) {
            Some(now) => Some(Doing { text: now.what.clone(), since: now.since }),
            None => self.doing.get(id).cloned(),
        }
    }

    /// The newest roster lists this node with this key.
    pub(super) fn enrolled(&self) -> bool {
        let listed = self.state.trust.roster().and_then(|roster| roster.node(&self.me.node)?.key);
        listed == Some(self.me.public)
    }
}
