//! The little HTTP that probes, metrics, admin port and the referee's oracle need.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Either, Empty, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// What a body of one kind or the other may fail with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A finished answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`; a Go server names none of nothing.
    pub kind: &'static str,
    /// The body.
    pub body: String,
}

/// What a Go server says of plain text.
pub const PLAIN: &str = "text/plain; charset=utf-8";

impl Answer {
    /// Plain text.
    pub fn plain(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self { status, kind: PLAIN, body }
    }

    /// Nothing but 200.
    pub fn empty() -> Self {
        Self { status: 200, kind: "", body: String::new() }
    }

    /// Go's answer for an unknown path.
    pub fn not_found() -> Self {
        Self::plain(404, "404 page not found\n")
    }

    fn response(self) -> Response<impl Body<Data = Bytes, Error = BoxError>> {
        let mut builder = Response::builder().status(self.status);
        if !self.kind.is_empty() {
            builder = builder.header("content-type", self.kind);
        }
        if self.status == 404 {
            builder = builder.header("x-content-type-options", "nosniff");
        }
        let bytes = Bytes::from(self.body);
        // Go names the length of a body that fits into its buffer of 2 KiB, and sends a longer one in chunks.
        // A real page of metrics has 290 kB and this one has not, so the kind decides.
        let body = match self.kind {
            PLAIN | "" => Either::Right(Full::new(bytes)),
            _ => Either::Left(StreamBody::new(stream::iter([Ok::<_, Infallible>(Frame::data(
                bytes,
            ))]))),
        };
        // Status and headers are this crate's own.
        builder.body(body).unwrap_or_else(|_| Response::new(Either::Right(Full::default())))
    }
}

/// Answers every request, whatever its method, by `answer(path, query)` until the task is dropped.
pub async fn serve(
    listener: TcpListener,
    answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    while let Ok((stream, _)) = listener.accept().await {
        let answer = Arc::clone(&answer);
        let service = service_fn(move |request: Request<Incoming>| {
            let uri = request.uri();
            let said = answer(uri.path(), uri.query().unwrap_or_default());
            async move { Ok::<_, Infallible>(said.response()) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A caller who hangs up in the middle is no event.
            let _ = served.await;
        });
    }
}

/// One GET on a connection of its own: status and body.
///
/// # Errors
/// When nobody listens, or what answers is not HTTP.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let stream = TcpStream::connect(address).await?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(io).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await;
    let response = response.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
