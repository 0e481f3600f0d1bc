//! From a configuration to a board that listens, and back down again.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_proto::tls::{self, Doors, IdentityError};
use muster_proto::wire::limits;
use muster_proto::wire::muster::board_server::BoardServer;
use muster_proto::wire::muster::desk_server::DeskServer;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Server;
use tracing::{info, warn};

use crate::board::{Board, BoardService, Hub, HubError, Keeper, RestoreError};
use crate::config::{Config, ConfigError};
use crate::desk::DeskService;
use crate::keys::{self, KeyFileError};
use crate::mark::{Mark, MarkError};
use crate::publisher::Signer;
use crate::store::{Store, StoreError};

/// Streams that have not ended by then are cut.
const DRAIN: Duration = Duration::from_secs(5);

/// How often the board looks at the clock: holds end and timestamps are signed this exactly.
const TICK: Duration = Duration::from_millis(500);

/// A stream's window: a bulletin in flight, not one per agent in memory.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// Why a board does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The TLS key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The data folder cannot be made.
    #[error("C020: the folder {} cannot be made", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mark.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// What the store holds does not verify.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The address is taken or not ours.
    #[error("C021: cannot listen on {addr}; is another controller running?")]
    Listen {
        /// From the configuration.
        addr: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The board stopped while it ran.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The server stopped while it ran.
    #[error("C022: the server stopped")]
    Server(#[source] tonic::transport::Error),
}

/// A board that listens.
pub struct Running {
    addr: SocketAddr,
    store: Store,
    down: watch::Sender<bool>,
    stop_hub: oneshot::Sender<()>,
    hub: JoinHandle<Result<(), HubError>>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Running {
    /// Starts what `config` (read from `path`) describes.
    ///
    /// # Errors
    /// Every [`ServeError`] but the last two.
    pub async fn start(config: Config, path: &Path) -> Result<Self, ServeError> {
        let (keeper, restored, store) = open(&config, path).await?;
        let identity = keys::identity(&config.tls_key)?;
        let tls = tls::server_config(&identity)?;
        let listening = TcpListener::bind(config.listen).await;
        let cannot = |source| ServeError::Listen { addr: config.listen, source };
        let listener = listening.map_err(cannot)?;
        let addr = listener.local_addr().map_err(cannot)?;

        let (down, going_down) = watch::channel(false);
        let tick = config.publisher.as_ref().map_or(TICK, |publisher| publisher.pace().min(TICK));
        let (hub, board) = Hub::new(
            &config.network,
            keeper,
            restored,
            store.clone(),
            config.mark(),
            tick,
            going_down,
        );
        let (stop_hub, stop) = oneshot::channel();
        let hub = tokio::spawn(hub.run(stop));
        let config = Arc::new(config);
        let doors = Doors {
            known: config.limits.connections,
            strangers: config.limits.strangers,
            ..Doors::default()
        };
        let known = known(board.clone(), config.clone());
        let incoming = tls::accept(listener, tls, doors, known);
        let server = tokio::spawn(serve(board, store.clone(), config, incoming));
        info!(%addr, pin = %identity.pin(), "listening");
        Ok(Self { addr, store, down, stop_hub, hub, server })
    }

    /// Where it listens, with the port that the system chose.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until `signal` asks it to stop, or until it cannot go on; then drains and closes.
    ///
    /// # Errors
    /// [`ServeError::Hub`], [`ServeError::Server`].
    pub async fn until(mut self, signal: impl Future<Output = ()>) -> Result<(), ServeError> {
        let ended = tokio::select! {
            () = signal => None,
            ended = &mut self.hub => Some(ended.expect("the board's task does not panic")),
        };
        info!("draining");
        let _ = self.down.send(true);
        let server = timeout(DRAIN, &mut self.server).await;
        if server.is_err() {
            warn!("some connections did not end in time and are cut");
            self.server.abort();
        }
        let hub = match ended {
            Some(ended) => ended,
            None => {
                let _ = self.stop_hub.send(());
                self.hub.await.expect("the board's task does not panic")
            }
        };
        self.store.close().await;
        info!("stopped");
        hub?;
        match server {
            Ok(Ok(Err(error))) => Err(ServeError::Server(error)),
            _ => Ok(()),
        }
    }
}

/// Everything but the network: what `check` looks at and `run` begins with.
///
/// # Errors
/// As [`Running::start`].
pub async fn open(
    config: &Config,
    path: &Path,
) -> Result<(Keeper, Vec<crate::board::shelf::Change>, Store), ServeError> {
    let now = Timestamp::now();
    let root = config.first_root(path)?;
    let pin = config
        .root
        .as_ref()
        .map(|root| root.sha256.clone())
        .unwrap_or_else(|| unreachable!("`first_root` refuses a configuration without a root"));
    let signer = config.publisher.as_ref().map(Signer::read).transpose()?;
    let folder = |source| ServeError::Folder { path: config.data.clone(), source };
    std::fs::create_dir_all(&config.data).map_err(folder)?;
    let mark = Mark::read(&config.mark())?;
    let store = Store::open(&config.store(), &config.network, now.as_second()).await?;
    let loaded = store.load().await?;
    let (keeper, restored) = Keeper::restore(config, (&root, &pin), signer, mark, loaded, now)?;
    Ok((keeper, restored, store))
}

fn known(
    board: Board,
    config: Arc<Config>,
) -> impl Fn(&muster_proto::documents::PublicKey) -> bool + Send + Sync {
    move |key| config.person(key).is_some() || board.look(|shelf| shelf.lists(key))
}

async fn serve(
    board: Board,
    store: Store,
    config: Arc<Config>,
    incoming: tokio_stream::wrappers::ReceiverStream<
        Result<tls::PeerStream, std::convert::Infallible>,
    >,
) -> Result<(), tonic::transport::Error> {
    let agents = BoardServer::new(BoardService::new(board.clone(), config.limits))
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES);
    let desk = DeskServer::new(DeskService::new(board.clone(), store, config))
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES);
    Server::builder()
        .timeout(limits::CALL)
        .concurrency_limit_per_connection(limits::STREAMS_PER_CONNECTION as usize)
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_keepalive_interval(Some(limits::KEEPALIVE))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(limits::HEADER_LIST_BYTES)
        .http2_max_pending_accept_reset_streams(Some(limits::STREAMS_PER_CONNECTION as usize))
        .load_shed(true)
        .add_service(agents)
        .add_service(desk)
        .serve_with_incoming_shutdown(incoming, async move { board.going_down().await })
        .await
}
