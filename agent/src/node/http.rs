//! One GET to the node's probe server.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A page of metrics has 290 kB.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Status and body of `GET path`; none when there was no whole answer in time.
pub(super) async fn get(at: SocketAddr, path: &str, within: Duration) -> Option<(u16, Bytes)> {
    tokio::time::timeout(within, exchange(at, path)).await.ok()?
}

async fn exchange(at: SocketAddr, path: &str) -> Option<(u16, Bytes)> {
    let stream = TcpStream::connect(at).await.ok()?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let request = Request::get(path).header(HOST, at.to_string()).body(Empty::<Bytes>::new());
        let answer = sender.send_request(request.ok()?).await.ok()?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), PAGE_BYTES).collect().await.ok()?;
        Some((status, body.to_bytes()))
    }
    .await;
    connection.abort();
    answer
}
