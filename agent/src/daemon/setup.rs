//! From a folder to a daemon that is ready to attach: everything is read and checked first.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use muster_proto::documents::{Aborts, Plan, PlanId, canonical};
use muster_proto::evidence::book::Book;
use muster_proto::evidence::{Envelope, Receipt};
use muster_proto::tls::{Identity, IdentityError};
use muster_proto::trust::{StateError, StateFile};
use tokio::net::UnixListener;
use tokio::sync::{Notify, mpsc, watch};

use super::core::{Board, Core, Me, Shared};
use super::holds::Holds;
use super::refusals::Refusals;
use crate::boards::{Attach, BoardEvent, Outgoing, Receipts};
use crate::config::{BoardAddress, Config, ConfigError, Paths};
use crate::control::server;
use crate::control::view::BoardState;
use crate::decide::own_chain::Heard;
use crate::enrol::{self, EnrolError};
use crate::journal::{self, Journal, JournalError, Seal};
use crate::node::fleet::FleetWatch;
use crate::policy::{Change, PolicyFile};
use crate::runtime::Engine;
use crate::steps::{Progress, Runner, Settings};

/// Why the daemon did not start. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `agent.yaml`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Key(#[from] EnrolError),
    /// The key as a TLS identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Trust state: missing or damaged. Never started over.
    #[error(transparent)]
    Trust(#[from] StateError),
    /// There is none: `init` has not run, or somebody removed it.
    #[error("E513: {} is missing; nothing runs without a pinned root. Run `muster-agent init`", .0.display())]
    NoTrust(std::path::PathBuf),
    /// The journal, or another agent that holds it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The control socket.
    #[error("E546: cannot listen on {}", path.display())]
    Socket {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Everything loaded, nothing begun.
pub(super) struct Ready {
    pub(super) core: Shared,
    pub(super) runner: Arc<Runner>,
    pub(super) socket: UnixListener,
    pub(super) boards: Vec<BoardAddress>,
    /// Follows the counter of the newest own receipt.
    pub(super) receipts: watch::Receiver<u64>,
    identity: Arc<Identity>,
    outgoing: watch::Receiver<Outgoing>,
    journal: Journal,
}

/// Reads everything; takes the folder's lock by opening the journal.
pub(super) fn start(paths: &Paths) -> Result<Ready, StartError> {
    let config = Config::load(&paths.config())?;
    let key = enrol::load_key(paths)?;
    let identity = Arc::new(Identity::from_key(&key)?);
    let me = Arc::new(Me {
        node: config.name.clone(),
        network: config.network.clone(),
        public: key.public(),
        key,
    });
    let journal = open_journal(paths, &me)?;
    let socket = server::bind(&paths.socket())
        .map_err(|source| StartError::Socket { path: paths.socket(), source })?;
    let socket_path = config.docker.trim_start_matches("unix://");
    let engine = Arc::new(Engine::new(socket_path, config.intervals.engine.get()));
    let settings = Settings::new(config.container.clone());
    let runner = Runner::new(engine, journal.clone(), settings);
    let (outgoing, said) = watch::channel(Outgoing::default());
    let boards = config.controllers.clone();
    say_hello(&config, &me, &boards);
    let mut core = core(paths, config, me, journal.clone(), outgoing, runner.progress())?;
    core.begin();
    Ok(Ready {
        core: Shared::new(core),
        runner: Arc::new(runner),
        socket,
        boards,
        receipts: journal.follow(),
        identity,
        outgoing: said,
        journal,
    })
}

fn say_hello(config: &Config, me: &Me, boards: &[BoardAddress]) {
    let addresses: Vec<_> = boards.iter().map(|board| board.address.as_str()).collect();
    tracing::info!(
        node = %me.node,
        network = me.network,
        container = config.container,
        key = %me.public,
        boards = addresses.join(" "),
        "muster-agent {} begins", env!("CARGO_PKG_VERSION")
    );
}

fn open_journal(paths: &Paths, me: &Arc<Me>) -> Result<Journal, JournalError> {
    let identity =
        journal::Identity { network: me.network.clone(), node: me.node.clone(), key: me.public };
    let signer = me.clone();
    let seal: Seal = Arc::new(move |receipt: &Receipt| {
        Envelope::sign(receipt, signer.key.signing_key()).map_err(Into::into)
    });
    Journal::open(paths.dir(), identity, seal)
}

fn core(
    paths: &Paths,
    config: Config,
    me: Arc<Me>,
    journal: Journal,
    outgoing: watch::Sender<Outgoing>,
    progress: watch::Receiver<Option<Progress>>,
) -> Result<Core, StartError> {
    let (file, state) = StateFile::open(paths.trust(), Timestamp::now())?;
    let state = state.ok_or_else(|| StartError::NoTrust(paths.trust()))?;
    let (policy, seen) = PolicyFile::open(paths.policy());
    tell_policy(&seen);
    let since = Timestamp::now();
    let board = |address: &BoardAddress| Board {
        address: address.address.clone(),
        state: BoardState::Untried,
        since,
        heard: Heard { question: 0, silent: false },
    };
    let boards = config.controllers.iter().map(board).collect();
    let plans = plans_in_hand(&journal);
    Ok(Core {
        book: Book::new(&me.network),
        me,
        boards,
        config,
        journal,
        state,
        file,
        plans,
        aborts: Aborts::new(),
        policy,
        holds: Holds::default(),
        refusals: Refusals::default(),
        question: (0, since),
        asked_under: BTreeMap::new(),
        ahead: None,
        seen: None,
        fleet: FleetWatch::default(),
        doing: BTreeMap::new(),
        progress,
        since,
        draining: false,
        outgoing,
        changed: Arc::new(Notify::new()),
        tell: Arc::new(Notify::new()),
    })
}

/// What was begun is finished or undone by its own signed bytes, whatever boards list now.
fn plans_in_hand(journal: &Journal) -> BTreeMap<PlanId, Plan> {
    let parsed = |id: PlanId| {
        let stored = journal.stored(&id).ok()?;
        Some((id, canonical::from_bytes::<Plan>(&stored.plan).ok()?))
    };
    journal.all_in_hand().into_iter().filter_map(parsed).collect()
}

fn tell_policy(change: &Change) {
    match change {
        Change::New | Change::None => tracing::info!("policy.yaml is in force"),
        Change::Missing => tracing::warn!("there is no policy.yaml: every plan is asked"),
        Change::Refused(why) => tracing::error!("every plan is asked: {why}"),
    }
}

impl Ready {
    /// What every board task needs.
    pub(super) fn attach(&self, events: mpsc::Sender<BoardEvent>) -> Attach {
        let journal = self.journal.clone();
        let receipts: Receipts = Arc::new(move |since, most| {
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            match journal.since(since, most) {
                Ok(found) => found.into_iter().map(|(_, bytes)| bytes).collect(),
                Err(error) => {
                    tracing::error!(%error, "own receipts cannot be read");
                    Vec::new()
                }
            }
        });
        let core = self.core.lock();
        Attach {
            identity: self.identity.clone(),
            node: core.me.node.clone(),
            network: core.me.network.clone(),
            intervals: core.config.intervals,
            receipts,
            outgoing: self.outgoing.clone(),
            events,
        }
    }
}
