//! The service that agents call: one stream each, opened by the agent.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use muster_proto::tls::Peer;
use muster_proto::wire::limits;
use muster_proto::wire::muster::agent_message::Message;
use muster_proto::wire::muster::board_server::Board as BoardApi;
use muster_proto::wire::muster::{AgentMessage, BoardMessage, Hello};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info, instrument};

use super::command::{Command, Versions};
use super::cursor::{Cursor, Reader};
use super::handle::Board;
use super::pump::{Pass, Pump, QUEUE};
use super::rates::Bucket;
use super::refused::Turned;
use crate::config::Limits;

/// Beacons of one agent at once and per second. Plans ask for one each second or two; scaled tests
/// for ten a second.
const BEACONS: (u32, f64) = (100, 50.0);

/// Refusals and questions of one agent at once and per second.
const WORDS: (u32, f64) = (50, 1.0);

/// The last word to a reader who may not be reading.
const LAST_WORD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone)]
pub struct BoardService {
    board: Board,
    limits: Limits,
}

impl BoardService {
    /// Serves `board`.
    pub fn new(board: Board, limits: Limits) -> Self {
        Self { board, limits }
    }
}

#[tonic::async_trait]
impl BoardApi for BoardService {
    type AttachStream = ReceiverStream<Result<BoardMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = *request.extensions().get::<Peer>().ok_or(Status::internal("no peer"))?;
        let mut inbound = request.into_inner();
        let hello = hello(inbound.message().await?)?;
        let wake = Arc::new(Notify::new());
        let (seat, cursor) = self.admit(peer, hello, wake.clone()).await?;
        let (out, stream) = mpsc::channel(QUEUE);
        let pump = Pump::new(self.board.clone(), cursor, out.clone(), wake, self.limits.slow);
        let intake = Intake::new(self.board.clone(), seat.pass.node.clone(), self.limits);
        tokio::spawn(run(seat, pump, intake, inbound, out));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl BoardService {
    #[instrument(skip_all, fields(node = hello.node, peer = %peer.addr))]
    async fn admit(
        &self,
        peer: Peer,
        hello: Hello,
        wake: Arc<Notify>,
    ) -> Result<(Seat, Cursor), Turned> {
        let served = self.board.network();
        if hello.network != served {
            return Err(Turned::Network { served: served.into(), asked: hello.network });
        }
        let unknown = |_| Turned::NotEnrolled { node: hello.node.clone(), key: peer.key };
        let node: NodeName = hello.node.parse().map_err(unknown)?;
        self.board.listed(&node, &peer.key)?;
        let mut cursor = Cursor::new(Reader::Agent(node.clone()), hello.root_version);
        self.board.look(|shelf| cursor.holds_snapshot(hello.snapshot_version, shelf));
        let (reply, answer) = oneshot::channel();
        let hello = Versions {
            root: hello.root_version,
            timestamp: hello.timestamp_version,
            snapshot: hello.snapshot_version,
            software: hello.software,
        };
        let attach = Command::Attach { node: node.clone(), key: peer.key, hello, wake, reply };
        self.board.ask(attach).await?;
        let connection = answer.await.map_err(|_| Turned::GoingDown)??;
        let pass = Pass { node, key: peer.key, connection };
        Ok((Seat { board: self.board.clone(), pass }, cursor))
    }
}

fn hello(message: Option<AgentMessage>) -> Result<Hello, Turned> {
    match message.and_then(|message| message.message) {
        Some(Message::Hello(hello)) => Ok(hello),
        _ => Err(Turned::Protocol("the first message must be a hello")),
    }
}

/// An agent's place on the board; given back however its stream ends.
struct Seat {
    board: Board,
    pass: Pass,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let (node, connection) = (self.pass.node.clone(), self.pass.connection);
        let board = self.board.clone();
        tokio::spawn(async move {
            // An error means that the board has stopped, and nobody is attached to it.
            let _ = board.ask(Command::Detach { node, connection }).await;
        });
    }
}

#[instrument(skip_all, fields(node = %seat.pass.node, connection = seat.pass.connection))]
async fn run(
    seat: Seat,
    pump: Pump,
    intake: Intake,
    inbound: Streaming<AgentMessage>,
    out: mpsc::Sender<Result<BoardMessage, Status>>,
) {
    info!("attached");
    let turned = tokio::select! {
        turned = pump.agent(&seat.pass) => turned,
        turned = intake.run(&seat.pass, inbound) => turned,
    };
    if let Some(turned) = turned {
        info!(%turned, "cut off");
        let _ = timeout(LAST_WORD, out.send(Err(turned.into()))).await;
    } else {
        info!("left");
    }
}

/// Takes what one agent sends, no faster than it may.
struct Intake {
    board: Board,
    node: NodeName,
    receipts: Bucket,
    beacons: Bucket,
    words: Bucket,
}

impl Intake {
    fn new(board: Board, node: NodeName, limits: Limits) -> Self {
        let now = Timestamp::now();
        let pace = f64::from(limits.receipts_per_second.max(1));
        Self {
            board,
            node,
            receipts: Bucket::new(limits.receipts_at_once.max(1), pace, now),
            beacons: Bucket::new(BEACONS.0, BEACONS.1, now),
            words: Bucket::new(WORDS.0, WORDS.1, now),
        }
    }

    async fn run(mut self, pass: &Pass, mut inbound: Streaming<AgentMessage>) -> Option<Turned> {
        loop {
            let message = match inbound.message().await {
                Ok(Some(message)) => message.message,
                Ok(None) => return None,
                Err(status) => {
                    debug!(%status, "stream broke");
                    return None;
                }
            };
            if pass.check(&self.board).is_err() {
                // The pump says why, after the documents that show it. Nothing more is taken.
                return std::future::pending().await;
            }
            if let Err(turned) = self.take(message).await {
                return Some(turned);
            }
        }
    }

    async fn take(&mut self, message: Option<Message>) -> Result<(), Turned> {
        let node = self.node.clone();
        let (bucket, command) = match message {
            Some(Message::Receipt(bytes)) => {
                (&mut self.receipts, Command::Receipt { node, bytes: small(bytes)? })
            }
            Some(Message::Beacon(bytes)) => {
                (&mut self.beacons, Command::Beacon { node, bytes: small(bytes)? })
            }
            Some(Message::Refusal(refusal)) => {
                (&mut self.words, Command::Refusal { node, refusal })
            }
            Some(Message::OwnChain(_)) => (&mut self.words, Command::OwnChain { node }),
            Some(Message::Hello(_)) => return Err(Turned::Protocol("a second hello")),
            None => return Err(Turned::Protocol("a message of a kind that is not known here")),
        };
        // Nothing is lost: the agent's own stream fills up and makes it wait.
        while let Err(wait_ms) = bucket.take(Timestamp::now()) {
            sleep(Duration::from_millis(wait_ms)).await;
        }
        self.board.ask(command).await
    }
}

fn small(bytes: Vec<u8>) -> Result<Vec<u8>, Turned> {
    let limit = limits::EVIDENCE_BYTES;
    if bytes.len() > limit {
        return Err(Turned::TooLarge { bytes: bytes.len(), limit });
    }
    Ok(bytes)
}
