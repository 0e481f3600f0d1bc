//! One stream to each board. Boards are heard side by side, so that one of them alone can hide
//! nothing that another one tells.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use muster_proto::tls::{Identity, connect};
use muster_proto::wire::limits;
use muster_proto::wire::muster::FollowRequest;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::desk_client::DeskClient;
use tokio::sync::mpsc;
use tonic::transport::Channel;

use super::context::{Board, Context};
use super::failure::{At, Failure};
use super::wire::status;

/// Shortest pause before a board is called again.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// Longest one.
const RETRY_LAST: Duration = Duration::from_secs(15);

/// A call to one board.
pub type Desk = DeskClient<Channel>;

/// What was heard, and from which board (by its place in the configuration).
#[derive(Debug)]
pub struct Heard {
    /// Which board.
    pub board: usize,
    /// What it said.
    pub what: What,
}

/// What a stream brings.
#[derive(Debug)]
pub enum What {
    /// A message.
    Said(Box<Message>),
    /// The stream is gone, or never came to be.
    Lost(Failure),
}

/// How long to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until the board has sent everything it holds.
    CaughtUp,
    /// For ever, calling again whenever the stream is lost.
    Dropped,
}

/// Connects to one board.
///
/// # Errors
/// Those of the connection, named with the board's address.
pub async fn desk(board: &Board, identity: &Identity) -> Result<Desk, Failure> {
    let channel = connect(&board.address, identity, &board.pin).await.at(&board.address)?;
    Ok(DeskClient::new(channel)
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES))
}

/// Listens to every board; what they say arrives in one bounded queue.
///
/// # Errors
/// `U040` when no board is configured.
pub fn follow(
    context: &Context,
    identity: Arc<Identity>,
    root_version: u64,
    until: Until,
) -> Result<mpsc::Receiver<Heard>, Failure> {
    if context.boards.is_empty() {
        return Err(Failure::new("U040", "no controller is named").at(context.dir.display()));
    }
    let (out, heard) = mpsc::channel(limits::STREAM_QUEUE);
    for (number, board) in context.boards.iter().cloned().enumerate() {
        let once = until == Until::CaughtUp;
        let request = FollowRequest { network: context.network.clone(), root_version, once };
        let line = Line { number, board, identity: identity.clone(), request, out: out.clone() };
        tokio::spawn(line.keep());
    }
    Ok(heard)
}

struct Line {
    number: usize,
    board: Board,
    identity: Arc<Identity>,
    request: FollowRequest,
    out: mpsc::Sender<Heard>,
}

impl Line {
    async fn keep(self) {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(RETRY_FIRST)
            .with_max_delay(RETRY_LAST)
            .with_jitter()
            .without_max_times();
        let mut pause = pauses.build();
        loop {
            let ended = self.listen(&mut || pause = pauses.build()).await;
            let over = self.request.once;
            if let Err(failure) = ended
                && self.tell(What::Lost(failure)).await.is_err()
            {
                return;
            }
            if over {
                return;
            }
            tokio::time::sleep(pause.next().unwrap_or(RETRY_LAST)).await;
        }
    }

    async fn listen(&self, began: &mut impl FnMut()) -> Result<(), Failure> {
        let mut desk = desk(&self.board, &self.identity).await?;
        let answer = desk.follow(self.request.clone()).await.map_err(|s| status(&s));
        let mut stream = answer.at(&self.board.address)?.into_inner();
        began();
        loop {
            let next = stream.message().await.map_err(|s| status(&s)).at(&self.board.address)?;
            match next.map(|message| message.message) {
                Some(Some(message)) => {
                    let last = self.request.once && matches!(message, Message::CaughtUp(_));
                    self.tell(What::Said(Box::new(message))).await?;
                    if last {
                        return Ok(());
                    }
                }
                // A message of a later version; nothing in it could be relied on.
                Some(None) => {}
                None => {
                    return Err(Failure::new("U042", "the stream ended").at(&self.board.address));
                }
            }
        }
    }

    async fn tell(&self, what: What) -> Result<(), Failure> {
        let heard = Heard { board: self.number, what };
        self.out.send(heard).await.map_err(|_| Failure::new("U000", "nobody listens any more"))
    }
}
