//! The agent's memory: intents and facts of every plan, its own receipts, the operator's answers.
//!
//! Invariant: an intent is on the disk before its effect is applied, and a receipt is on the
//! disk in the same transaction as the record that it tells. Recovery is a fold ([`fold`]);
//! nothing that can be folded is stored.

mod error;
pub mod fold;
mod lock;
mod memory;
mod plans;
mod receipts;
pub mod record;
mod schema;
mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use muster_proto::documents::{NodeName, PlanId, PublicKey};
use muster_proto::evidence::{Envelope, Receipt};
use rusqlite::Connection;
use tokio::sync::watch;

pub use error::JournalError;
pub use fold::Fold;
pub use lock::DataLock;
pub use memory::{Kept, OperatorAnswer, StickyFailure};
pub use plans::StoredPlan;
pub use record::{Cause, Effect, Exited, Fact, Found, GoOn, Last, Milestone, Policy, Record, Tip};
pub use view::JournalView;

/// Whose journal it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The agent's network.
    pub network: String,
    /// The node's name in the roster.
    pub node: NodeName,
    /// The agent's key; it names the chain of receipts.
    pub key: PublicKey,
}

/// Signs a receipt with the agent's key.
pub type Seal = Arc<
    dyn Fn(&Receipt) -> Result<Envelope, Box<dyn std::error::Error + Send + Sync>> + Send + Sync,
>;

/// Called around every write with `before` or `after`, and how many writes there were before it.
///
/// The seam for fault injection: production passes a function that does nothing.
pub type WriteHook = Arc<dyn Fn(WritePoint) + Send + Sync>;

/// A point around one durable write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WritePoint {
    /// Counted from 0 since the journal was opened.
    pub write: u64,
    /// The write is on the disk.
    pub after: bool,
}

/// The journal of one agent. Cheap to clone; all clones share one connection.
///
/// Every method blocks for one durable write at most (0.2 to 0.4 ms on an SSD).
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    identity: Identity,
    seal: Seal,
    hook: WriteHook,
    state: Mutex<State>,
    /// The counter of the newest own receipt.
    newest: watch::Sender<u64>,
    _lock: DataLock,
}

struct State {
    db: Connection,
    folds: BTreeMap<PlanId, Fold>,
    /// The next beacon's counter, and the first that is not reserved.
    beacons: (u64, u64),
    writes: u64,
    pending: Pending,
}

/// What the memory takes over once the transaction is on the disk, and not before.
#[derive(Default)]
struct Pending {
    fold: Option<(PlanId, Fold)>,
    beacons: Option<(u64, u64)>,
    receipt: Option<u64>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.inner.path.display())
    }
}

impl Journal {
    /// The journal's file name in the agent's data folder.
    pub const FILE: &str = "journal.sqlite";

    /// Opens (or makes) the journal in the folder `dir`, and takes the folder's lock.
    ///
    /// Everything that is there is checked and folded before anything is believed.
    ///
    /// # Errors
    /// Every variant of [`JournalError`] but `UnknownPlan` and `Seal`.
    pub fn open(dir: &Path, identity: Identity, seal: Seal) -> Result<Self, JournalError> {
        Self::open_hooked(dir, identity, seal, Arc::new(|_| {}))
    }

    /// [`Journal::open`] with a hook around every write.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_hooked(
        dir: &Path,
        identity: Identity,
        seal: Seal,
        hook: WriteHook,
    ) -> Result<Self, JournalError> {
        let lock = DataLock::take(dir)?;
        let path = dir.join(Self::FILE);
        let db = schema::open(&path)?;
        claim(&path, &db, &identity)?;
        let folds = plans::fold_all(&path, &db)?;
        let newest = receipts::check_chain(&path, &db, &identity.key)?;
        let state = State { db, folds, beacons: (0, 0), writes: 0, pending: Pending::default() };
        let inner = Inner {
            path,
            identity,
            seal,
            hook,
            state: Mutex::new(state),
            newest: watch::Sender::new(newest),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whose journal it is.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A holder panics only on a bug, and leaves the database as of its last transaction.
        self.inner.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Runs `work` as one durable transaction.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut state = self.state();
        let write = state.writes;
        state.writes += 1;
        (self.inner.hook)(WritePoint { write, after: false });
        state.db.execute_batch("BEGIN IMMEDIATE")?;
        let result = work(&mut state).and_then(|value| {
            state.db.execute_batch("COMMIT")?;
            Ok(value)
        });
        let pending = std::mem::take(&mut state.pending);
        match result {
            Ok(_) => self.take_over(&mut state, pending),
            // The first error is the one that counts.
            Err(_) if !state.db.is_autocommit() => drop(state.db.execute_batch("ROLLBACK")),
            Err(_) => {}
        }
        drop(state);
        (self.inner.hook)(WritePoint { write, after: true });
        result
    }

    fn take_over(&self, state: &mut State, pending: Pending) {
        if let Some((plan, fold)) = pending.fold {
            state.folds.insert(plan, fold);
        }
        state.beacons = pending.beacons.unwrap_or(state.beacons);
        if let Some(counter) = pending.receipt {
            self.inner.newest.send_replace(counter);
        }
    }
}

/// Writes whose journal it is into a new one, and insists on it in an old one.
///
/// The key may change (a new chain begins); network and node may not.
fn claim(path: &Path, db: &Connection, identity: &Identity) -> Result<(), JournalError> {
    let expected = format!("{} on {}", identity.node, identity.network);
    db.execute(
        "INSERT INTO meta (key, value) VALUES ('owner', ?1) ON CONFLICT DO NOTHING",
        [&expected],
    )?;
    let found: String =
        db.query_row("SELECT value FROM meta WHERE key = 'owner'", [], |row| row.get(0))?;
    if found == expected {
        return Ok(());
    }
    Err(JournalError::Elsewhere { path: path.into(), found, expected })
}

/// The host's clock; the rule corrects it, the journal only writes it down.
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests;
