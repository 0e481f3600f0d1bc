//! One board: connect, say hello, listen, send what is due, and begin anew when it is lost.

use std::time::{Duration, Instant};

use muster_proto::tls;
use muster_proto::wire::limits;
use muster_proto::wire::muster::board_client::BoardClient;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{AgentMessage, BoardMessage};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::backoff::Backoff;
use super::session::{Session, hello};
use super::{Attach, BoardEvent, Event};
use crate::config::BoardAddress;
use crate::control::said;
use crate::control::view::BoardState;

/// Why a stream could not be opened, or ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Connect(#[from] tls::ConnectError),
    /// In the board's own words.
    #[error("{0}")]
    NotEnrolled(String),
    #[error("N040: the board ended the stream: {0}")]
    Ended(String),
    #[error("N041: the board did not open a stream within {0:?}")]
    Late(Duration),
    #[error("N042: the board takes nothing of what is sent to it")]
    Stalled,
    #[error("the agent ends")]
    Closing,
}

impl Lost {
    fn from_status(status: &Status) -> Self {
        let said = said::one_line(status.message());
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => Lost::NotEnrolled(said),
            // The transport's own reason stands in the source.
            _ => Lost::Ended(said::one_line(&said::chain(status))),
        }
    }

    fn state(&self) -> BoardState {
        let why = said::one_line(&said::chain(self));
        match self {
            Lost::NotEnrolled(_) => BoardState::NotEnrolled { why },
            _ => BoardState::Lost { why },
        }
    }
}

/// Runs until nobody listens any more.
#[tracing::instrument(name = "board", skip_all, fields(address = %address.address))]
pub(super) async fn run(board: usize, address: BoardAddress, mut attach: Attach) {
    let mut backoff = Backoff::default();
    let mut last = None;
    loop {
        let begun = Instant::now();
        let lost = match attached(board, &address, &mut attach).await {
            Lost::Closing => return,
            lost => lost,
        };
        backoff.ended(begun.elapsed(), &attach.intervals);
        let state = lost.state();
        if last.as_ref() != Some(&state) || begun.elapsed() > limits::CALL {
            tracing::warn!(why = %said::one_line(&said::chain(&lost)), "not attached; trying again");
        }
        last = Some(state.clone());
        if attach.tell(board, Event::State(state)).await.is_err() {
            return;
        }
        let wait = match lost {
            Lost::NotEnrolled(_) => attach.intervals.retry.get(),
            _ => backoff.next(&attach.intervals, random()),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = attach.events.closed() => return,
        }
    }
}

/// One attachment, from the first packet until it is lost.
async fn attached(board: usize, address: &BoardAddress, attach: &mut Attach) -> Lost {
    let (sender, mut inbound) = match open(address, attach).await {
        Ok(opened) => opened,
        Err(lost) => return lost,
    };
    tracing::info!("attached");
    if attach.tell(board, Event::State(BoardState::Attached)).await.is_err() {
        return Lost::Closing;
    }
    let mut session = Session::default();
    loop {
        let due = {
            let outgoing = attach.outgoing.borrow_and_update();
            session.due(&outgoing, &*attach.receipts)
        };
        let more = !due.is_empty();
        if let Err(lost) = send(&sender, due, attach.intervals.answer.get()).await {
            return lost;
        }
        if more {
            continue;
        }
        tokio::select! {
            message = inbound.message() => {
                let heard = match message {
                    Ok(Some(heard)) => heard,
                    Ok(None) => return Lost::Ended("it closed".into()),
                    Err(status) => return Lost::from_status(&status),
                };
                if let Some(event) = event(heard, &mut session)
                    && attach.tell(board, event).await.is_err()
                {
                    return Lost::Closing;
                }
            }
            changed = attach.outgoing.changed() => if changed.is_err() {
                return Lost::Closing;
            },
            () = attach.events.closed() => return Lost::Closing,
        }
    }
}

type Opened = (mpsc::Sender<AgentMessage>, Streaming<BoardMessage>);

async fn open(address: &BoardAddress, attach: &Attach) -> Result<Opened, Lost> {
    let patience = attach.intervals.answer.get();
    let handshake = patience.min(limits::HANDSHAKE);
    let channel =
        tls::connect_within(&address.address, &attach.identity, &address.pin, handshake).await?;
    let (sender, receiver) = mpsc::channel(limits::STREAM_QUEUE);
    let first = hello(attach.node.as_str(), &attach.network, &attach.outgoing.borrow());
    sender.try_send(first).map_err(|_| Lost::Stalled)?;
    let opening = async {
        let opened = client(channel).attach(ReceiverStream::new(receiver)).await;
        opened.map_err(|status| Lost::from_status(&status))
    };
    let response = timeout(patience, opening).await.map_err(|_| Lost::Late(patience))??;
    Ok((sender, response.into_inner()))
}

fn client(channel: Channel) -> BoardClient<Channel> {
    BoardClient::new(channel)
        .max_decoding_message_size(limits::MESSAGE_BYTES)
        .max_encoding_message_size(limits::MESSAGE_BYTES)
}

/// Bounded: a board that keeps the stream open and reads nothing is as good as gone.
async fn send(
    sender: &mpsc::Sender<AgentMessage>,
    due: Vec<AgentMessage>,
    patience: Duration,
) -> Result<(), Lost> {
    for message in due {
        match timeout(patience, sender.send(message)).await {
            Ok(Ok(())) => {}
            // The receiving half went with the connection; why, the stream itself says next.
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(Lost::Stalled),
        }
    }
    Ok(())
}

fn event(heard: BoardMessage, session: &mut Session) -> Option<Event> {
    match heard.message? {
        Message::Bulletin(bulletin) => Some(Event::Bulletin(bulletin)),
        Message::Evidence(evidence) => Some(Event::Evidence(evidence)),
        Message::DoubleCounter(double) => Some(Event::DoubleCounter(double)),
        Message::OwnChain(own) => Some(Event::OwnChain(session.answered(&own), own)),
        Message::Holds(holds) => Some(Event::Holds(holds.holds)),
        // Said to watchers; an agent has no use for a board's own word.
        Message::CaughtUp(_) | Message::Attachments(_) | Message::Refusal(_) => None,
    }
}

impl Attach {
    async fn tell(&self, board: usize, event: Event) -> Result<(), ()> {
        self.events.send(BoardEvent { board, event }).await.map_err(|_| ())
    }
}

fn random() -> u32 {
    // Without randomness the longest wait is the safe one.
    getrandom::u32().unwrap_or(u32::MAX)
}
