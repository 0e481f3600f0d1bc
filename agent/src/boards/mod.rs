//! Boards: one task each, attached at once; whatever they say is handed on unbelieved.
//!
//! A task owns its connection and nothing else. What it should send stands in one watched value
//! ([`Outgoing`]), of which only the newest counts; what it hears goes into one bounded channel.

mod backoff;
mod session;
mod task;

use std::fmt;
use std::sync::Arc;

use muster_proto::documents::NodeName;
use muster_proto::wire::muster::{Bulletin, DoubleCounter, Evidence, Hold, OwnChain, Refusal};
use tokio::sync::{mpsc, watch};

use crate::config::{BoardAddress, Intervals};
use crate::control::view::BoardState;
use muster_proto::tls::Identity;

/// What all boards should know. Replaced as a whole; a slow board skips what was in between.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Versions of root, timestamp and snapshot that are verified here.
    pub versions: [u64; 3],
    /// Counter of the newest own receipt; 0 for none.
    pub head: u64,
    /// The newest own beacon, and a number that grows with each.
    pub beacon: Option<(u64, Arc<[u8]>)>,
    /// Grows when boards should say again what they hold of the own chain (rule 11).
    pub question: u64,
    /// Documents refused, oldest first; the list only grows at its end.
    pub refusals: Arc<[Refusal]>,
}

/// Own receipts as they travel, for whoever lacks them: counters above the first argument, in
/// order, at most as many as the second.
pub type Receipts = Arc<dyn Fn(u64, usize) -> Vec<Vec<u8>> + Send + Sync>;

/// Something a board did. `board` is its place in the configuration.
#[derive(Debug)]
pub struct BoardEvent {
    /// Which board.
    pub board: usize,
    /// What it did.
    pub event: Event,
}

/// What a board did or said.
#[derive(Debug)]
pub enum Event {
    /// The stream is open, or it is not and why.
    State(BoardState),
    /// Documents.
    Bulletin(Bulletin),
    /// Receipts and beacons.
    Evidence(Evidence),
    /// Two statements of one agent that exclude each other, both signed by it.
    DoubleCounter(DoubleCounter),
    /// What it holds of the own chain, and the number of the question that it answers.
    OwnChain(u64, OwnChain),
    /// Holds in force; replaces those before.
    Holds(Vec<Hold>),
}

/// What every board task needs.
#[derive(Clone)]
pub struct Attach {
    /// The key that is shown.
    pub identity: Arc<Identity>,
    /// As whom.
    pub node: NodeName,
    /// On which network.
    pub network: String,
    /// How long to wait before trying again.
    pub intervals: Intervals,
    /// Own receipts, to send on.
    pub receipts: Receipts,
    /// What to say.
    pub outgoing: watch::Receiver<Outgoing>,
    /// Where to report.
    pub events: mpsc::Sender<BoardEvent>,
}

impl fmt::Debug for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attach({} on {})", self.node, self.network)
    }
}

/// Starts one task per board. They end when the receiver of events is dropped.
pub fn start(boards: &[BoardAddress], attach: &Attach) {
    for (board, address) in boards.iter().enumerate() {
        tokio::spawn(task::run(board, address.clone(), attach.clone()));
    }
}
