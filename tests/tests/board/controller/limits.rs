//! What one connection may ask for: so many streams, so long a head.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use muster_proto::tls::{self, Identity};
use muster_proto::wire::limits;
use muster_proto::wire::muster::desk_client::DeskClient;
use muster_proto::wire::muster::{FollowRequest, HistoryRequest};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Request;

use crate::world::{ANN, Board, NETWORK, PATIENCE, World, key};

/// Frames of HTTP/2 (RFC 9113, 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;
/// Its error code for a stream that was not worked on (RFC 9113, 7).
const REFUSED_STREAM: u32 = 7;

/// A client that keeps to no limit: frames by hand.
struct Rude(TlsStream<TcpStream>);

impl Rude {
    async fn connect(board: &Board) -> Result<Self> {
        let identity = Identity::from_key(&key(ANN))?;
        let config = tls::client_config(&identity, vec![board.pin.clone()])?;
        let tcp = TcpStream::connect(board.addr).await?;
        let name = ServerName::try_from("board")?;
        let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        let mut rude = Self(tls);
        rude.send(SETTINGS, 0, 0, &[]).await?;
        Ok(rude)
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len())?.to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head[..], body].concat()).await?;
        Ok(self.0.flush().await?)
    }

    /// Begins a call that sends nothing and does not end.
    async fn begin(&mut self, stream: u32) -> Result<()> {
        // POST and http are entries 3 and 6 of HPACK's static table (RFC 7541, A).
        let mut head = vec![0x83, 0x86];
        for (name, value) in [
            (":path", "/muster.v1.Board/Attach"),
            (":authority", "board"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            head.push(0);
            for text in [name, value] {
                head.push(u8::try_from(text.len())?);
                head.extend(text.as_bytes());
            }
        }
        self.send(HEADERS, END_HEADERS, stream, &head).await
    }

    /// The next frame: kind, stream, body.
    async fn frame(&mut self) -> Result<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut body = vec![0; usize::try_from(length)?];
        self.0.read_exact(&mut body).await?;
        Ok((head[3], stream, body))
    }

    /// The first stream that the board ends, and why.
    async fn refused(&mut self) -> Result<(u32, u32)> {
        loop {
            match self.frame().await? {
                (RST_STREAM, stream, body) => {
                    let code = body.try_into().ok().context("a code of four bytes")?;
                    return Ok((stream, u32::from_be_bytes(code)));
                }
                (HEADERS, stream, _) => bail!("stream {stream} is answered"),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_connection_has_so_many_streams_and_the_next_one_is_refused() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut rude = Rude::connect(&board).await?;
    let streams: Vec<u32> = (0..=limits::STREAMS_PER_CONNECTION).map(|at| 2 * at + 1).collect();
    for stream in &streams {
        rude.begin(*stream).await?;
    }
    let refused = timeout(PATIENCE, rude.refused()).await.context("nothing is refused")??;
    let last = *streams.last().context("some")?;
    assert_eq!(refused, (last, REFUSED_STREAM), "of {streams:?}");
    // Who comes over another connection is served.
    let mut desk = DeskClient::new(board.channel(ANN).await);
    let request = FollowRequest { network: NETWORK.into(), root_version: 0, once: true };
    ensure!(desk.follow(request).await?.into_inner().message().await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_call_with_too_long_a_head_is_refused_and_the_connection_goes_on() -> Result<()> {
    let world = World::new();
    let board = world.start_with_roster().await;
    let mut desk = DeskClient::new(board.channel(ANN).await);
    let asked = || HistoryRequest { network: NETWORK.into(), limit: 0 };
    let mut long = Request::new(asked());
    let filling = "x".repeat(limits::HEADER_LIST_BYTES as usize);
    long.metadata_mut().insert("filling", filling.parse()?);
    let refused = desk.history(long).await.err().context("it was taken")?;
    // RFC 6585: request header fields too large.
    assert!(refused.message().contains("431"), "{refused:?}");
    desk.history(asked()).await?;
    Ok(())
}
