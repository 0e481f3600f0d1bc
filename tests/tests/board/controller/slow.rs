//! A reader who takes nothing is cut off after his time; nobody else notices.

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Result;
use hyper_util::rt::TokioIo;
use muster_proto::tls::{self, Identity};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use super::agent::{Agent, acknowledged};
use super::process::Running;
use crate::world::{Board, PATIENCE, World, key};

/// Hands out the one connection that it was made of.
struct Once(Option<TlsStream<TcpStream>>);

impl Service<Uri> for Once {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().map(TokioIo::new).ok_or(io::ErrorKind::NotConnected.into()))
    }
}

/// A connection with so little room that what is not read is felt at once.
async fn narrow(board: &Board, seed: u8) -> Result<Channel> {
    const ROOM_BYTES: u32 = 1_024;
    let identity = Identity::from_key(&key(seed))?;
    let config = tls::client_config(&identity, vec![board.pin.clone()])?;
    let tcp = TcpStream::connect(board.addr).await?;
    let name = ServerName::try_from("board")?;
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let endpoint = Endpoint::from_static("http://board").initial_stream_window_size(ROOM_BYTES);
    Ok(endpoint.connect_with_connector(Once(Some(tls))).await?)
}

#[tokio::test]
async fn a_reader_who_takes_nothing_for_too_long_is_cut_off_and_may_come_back() -> Result<()> {
    let world = World::new();
    let config = std::fs::read_to_string(&world.made.config)?;
    let config = config.replace("every: 1s", "every: 100ms") + "limits: {slow: 500ms}\n";
    std::fs::write(&world.made.config, config)?;
    world.start_with_roster().await.stop().await;
    let mut running = Running::start(&world, None).await?;
    let plan = world.publish_plan(&running.board, 1).await;
    let mut ann = Agent::attach(&world, &running.board, "ann-1", 1).await;
    let mut bob = Agent::attach(&world, &running.board, "bob-1", 2).await;
    let channel = narrow(&running.board, 3).await?;
    let mut cat = Agent::attach_over(channel, world.trust(), "cat-1", 3).await.expect("attached");
    // Each stamp is something new to send.
    running.process.says("N027", PATIENCE).await?;
    let told = running.lines("N027");
    assert!(told.len() == 1 && told[0].contains("node=cat-1"), "{told:?}");
    // He is told for a moment; who reads on only later finds the end.
    let ended = cat.ended().await;
    let heard = ended.code() == Code::Ok || ended.message().starts_with("N027");
    assert!(heard, "{ended:?}");

    // Those who read are served as before, and so is who comes back.
    bob.receipt(&plan, acknowledged()).await;
    ann.until(|ann| ann.saw_acknowledged("bob-1", &plan)).await;
    let mut cat = Agent::attach(&world, &running.board, "cat-1", 3).await;
    cat.until(|cat| cat.saw_acknowledged("bob-1", &plan)).await;
    running.stop().await
}
