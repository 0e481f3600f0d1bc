//! One connection to one board. Whoever loses it calls again, at his own pace.

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use super::config::{ALPN, client_config};
use super::identity::{BadCertificate, Identity, IdentityError};
use super::verify::WrongPin;
use crate::documents::Digest;
use crate::wire::limits;

/// Why a board could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No TCP connection.
    #[error("N010: {addr} cannot be reached; check the address and the way there")]
    Unreachable {
        /// `host:port` as given.
        addr: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nothing came back in time.
    #[error("N011: {addr} did not answer within {patience:?}")]
    Timeout {
        /// `host:port` as given.
        addr: String,
        /// For how long it was waited.
        patience: Duration,
    },
    /// Somebody else answers at that address.
    #[error(
        "N012: {addr} is not the board that was pinned: expected {expected}, found {found}; \
         ask the board's operator for its pin by another way, and change nothing until then"
    )]
    WrongPin {
        /// `host:port` as given.
        addr: String,
        /// What was pinned.
        expected: Digest,
        /// What was found.
        found: Digest,
    },
    /// TLS or HTTP/2 failed for another reason: TLS 1.2 only, no ed25519, no `h2`, cut off.
    #[error("N013: {addr} answers, and is no board: TLS 1.3 with HTTP/2 does not begin")]
    Handshake {
        /// `host:port` as given.
        addr: String,
        /// What TLS says.
        #[source]
        source: io::Error,
    },
    /// The own key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Connects to the board at `addr` (`host:port`) whose key has the pin `pin`.
///
/// The channel does not connect again by itself: when it breaks, calls fail with `Unavailable`, and
/// the caller decides when to call again. Whether the board takes *our* key shows at the first call.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(
    addr: &str,
    identity: &Identity,
    pin: &Digest,
) -> Result<Channel, ConnectError> {
    connect_within(addr, identity, pin, limits::HANDSHAKE).await
}

/// As [`connect`], waiting no longer than `patience` for each of TCP, TLS and HTTP/2.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect_within(
    addr: &str,
    identity: &Identity,
    pin: &Digest,
    patience: Duration,
) -> Result<Channel, ConnectError> {
    let config = client_config(identity, vec![pin.clone()])?;
    let late = |_| ConnectError::Timeout { addr: addr.to_owned(), patience };
    let tcp = timeout(patience, TcpStream::connect(addr)).await.map_err(late)?;
    let unreachable = |source| ConnectError::Unreachable { addr: addr.to_owned(), source };
    let tcp = tcp.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    // Never sent (no SNI) and never compared (the key is pinned).
    let name = ServerName::try_from("board").expect("a fixed and valid name");
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let tls = timeout(patience, handshake).await.map_err(late)?;
    let tls = tls.map_err(|error| handshake_error(addr, pin, error))?;
    if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
        let source = io::Error::other("the other side did not agree on h2");
        return Err(ConnectError::Handshake { addr: addr.to_owned(), source });
    }
    let endpoint = endpoint();
    let opening = endpoint.connect_with_connector(Once(Some(tls)));
    timeout(patience, opening).await.map_err(late)?.map_err(|error| {
        let source = io::Error::other(error);
        ConnectError::Handshake { addr: addr.to_owned(), source }
    })
}

fn endpoint() -> Endpoint {
    // With a connector of our own the scheme must be `http`; TLS is already there.
    Endpoint::from_static("http://board")
        .connect_timeout(limits::HANDSHAKE)
        .timeout(limits::CALL)
        .http2_keep_alive_interval(limits::KEEPALIVE)
        .keep_alive_timeout(limits::KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .http2_max_header_list_size(limits::HEADER_LIST_BYTES)
        .concurrency_limit(limits::STREAMS_PER_CONNECTION as usize)
}

fn handshake_error(addr: &str, pin: &Digest, source: io::Error) -> ConnectError {
    let addr = addr.to_owned();
    let tls = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(CertificateError::Other(ours))) = tls else {
        return ConnectError::Handshake { addr, source };
    };
    if let Some(WrongPin { found }) = ours.0.downcast_ref::<WrongPin>() {
        return ConnectError::WrongPin { addr, expected: pin.clone(), found: found.clone() };
    }
    match ours.0.downcast_ref::<BadCertificate>() {
        // TLS would show its name and not its words, which begin with the code.
        Some(bad) => ConnectError::Handshake { addr, source: io::Error::other(*bad) },
        None => ConnectError::Handshake { addr, source },
    }
}

/// Hands out the one connection that was made; a second time there is none.
struct Once(Option<TlsStream<TcpStream>>);

impl Service<Uri> for Once {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the connection is gone");
        ready(self.0.take().map(TokioIo::new).ok_or_else(gone))
    }
}
