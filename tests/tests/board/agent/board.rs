//! A board that says what the test wants: real TLS and gRPC, no truth.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use muster_proto::documents::Digest;
use muster_proto::tls::{self, Doors, Identity};
use muster_proto::trust::SecretKey;
use muster_proto::wire::muster::agent_message::Message as Said;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::board_server::{Board, BoardServer};
use muster_proto::wire::muster::{AgentMessage, BoardMessage, OwnChain};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::world::PATIENCE;

/// It tells every agent the same, and writes down what it hears.
pub(crate) struct FalseBoard {
    pub(crate) addr: SocketAddr,
    pub(crate) pin: Digest,
    heard: mpsc::UnboundedReceiver<Said>,
}

struct Service {
    script: Arc<Vec<Message>>,
    own: OwnChain,
    heard: mpsc::UnboundedSender<Said>,
}

impl FalseBoard {
    /// Says `script` to whoever attaches, and that it holds `own` of his chain.
    pub(crate) async fn start(script: Vec<Message>, own: OwnChain) -> Result<Self> {
        let identity = Identity::from_key(&SecretKey::generate())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let incoming =
            tls::accept(listener, tls::server_config(&identity)?, Doors::default(), |_| true);
        let (sender, heard) = mpsc::unbounded_channel();
        let service = Service { script: Arc::new(script), own, heard: sender };
        let server = tonic::transport::Server::builder().add_service(BoardServer::new(service));
        tokio::spawn(server.serve_with_incoming(incoming));
        Ok(Self { addr, pin: identity.pin(), heard })
    }

    /// The first thing it hears that is wanted; everything else is dropped.
    pub(crate) async fn hears<T>(&mut self, wanted: impl Fn(Said) -> Option<T>) -> Result<T> {
        let listening = async {
            while let Some(said) = self.heard.recv().await {
                if let Some(found) = wanted(said) {
                    return Some(found);
                }
            }
            None
        };
        timeout(PATIENCE, listening).await?.context("nobody speaks any more")
    }

    /// Everything it has heard so far and not looked at.
    pub(crate) fn rest(&mut self) -> Vec<Said> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

#[tonic::async_trait]
impl Board for Service {
    type AttachStream = ReceiverStream<Result<BoardMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (say, stream) = mpsc::channel(64);
        let (script, own, heard) = (self.script.clone(), self.own.clone(), self.heard.clone());
        let mut inbound = request.into_inner();
        tokio::spawn(async move {
            for message in script.iter().cloned() {
                let _ = say.send(Ok(BoardMessage { message: Some(message) })).await;
            }
            while let Ok(Some(AgentMessage { message: Some(said) })) = inbound.message().await {
                if matches!(said, Said::OwnChain(_)) {
                    let message = Some(Message::OwnChain(own.clone()));
                    let _ = say.send(Ok(BoardMessage { message })).await;
                }
                let _ = heard.send(said);
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
