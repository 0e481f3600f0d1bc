//! A board that lies: a real gRPC server with real TLS, the board's own identity and store.
//!
//! Whoever takes over a controller's machine has all of that, and no officer's key. Agents are
//! authenticated by their own TLS keys, so nobody can stand between them and a board unseen;
//! what can lie is the board itself. So the library's own service answers here, and what goes
//! in and out of it is changed on the way.

mod liar;
mod lie;
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_controller::board::{BoardService, Hub};
use muster_controller::config::Config;
use muster_controller::desk::DeskService;
use muster_controller::store::Store;
use muster_controller::{keys, serve};
use muster_proto::documents::{Digest, NodeName};
use muster_proto::tls::{self, Doors, Identity};
use muster_proto::wire::limits;
use muster_proto::wire::muster::Bulletin;
use muster_proto::wire::muster::board_server::BoardServer;
use muster_proto::wire::muster::desk_server::DeskServer;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::transport::Server;

pub use lie::{Kind, Lie};
use service::LyingService;

/// How often the board looks at the clock, as the honest one does.
const TICK: Duration = Duration::from_millis(500);

/// What it tells to whom; shared by all streams.
#[derive(Debug)]
struct Script {
    lies: watch::Sender<BTreeMap<NodeName, Vec<Lie>>>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// The first metadata that anybody was told.
    oldest: Option<Bulletin>,
    /// By node: how often a lie changed anything.
    lies: BTreeMap<NodeName, usize>,
}

impl Script {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lies_for(&self, node: &NodeName) -> Vec<Lie> {
        self.lies.borrow().get(node).cloned().unwrap_or_default()
    }
}

/// A running board that lies as it is told; it is gone when dropped.
#[derive(Debug)]
pub struct LyingBoard {
    addr: SocketAddr,
    pin: Digest,
    script: Arc<Script>,
    store: Store,
    down: watch::Sender<bool>,
    stop_hub: Option<oneshot::Sender<()>>,
    tasks: Option<(JoinHandle<()>, JoinHandle<()>)>,
}

impl LyingBoard {
    /// Takes over the folder of a controller that does not run: its address, keys and store.
    /// Honest to everybody until told otherwise.
    ///
    /// # Errors
    /// When its configuration or store is refused, or its address is taken.
    pub async fn start(dir: &Path) -> Result<Self> {
        let path = dir.join("controller.yaml");
        let config = Config::read(&path)?;
        let (keeper, restored, store) = serve::open(&config, &path).await?;
        let identity = Identity::from_key(&keys::read(&config.tls_key)?)?;
        let tls = tls::server_config(&identity)?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let addr = listener.local_addr()?;
        let (down, going_down) = watch::channel(false);
        let (network, mark) = (config.network.clone(), config.mark());
        let tick = config.publisher.as_ref().map_or(TICK, |publisher| publisher.pace().min(TICK));
        let (hub, board) =
            Hub::new(&network, keeper, restored, store.clone(), mark, tick, going_down);
        let (stop_hub, stop) = oneshot::channel();
        let hub = tokio::spawn(async move {
            if let Err(error) = hub.run(stop).await {
                tracing::error!(%error, "the lying board stopped");
            }
        });
        let script = Arc::new(Script { lies: watch::Sender::default(), told: Mutex::default() });
        let incoming = tls::accept(listener, tls, Doors::default(), |_| true);
        let inner = BoardService::new(board.clone(), config.limits);
        let agents = BoardServer::new(LyingService::new(inner, script.clone()))
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .max_encoding_message_size(limits::MESSAGE_BYTES);
        let desk = DeskService::new(board.clone(), store.clone(), Arc::new(config));
        let desk = DeskServer::new(desk)
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .max_encoding_message_size(limits::MESSAGE_BYTES);
        let server = tokio::spawn(async move {
            let served = Server::builder().add_service(agents).add_service(desk);
            let ended = async move { board.going_down().await };
            if let Err(error) = served.serve_with_incoming_shutdown(incoming, ended).await {
                tracing::error!(%error, "the lying board's server stopped");
            }
        });
        let pin = identity.pin();
        let (stop_hub, tasks) = (Some(stop_hub), Some((hub, server)));
        Ok(Self { addr, pin, script, store, down, stop_hub, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What agents pin.
    pub fn pin(&self) -> &Digest {
        &self.pin
    }

    /// From now on lies to `node` in all these ways; with none it tells the truth again, and
    /// everything once more.
    pub fn set(&self, node: &NodeName, lies: impl Into<Vec<Lie>>) {
        let lies = lies.into();
        self.script.lies.send_modify(|all| {
            all.insert(node.clone(), lies);
        });
    }

    /// How often a lie changed what `node` was told or what was heard of it: a test that counts
    /// on a lie asks whether it was told.
    pub fn lies_told(&self, node: &NodeName) -> usize {
        self.script.told().lies.get(node).copied().unwrap_or_default()
    }

    /// Ends every stream and gives folder and address back.
    ///
    /// # Errors
    /// When a task panicked.
    pub async fn stop(mut self) -> Result<()> {
        self.down.send_replace(true);
        if let Some(stop) = self.stop_hub.take() {
            // An error means that it has ended already.
            let _ = stop.send(());
        }
        if let Some((hub, server)) = self.tasks.take() {
            // Streams that are still open would keep the server.
            server.abort();
            hub.await?;
        }
        self.store.close().await;
        Ok(())
    }
}

impl Drop for LyingBoard {
    fn drop(&mut self) {
        self.down.send_replace(true);
        if let Some((hub, server)) = &self.tasks {
            hub.abort();
            server.abort();
        }
    }
}
