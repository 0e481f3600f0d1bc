//! Boards that break off in the middle of an answer, give no right and no reason, or are of another
//! version: the real `muster publish` names each by its code, and changes nothing at home.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use muster_proto::documents::Digest;
use muster_proto::tls::{self, Doors, Identity};
use muster_proto::trust::keys::SecretKey;
use muster_proto::wire::muster::board_server::{Board, BoardServer};
use muster_proto::wire::muster::desk_server::{Desk, DeskServer};
use muster_proto::wire::muster::{
    AgentMessage, BoardMessage, FollowRequest, HistoryReply, HistoryRequest, HoldReply,
    HoldRequest, PublishReply, PublishRequest, ReleaseHoldRequest,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::alone::{Officer, done, listing, refused};

type Messages = ReceiverStream<Result<BoardMessage, Status>>;

/// What it does with a publication.
#[derive(Clone)]
enum Does {
    /// The connection is cut while it answers.
    BreaksOff(Arc<Notify>),
    /// It says no, without a code of its own.
    Denies,
}

struct Strange(Does);

impl Strange {
    async fn publication(&self) -> Status {
        match &self.0 {
            Does::BreaksOff(cut) => {
                cut.notify_one();
                std::future::pending().await
            }
            Does::Denies => Status::permission_denied("not on a Sunday"),
        }
    }
}

#[tonic::async_trait]
impl Desk for Strange {
    type FollowStream = Messages;

    async fn follow(&self, _: Request<FollowRequest>) -> Result<Response<Messages>, Status> {
        Err(self.publication().await)
    }

    async fn publish(&self, _: Request<PublishRequest>) -> Result<Response<PublishReply>, Status> {
        Err(self.publication().await)
    }

    async fn hold(&self, _: Request<HoldRequest>) -> Result<Response<HoldReply>, Status> {
        Err(self.publication().await)
    }

    async fn release_hold(
        &self,
        _: Request<ReleaseHoldRequest>,
    ) -> Result<Response<HoldReply>, Status> {
        Err(self.publication().await)
    }

    async fn history(&self, _: Request<HistoryRequest>) -> Result<Response<HistoryReply>, Status> {
        Err(self.publication().await)
    }
}

/// A board that has no desk yet: of another version.
struct NoDesk;

#[tonic::async_trait]
impl Board for NoDesk {
    type AttachStream = Messages;

    async fn attach(
        &self,
        _: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Messages>, Status> {
        Err(Status::unavailable("no agents today"))
    }
}

/// Real TLS and HTTP/2 around such a board; none for one without a desk.
async fn serve(does: Option<Does>) -> Result<(SocketAddr, Digest)> {
    let identity = Identity::from_key(&SecretKey::generate())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let tls = tls::server_config(&identity)?;
    let incoming = tls::accept(listener, tls, Doors::default(), |_| true);
    let server = match does {
        Some(does) => Server::builder().add_service(DeskServer::new(Strange(does))),
        None => Server::builder().add_service(BoardServer::new(NoDesk)),
    };
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok((addr, identity.pin()))
}

/// A way to `board` that is cut when it is told.
async fn way(board: SocketAddr, cut: Arc<Notify>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        let (mut caller, _) = listener.accept().await?;
        let mut called = TcpStream::connect(board).await?;
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut caller, &mut called) => {}
            () = cut.notified() => {}
        }
        std::io::Result::Ok(())
    });
    Ok(addr)
}

/// Alice hands a complete root to that board, and is told why not.
async fn hands_in(board: (SocketAddr, Digest), exit: i32, code: &str) {
    let alice = Officer::founded().await;
    let pin = format!("{}={}", board.0, board.1.hex());
    done(&alice.muster(&["init", "--controller", &pin]).await);
    done(&alice.muster(&["root", "freeze", "root.yaml", "-o", "2.draft", "--offline"]).await);
    done(&alice.secretly(&["sign", "2.draft", "--key", "a.pem", "--yes"]).await);
    let before = alice.files();
    refused(&alice.muster(&["publish", "2.draft", "2.a.sig"]).await, exit, code);
    assert!(alice.files() == before, "{:?}", listing(&alice.path("")));
}

#[tokio::test]
async fn a_board_that_breaks_off_in_the_middle_of_an_answer_is_unreachable() -> Result<()> {
    let cut = Arc::new(Notify::new());
    let (board, pin) = serve(Some(Does::BreaksOff(cut.clone()))).await?;
    hands_in((way(board, cut).await?, pin), 5, "U042").await;
    Ok(())
}

#[tokio::test]
async fn a_board_that_denies_without_a_code_is_told_as_a_missing_right() -> Result<()> {
    hands_in(serve(Some(Does::Denies)).await?, 3, "U043").await;
    Ok(())
}

#[tokio::test]
async fn a_board_of_another_version_that_has_no_desk_could_not_do_it() -> Result<()> {
    hands_in(serve(None).await?, 1, "U044").await;
    Ok(())
}
