//! The library's own service, with everything that goes in and out of it in a liar's hands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use muster_controller::board::BoardService;
use muster_proto::documents::NodeName;
use muster_proto::wire::limits;
use muster_proto::wire::muster::agent_message::Message as Said;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::board_server::Board as BoardApi;
use muster_proto::wire::muster::{AgentMessage, BoardMessage};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{BufferSettings, EncodeBody, Streaming};
use tonic::{Request, Response, Status};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::Script;
use super::liar::{Liar, hears};
use super::lie::{DELAY_AT_MOST, Lie};

/// Messages on their way; as an honest board's, small.
const QUEUE: usize = 16;

/// Messages that wait for their time; what comes then pushes the oldest out early.
const WAITING: usize = 20_000;

/// See the module.
#[derive(Debug)]
pub(super) struct LyingService {
    inner: BoardService,
    script: Arc<Script>,
}

impl LyingService {
    pub(super) fn new(inner: BoardService, script: Arc<Script>) -> Self {
        Self { inner, script }
    }
}

#[tonic::async_trait]
impl BoardApi for LyingService {
    type AttachStream = ReceiverStream<Result<BoardMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (metadata, extensions, mut inbound) = request.into_parts();
        let first = inbound.message().await?.ok_or(Status::cancelled("no hello"))?;
        let node = name(&first)?;
        let (pass_on, heard) = mpsc::channel(QUEUE);
        // The channel is empty: this never waits.
        let _ = pass_on.send(first).await;
        tokio::spawn(hear(self.script.clone(), node.clone(), inbound, pass_on));
        let heard = Request::from_parts(metadata, extensions, streaming(heard));
        let honest = self.inner.attach(heard).await?.into_inner();
        let (out, stream) = mpsc::channel(QUEUE);
        let teller = Teller {
            lies: self.script.lies.subscribe(),
            script: self.script.clone(),
            node,
            liar: Liar::default(),
            waiting: VecDeque::new(),
            out,
        };
        tokio::spawn(teller.run(honest));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn name(first: &AgentMessage) -> Result<NodeName, Status> {
    match &first.message {
        Some(Said::Hello(hello)) => {
            hello.node.parse().map_err(|_| Status::invalid_argument("no node's name"))
        }
        _ => Err(Status::invalid_argument("the first message must be a hello")),
    }
}

/// Messages as a stream that looks to the inner service as if it came from the network.
fn streaming(messages: mpsc::Receiver<AgentMessage>) -> Streaming<AgentMessage> {
    let encoder = ProstEncoder::new(BufferSettings::default());
    let decoder = ProstDecoder::new(BufferSettings::default());
    let messages = ReceiverStream::new(messages).map(Ok);
    let body = EncodeBody::new_client(encoder, messages, None, Some(limits::MESSAGE_BYTES));
    Streaming::new_request(decoder, body, None, Some(limits::MESSAGE_BYTES))
}

async fn hear(
    script: Arc<Script>,
    node: NodeName,
    mut inbound: Streaming<AgentMessage>,
    pass_on: mpsc::Sender<AgentMessage>,
) {
    while let Ok(Some(said)) = inbound.message().await {
        if !hears(&script.lies_for(&node), said.message.as_ref()) {
            *script.told().lies.entry(node.clone()).or_default() += 1;
        } else if pass_on.send(said).await.is_err() {
            return;
        }
    }
}

/// Tells one agent what the liar makes of what the honest board says.
struct Teller {
    script: Arc<Script>,
    lies: watch::Receiver<BTreeMap<NodeName, Vec<Lie>>>,
    node: NodeName,
    liar: Liar,
    /// In the order of their times, because all are delayed alike.
    waiting: VecDeque<(Instant, BoardMessage)>,
    out: mpsc::Sender<Result<BoardMessage, Status>>,
}

impl Teller {
    async fn run(mut self, mut honest: ReceiverStream<Result<BoardMessage, Status>>) {
        let mut now = self.script.lies_for(&self.node);
        loop {
            let due = self.waiting.front().map(|(due, _)| *due);
            tokio::select! {
                message = honest.next() => match message {
                    Some(Ok(message)) => self.told(&now, message),
                    ended => {
                        if let Some(ended) = ended {
                            // The agent may have gone.
                            let _ = self.out.send(ended).await;
                        }
                        return;
                    }
                },
                changed = self.lies.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let before = std::mem::replace(&mut now, self.script.lies_for(&self.node));
                    if now.is_empty() && !before.is_empty() {
                        self.truth();
                    } else {
                        self.hurry(delay(&now));
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let next = self.waiting.pop_front();
                    if let Some((_, message)) = next
                        && self.out.send(Ok(message)).await.is_err()
                    {
                        return;
                    }
                }
                () = self.out.closed() => return,
            }
        }
    }

    fn told(&mut self, lies: &[Lie], message: BoardMessage) {
        let oldest = {
            let mut told = self.script.told();
            if let Some(Message::Bulletin(bulletin)) = &message.message {
                told.oldest.get_or_insert_with(|| bulletin.clone());
            }
            told.oldest.clone().unwrap_or_default()
        };
        let before = self.liar.lies();
        let told = self.liar.tell(lies, message, &oldest);
        let delay = delay(lies);
        let lied = self.liar.lies() - before + usize::from(!delay.is_zero());
        *self.script.told().lies.entry(self.node.clone()).or_default() += lied;
        let due = Instant::now() + delay;
        self.waiting.extend(told.into_iter().map(|message| (due, message)));
        while self.waiting.len() > WAITING {
            self.waiting.pop_front();
        }
    }

    /// What waits, waits no longer than what comes now: the order stays.
    fn hurry(&mut self, delay: Duration) {
        let latest = Instant::now() + delay;
        self.waiting.iter_mut().for_each(|(due, _)| *due = latest.min(*due));
    }

    /// Everything once more, at once.
    fn truth(&mut self) {
        let now = Instant::now();
        self.waiting = self.liar.all_again().into_iter().map(|message| (now, message)).collect();
    }
}

fn delay(lies: &[Lie]) -> Duration {
    let delay = lies.iter().find_map(|lie| match lie {
        Lie::Delay(by) => Some((*by).min(DELAY_AT_MOST)),
        _ => None,
    });
    delay.unwrap_or_default()
}
