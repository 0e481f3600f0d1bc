//! The agent's side of a stream: it verifies everything and believes no word of the board.

use std::time::Instant;

use jiff::Timestamp;
use muster_proto::documents::Digest;
use muster_proto::documents::{NodeName, PlanId};
use muster_proto::evidence::beacon::{Beacon, Health};
use muster_proto::evidence::book::Book;
use muster_proto::evidence::chain::Head;
use muster_proto::evidence::{Envelope, Event, Receipt};
use muster_proto::trust::{Offer, SecretKey, Trust};
use muster_proto::wire::limits;
use muster_proto::wire::muster::agent_message::Message as Say;
use muster_proto::wire::muster::board_client::BoardClient;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{AgentMessage, BoardMessage, Hello, Hold, OwnChain};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::world::{Board, NETWORK, PATIENCE, World, key, next};

pub(crate) struct Agent {
    pub(crate) name: NodeName,
    pub(crate) trust: Trust,
    pub(crate) book: Book,
    pub(crate) holds: Vec<Hold>,
    pub(crate) own_chain: Option<OwnChain>,
    pub(crate) doubles: Vec<String>,
    pub(crate) messages: usize,
    pub(crate) chain: Chain,
    say: mpsc::Sender<AgentMessage>,
    pub(crate) hear: Streaming<BoardMessage>,
}

/// What an agent has signed.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) node: NodeName,
    pub(crate) key: SecretKey,
    pub(crate) head: Option<Head>,
    beacons: u64,
}

impl Chain {
    pub(crate) fn new(node: &str, seed: u8) -> Self {
        Self { node: node.parse().unwrap(), key: key(seed), head: None, beacons: 0 }
    }

    /// The next receipt, as bytes.
    pub(crate) fn receipt(&mut self, plan: &PlanId, event: Event) -> Vec<u8> {
        let receipt = Receipt {
            muster: "receipt/v1".into(),
            network: NETWORK.into(),
            node: self.node.clone(),
            counter: self.head.as_ref().map_or(1, |head| head.counter + 1),
            previous: self.head.as_ref().map(|head| head.hash.clone()),
            at: Timestamp::now(),
            plan: plan.clone(),
            event,
        };
        let envelope = Envelope::sign(&receipt, self.key.signing_key()).unwrap();
        self.head = Some(Head { counter: receipt.counter, hash: Digest::of(envelope.payload()) });
        envelope.to_bytes::<Receipt>()
    }

    pub(crate) fn beacon(&mut self, height: u64) -> Vec<u8> {
        self.beacons += 1;
        let beacon = Beacon {
            muster: "beacon/v1".into(),
            network: NETWORK.into(),
            node: self.node.clone(),
            counter: self.beacons,
            at: Timestamp::now(),
            health: Health { running: true, height: Some(height), ..Health::default() },
            head: self.head.clone(),
            newest: Default::default(),
            doing: Vec::new(),
            emergency: None,
        };
        Envelope::sign(&beacon, self.key.signing_key()).unwrap().to_bytes::<Beacon>()
    }
}

pub(crate) fn acknowledged() -> Event {
    Event::Acknowledged { in_hand: None }
}

impl Agent {
    pub(crate) async fn attach(world: &World, board: &Board, name: &str, seed: u8) -> Self {
        Self::try_attach(world, board, name, seed).await.unwrap()
    }

    pub(crate) async fn try_attach(
        world: &World,
        board: &Board,
        name: &str,
        seed: u8,
    ) -> Result<Self, Status> {
        Self::attach_holding(world.trust(), board, name, seed).await
    }

    /// Comes back with what it holds.
    pub(crate) async fn attach_holding(
        trust: Trust,
        board: &Board,
        name: &str,
        seed: u8,
    ) -> Result<Self, Status> {
        Self::attach_over(board.channel(seed).await, trust, name, seed).await
    }

    /// Comes by a connection that somebody else made.
    pub(crate) async fn attach_over(
        channel: Channel,
        trust: Trust,
        name: &str,
        seed: u8,
    ) -> Result<Self, Status> {
        let versions = trust.versions();
        let hello = Hello {
            node: name.into(),
            network: NETWORK.into(),
            root_version: versions.root,
            timestamp_version: versions.timestamp,
            snapshot_version: versions.snapshot,
            software: "test".into(),
        };
        let (say, said) = mpsc::channel(16);
        say.send(AgentMessage { message: Some(Say::Hello(hello)) }).await.unwrap();
        let mut client = BoardClient::new(channel).max_decoding_message_size(limits::MESSAGE_BYTES);
        let hear = client.attach(ReceiverStream::new(said)).await?.into_inner();
        Ok(Self {
            name: name.parse().unwrap(),
            trust,
            book: Book::new(NETWORK),
            holds: Vec::new(),
            own_chain: None,
            doubles: Vec::new(),
            messages: 0,
            chain: Chain::new(name, seed),
            say,
            hear,
        })
    }

    pub(crate) async fn say(&self, message: Say) {
        // The board may have ended the stream: the test hears that.
        let _ = self.say.send(AgentMessage { message: Some(message) }).await;
    }

    pub(crate) async fn receipt(&mut self, plan: &PlanId, event: Event) {
        let receipt = self.chain.receipt(plan, event);
        self.say(Say::Receipt(receipt)).await;
    }

    /// Takes messages until `enough`.
    pub(crate) async fn until(&mut self, enough: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self) {
            assert!(Instant::now() < deadline, "{}: in vain", self.name);
            match next(&mut self.hear).await {
                Ok(Some(message)) => self.take(message),
                ended => panic!("{}: the stream ended: {ended:?}", self.name),
            }
        }
    }

    /// Takes messages until the stream ends, and says how it ended.
    pub(crate) async fn ended(&mut self) -> Status {
        loop {
            match next(&mut self.hear).await {
                Ok(Some(message)) => self.take(message),
                Ok(None) => return Status::ok("ended"),
                Err(status) => return status,
            }
        }
    }

    fn take(&mut self, message: BoardMessage) {
        self.messages += 1;
        match message.message.unwrap() {
            Message::Bulletin(bulletin) => {
                self.trust.take(&Offer::from(bulletin), Timestamp::now());
                if let Some(roster) = self.trust.last_roster() {
                    self.book.admit(roster, self.trust.plans());
                }
            }
            Message::Evidence(evidence) => {
                for receipt in &evidence.receipts {
                    self.book.receipt(receipt).unwrap();
                }
                for beacon in &evidence.beacons {
                    self.book.beacon(beacon, Timestamp::now()).unwrap();
                }
            }
            Message::OwnChain(own) => self.own_chain = Some(own),
            Message::Holds(holds) => self.holds = holds.holds,
            Message::DoubleCounter(double) => self.doubles.push(double.node),
            other => panic!("not for agents: {other:?}"),
        }
    }

    /// Whether it holds a verified acknowledgement of `plan` by `node`.
    pub(crate) fn saw_acknowledged(&self, node: &str, plan: &PlanId) -> bool {
        let node: NodeName = node.parse().unwrap();
        let facts = self.book.evidence().nodes.get(&node).and_then(|node| node.plans.get(plan));
        facts.is_some_and(|facts| facts.acknowledged.is_some())
    }

    pub(crate) fn height_of(&self, node: &str) -> Option<u64> {
        let node: NodeName = node.parse().unwrap();
        self.book.evidence().nodes.get(&node)?.beacon.as_ref()?.health.height
    }
}
