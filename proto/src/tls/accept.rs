//! The board's door: tonic's server takes no client verifier, so connections are accepted here and
//! handed to `serve_with_incoming`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::config::ALPN;
use super::identity::peer_key;
use crate::documents::PublicKey;
use crate::wire::limits;

/// Handshakes under way at one moment; the rest waits in the kernel's backlog.
const HANDSHAKES: usize = 256;

/// Pause after `accept` itself failed (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doors {
    /// Connections of keys that are known.
    pub known: usize,
    /// Connections of keys that are not: enough to tell them so.
    pub strangers: usize,
    /// Connections of one key.
    pub per_key: usize,
    /// A stranger's connection is cut after this.
    pub stranger_life: Duration,
}

impl Default for Doors {
    fn default() -> Self {
        Self { known: 12_000, strangers: 64, per_key: 16, stranger_life: Duration::from_secs(30) }
    }
}

/// Who called; tonic puts it into the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Proved to be his.
    pub key: PublicKey,
    /// Where the connection came from.
    pub addr: SocketAddr,
}

/// A connection whose caller has proved his key.
pub struct PeerStream {
    tls: TlsStream<TcpStream>,
    peer: Peer,
    end: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// Accepts until the returned stream is dropped. `known` says whether a key is one that the board
/// expects; it sorts connections and gives no right.
pub fn accept(
    listener: TcpListener,
    config: ServerConfig,
    doors: Doors,
    known: impl Fn(&PublicKey) -> bool + Send + Sync + 'static,
) -> ReceiverStream<Result<PeerStream, Infallible>> {
    let (ready, incoming) = mpsc::channel(limits::STREAM_QUEUE);
    let hall = Arc::new(Hall {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        known: Arc::new(Semaphore::new(doors.known)),
        strangers: Arc::new(Semaphore::new(doors.strangers)),
        by_key: Arc::default(),
        doors,
        is_known: Box::new(known),
    });
    tokio::spawn(run(listener, hall, ready));
    ReceiverStream::new(incoming)
}

type Ready = mpsc::Sender<Result<PeerStream, Infallible>>;
type ByKey = Arc<Mutex<BTreeMap<PublicKey, usize>>>;

struct Hall {
    acceptor: TlsAcceptor,
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    by_key: ByKey,
    doors: Doors,
    is_known: Box<dyn Fn(&PublicKey) -> bool + Send + Sync>,
}

async fn run(listener: TcpListener, hall: Arc<Hall>, ready: Ready) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let place = handshakes.clone().acquire_owned().await.expect("never closed");
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, addr)) => {
                let (hall, ready) = (hall.clone(), ready.clone());
                tokio::spawn(async move {
                    if let Some(stream) = hall.receive(tcp, addr).await {
                        drop(place);
                        // An error means that the server is going down.
                        let _ = ready.send(Ok(stream)).await;
                    }
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Hall {
    async fn receive(&self, tcp: TcpStream, addr: SocketAddr) -> Option<PeerStream> {
        let _ = tcp.set_nodelay(true);
        let tls = match timeout(limits::HANDSHAKE, self.acceptor.accept(tcp)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                debug!(%addr, %error, "handshake refused");
                return None;
            }
            Err(_) => {
                debug!(%addr, "handshake took too long");
                return None;
            }
        };
        let session = tls.get_ref().1;
        if session.alpn_protocol() != Some(ALPN) {
            debug!(%addr, "does not speak h2");
            return None;
        }
        let key = peer_key(session.peer_certificates()?.first()?).ok()?;
        let known = (self.is_known)(&key);
        let Some(place) = self.place(key, known) else {
            warn!(%addr, %key, known, "too many connections");
            return None;
        };
        let end = (!known).then(|| Box::pin(sleep(self.doors.stranger_life)));
        Some(PeerStream { tls, peer: Peer { key, addr }, end, _place: place })
    }

    fn place(&self, key: PublicKey, known: bool) -> Option<Place> {
        let side = if known { &self.known } else { &self.strangers };
        let permit = side.clone().try_acquire_owned().ok()?;
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let held = by_key.entry(key).or_default();
        if *held >= self.doors.per_key {
            return None;
        }
        *held += 1;
        Some(Place { key, by_key: self.by_key.clone(), _permit: permit })
    }
}

/// A connection's place in both counts, given back when it closes.
struct Place {
    key: PublicKey,
    by_key: ByKey,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = by_key.get_mut(&self.key) {
            *held -= 1;
            if *held == 0 {
                by_key.remove(&self.key);
            }
        }
    }
}

impl Connected for PeerStream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = &mut self.end
            && end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }
}
