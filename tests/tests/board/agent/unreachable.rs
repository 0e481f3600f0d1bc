//! Boards that are silent, end every stream, open none or take nothing: each is told by its code in
//! `status`, nothing is believed of it, and the agent works on with the next one.

use std::net::SocketAddr;

use super::daemon::{at, free_port, told};
use super::host::Host;
use crate::world::{Board as Honest, World};
use anyhow::Result;
use muster_agent::control::view::{BoardState, Status};
use muster_proto::documents::Digest;
use muster_proto::tls::{self, Doors, Identity};
use muster_proto::trust::SecretKey;
use muster_proto::wire::muster::board_server::{Board, BoardServer};
use muster_proto::wire::muster::{AgentMessage, BoardMessage};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Streaming};

/// What a board does with a stream that somebody opens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It never answers.
    Opens,
    /// It answers, and reads nothing.
    Reads,
}

/// A board that does everything right but one thing.
struct Never(Does);

impl Never {
    async fn start(does: Does) -> Result<(SocketAddr, Digest)> {
        let identity = Identity::from_key(&SecretKey::generate())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let incoming =
            tls::accept(listener, tls::server_config(&identity)?, Doors::default(), |_| true);
        let server = tonic::transport::Server::builder()
            // Little room on the way: what is not read is felt soon.
            .initial_stream_window_size(1_024)
            .add_service(BoardServer::new(Never(does)));
        tokio::spawn(server.serve_with_incoming(incoming));
        Ok((addr, identity.pin()))
    }
}

#[tonic::async_trait]
impl Board for Never {
    type AttachStream = ReceiverStream<Result<BoardMessage, tonic::Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AttachStream>, tonic::Status> {
        if self.0 == Does::Opens {
            return std::future::pending().await;
        }
        let (say, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            let _unread = request;
            say.closed().await;
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn lost(status: &Status, code: &str) -> bool {
    matches!(&status.boards[0].state, BoardState::Lost { why } if why.starts_with(code))
}

/// Bob with a board of which he says `code`, and an honest one: he works with that.
async fn works_on(first: (SocketAddr, Digest), code: &str) -> Result<()> {
    let world = World::new();
    let honest = world.start_with_roster().await;
    let mut bob = Host::new(&world, "bob-1", 2, &[first, at(&honest)]).await?;
    bob.interval("retry: 300ms", "retry: 300ms, answer: 300ms")?;
    bob.interval("beacon: 500ms", "beacon: 10ms")?;
    // A board that was lost is looked at before it is tried again.
    bob.interval("reconnect: 50ms, reconnect-most: 400ms", "reconnect: 2s, reconnect-most: 2s")?;
    bob.start()?;
    bob.until(|status| lost(status, code)).await?;
    let plan = world.publish_plan(&honest, 1).await;
    told(&world, &honest, "bob-1", &plan, |facts| facts.acknowledged.is_some()).await;
    let status = bob.until(|status| lost(status, code)).await?;
    assert!(status.refused.is_empty() && status.stuck.is_none(), "{status:?}");
    Ok(())
}

#[tokio::test]
async fn a_board_that_takes_the_connection_and_stays_silent_is_given_up() -> Result<()> {
    // Connections wait in its backlog for ever.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    works_on((silent.local_addr()?, Digest::of(b"silent")), "N011").await
}

#[tokio::test]
async fn a_board_that_opens_no_stream_is_given_up() -> Result<()> {
    works_on(Never::start(Does::Opens).await?, "N041").await
}

#[tokio::test]
async fn a_board_that_reads_nothing_is_given_up() -> Result<()> {
    works_on(Never::start(Does::Reads).await?, "N042").await
}

#[tokio::test]
async fn a_board_that_ends_the_stream_is_told_with_its_words_and_met_again() -> Result<()> {
    let world = World::new();
    let mut config = world.config();
    config.listen = free_port()?;
    world.start_with_roster().await.stop().await;
    let board: Honest = world.start_with(config.clone()).await?;
    let plan = world.publish_plan(&board, 1).await;
    let mut bob = Host::new(&world, "bob-1", 2, &[at(&board)]).await?;
    bob.start()?;
    let before = bob.until(|status| status.plans.iter().any(|view| view.plan == plan)).await?;
    board.stop().await;
    let after = bob.until(|status| lost(status, "N0")).await?;
    let said = bob.log();
    let line = said.lines().find(|line| line.contains("N040"));
    assert!(line.is_some_and(|line| line.contains("N028")), "{said}");
    assert!(after.trust.timestamp >= before.trust.timestamp);
    assert_eq!(after.plans.len(), before.plans.len());
    let _back = world.start_with(config).await?;
    bob.attached().await?;
    Ok(())
}
