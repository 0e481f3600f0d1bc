//! The lying board is what the fleet's tests believe it to be: real TLS, one story for each, and
//! no lie that verifies. A board tells nobody his own beacon, so a third agent, who is told the
//! truth, shows what the board has taken.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use muster_controller::init;
use muster_proto::documents::roster::{Consensus, Node, Role, Roster};
use muster_proto::documents::{Digest, NodeName};
use muster_proto::evidence::beacon::{Beacon, Health};
use muster_proto::evidence::{Book, Envelope};
use muster_proto::tls::{Identity, connect};
use muster_proto::trust::{Offer, SecretKey, Trust};
use muster_proto::wire::limits;
use muster_proto::wire::muster::agent_message::Message as Say;
use muster_proto::wire::muster::board_client::BoardClient;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{AgentMessage, BoardMessage, Hello};
use muster_tests::faults::board::{Kind, Lie, LyingBoard};
use muster_tests::fleet::board::Address;
use muster_tests::fleet::officers::Officers;
use muster_tests::node::key;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const NETWORK: &str = "testnet";
const PATIENCE: Duration = Duration::from_secs(20);
const NODES: [&str; 3] = ["ann-1", "bob-1", "cat-1"];

/// A lying board with a roster on it, and officers who watch and publish.
struct World {
    board: LyingBoard,
    officers: Officers,
    _dir: tempfile::TempDir,
}

impl World {
    async fn lay_out() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let made = init::init(dir.path(), NETWORK, "127.0.0.1:0")?;
        let mut officers = Officers::new(NETWORK, (made.snapshot_key, made.timestamp_key))?;
        configure(dir.path(), &made.config, &officers)?;
        let board = LyingBoard::start(dir.path()).await?;
        ensure!(*board.pin() == made.tls_pin, "another identity than the controller's");
        let addr = board.addr().to_string();
        officers.attach(&Address { addr, pin: board.pin().clone() }).await?;
        officers.publish_keys().await?;
        officers.publish_roster(&roster(1)?).await?;
        Ok(Self { board, officers, _dir: dir })
    }

    /// Waits until a lie was told about, or to, that node.
    async fn lied_to(&self, at: usize) -> Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let lied = async {
            while self.board.lies_told(&name(at)) == 0 {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, lied).await.context("no lie was told")
    }

    async fn agent(&self, at: usize) -> Result<Agent> {
        let (root, digest) = self.officers.first_root();
        let trust = Trust::pin(root, &digest, NETWORK)?;
        Agent::attach(&self.board, trust, at).await
    }
}

fn configure(dir: &Path, config: &Path, officers: &Officers) -> Result<()> {
    let (root, digest) = officers.first_root();
    std::fs::write(dir.join("1.root.json"), root)?;
    let person = officers.desk_key();
    let text = std::fs::read_to_string(config)?;
    let more = format!(
        "people:\n  - {{name: alice, key: \"{person}\", rights: [watch, publish, hold]}}\n\
         root: {{file: 1.root.json, sha256: \"{digest}\"}}\n"
    );
    let text = text.replace("people: []\n", &more);
    let text = text.replace("timestamp.pem}", "timestamp.pem, every: 1s}");
    Ok(std::fs::write(config, text)?)
}

fn agent_key(at: usize) -> SecretKey {
    SecretKey::from_seed(&[at as u8 + 1; 32])
}

fn name(at: usize) -> NodeName {
    NODES[at].parse().expect("a name")
}

fn roster(version: u64) -> Result<Roster> {
    let node = |(at, name): (usize, &&str)| -> Result<Node> {
        Ok(Node {
            name: name.parse()?,
            operator: key::operator_address(&key::test_key(at as u64))
                .context("the key of a test")?
                .parse()?,
            key: Some(agent_key(at).public()),
            endpoint: ([10, 0, 0, at as u8 + 1], 8_080).into(),
            contact: "ops".into(),
            role: Role::ConsensusDelegate,
            seat: true,
            labels: Default::default(),
            group: None,
            bootstrap: false,
        })
    };
    Ok(Roster {
        muster: "roster/v1".into(),
        network: NETWORK.into(),
        version,
        issued: Timestamp::from_second(Timestamp::now().as_second())?,
        consensus: Consensus { active: 3 },
        nodes: NODES.iter().enumerate().map(node).collect::<Result<_>>()?,
    })
}

/// An agent's side of a stream: it verifies everything.
struct Agent {
    at: usize,
    trust: Trust,
    book: Book,
    beacons: u64,
    /// Codes of what it refused.
    refused: Vec<String>,
    say: mpsc::Sender<AgentMessage>,
    hear: Streaming<BoardMessage>,
}

impl Agent {
    async fn attach(board: &LyingBoard, trust: Trust, at: usize) -> Result<Self> {
        let hello = Hello {
            node: NODES[at].into(),
            network: NETWORK.into(),
            root_version: trust.versions().root,
            software: "test".into(),
            ..Hello::default()
        };
        let (say, said) = mpsc::channel(16);
        say.send(AgentMessage { message: Some(Say::Hello(hello)) }).await?;
        let identity = Identity::from_key(&agent_key(at))?;
        let channel = connect(&board.addr().to_string(), &identity, board.pin()).await?;
        let mut client = BoardClient::new(channel).max_decoding_message_size(limits::MESSAGE_BYTES);
        let hear = client.attach(ReceiverStream::new(said)).await?.into_inner();
        let (book, refused) = (Book::new(NETWORK), Vec::new());
        Ok(Self { at, trust, book, beacons: 0, refused, say, hear })
    }

    /// Says that its node is at that height.
    async fn at_height(&mut self, height: u64) -> Result<()> {
        self.beacons += 1;
        let beacon = Beacon {
            muster: "beacon/v1".into(),
            network: NETWORK.into(),
            node: name(self.at),
            counter: self.beacons,
            at: Timestamp::now(),
            health: Health { running: true, height: Some(height), ..Health::default() },
            head: None,
            newest: Default::default(),
            doing: Vec::new(),
            emergency: None,
        };
        let beacon = Envelope::sign(&beacon, agent_key(self.at).signing_key())?;
        let message = Some(Say::Beacon(beacon.to_bytes::<Beacon>()));
        Ok(self.say.send(AgentMessage { message }).await?)
    }

    /// Takes messages until `enough`.
    async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) -> Result<()> {
        let waited = async {
            while !enough(self) {
                let message = self.hear.message().await?.context("the stream ended")?;
                self.take(message)?;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(PATIENCE, waited).await {
            Ok(done) => done.with_context(|| format!("{}: {what}", NODES[self.at])),
            Err(_) => anyhow::bail!("{}: {what}: in vain; {:?}", NODES[self.at], self.refused),
        }
    }

    fn take(&mut self, message: BoardMessage) -> Result<()> {
        match message.message {
            Some(Message::Bulletin(bulletin)) => {
                let taken = self.trust.take(&Offer::from(bulletin), Timestamp::now());
                self.refused.extend(taken.refused.iter().map(|refused| refused.error.to_string()));
                if let Some(roster) = self.trust.roster() {
                    self.book.admit(roster, self.trust.plans());
                }
            }
            Some(Message::Evidence(evidence)) => {
                for beacon in &evidence.beacons {
                    let taken = self.book.beacon(beacon, Timestamp::now());
                    self.refused.extend(taken.err().map(|error| error.to_string()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn sees(&self, at: usize) -> Option<u64> {
        let node = self.book.evidence().nodes.get(&name(at))?;
        node.beacon.as_ref()?.health.height
    }

    fn refused(&self, code: &str) -> usize {
        self.refused.iter().filter(|refused| refused.starts_with(code)).count()
    }
}

#[tokio::test]
async fn two_agents_are_told_two_stories_and_both_verify() -> Result<()> {
    let world = World::lay_out().await?;
    world.board.set(&name(0), [Lie::Only([name(0), name(1)].into())]);
    let (mut ann, mut bob, mut cat) =
        (world.agent(0).await?, world.agent(1).await?, world.agent(2).await?);
    cat.at_height(33).await?;
    bob.until("the third's beacon", |bob| bob.sees(2) == Some(33)).await?;
    bob.at_height(22).await?;
    // What is told in order proves that the third's beacon is not on its way.
    ann.until("the second's beacon", |ann| ann.sees(1) == Some(22)).await?;
    assert_eq!(ann.sees(2), None);
    assert!(ann.refused.is_empty(), "{:?}", ann.refused);
    assert!(world.board.lies_told(&name(0)) > 0);
    assert_eq!(world.board.lies_told(&name(1)), 0);
    world.board.stop().await
}

#[tokio::test]
async fn a_frozen_story_goes_on_once_the_board_is_honest_again() -> Result<()> {
    let world = World::lay_out().await?;
    let (mut ann, mut bob, mut cat) =
        (world.agent(0).await?, world.agent(1).await?, world.agent(2).await?);
    ann.until("the roster", |ann| ann.trust.roster().is_some()).await?;
    world.board.set(&name(0), [Lie::Freeze]);
    bob.at_height(5).await?;
    cat.until("the second's beacon", |cat| cat.sees(1) == Some(5)).await?;
    world.lied_to(0).await?;
    assert_eq!(ann.sees(1), None);
    world.board.set(&name(0), []);
    ann.until("the beacon", |ann| ann.sees(1) == Some(5)).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_tampered_with_verifies_nowhere() -> Result<()> {
    let mut world = World::lay_out().await?;
    let mut ann = world.agent(0).await?;
    ann.until("the roster", |ann| ann.trust.roster().is_some()).await?;
    world.board.set(&name(0), [Lie::Tamper(Kind::Beacons), Lie::Tamper(Kind::Metadata)]);
    let mut bob = world.agent(1).await?;
    bob.at_height(5).await?;
    ann.until("a forged beacon", |ann| ann.refused("V002") > 0).await?;
    world.officers.publish_roster(&roster(2)?).await?;
    ann.until("forged metadata", |ann| ann.refused("T") > 0).await?;
    assert_eq!(ann.sees(1), None);
    assert_eq!(ann.trust.roster().map(|roster| roster.version), Some(1));
    world.board.set(&name(0), []);
    ann.until("the truth", |ann| ann.trust.roster().is_some_and(|it| it.version == 2)).await
}

#[tokio::test]
async fn old_metadata_leaves_an_agent_where_it_is_while_evidence_is_new() -> Result<()> {
    let mut world = World::lay_out().await?;
    let mut ann = world.agent(0).await?;
    ann.until("the roster", |ann| ann.trust.roster().is_some()).await?;
    world.board.set(&name(0), [Lie::OldMetadata]);
    world.officers.publish_roster(&roster(2)?).await?;
    let stamped = ann.trust.versions().timestamp;
    let mut bob = world.agent(1).await?;
    bob.at_height(9).await?;
    ann.until("the beacon", |ann| ann.sees(1) == Some(9)).await?;
    assert_eq!(ann.trust.roster().map(|roster| roster.version), Some(1));
    assert_eq!(ann.trust.versions().timestamp, stamped);
    assert!(world.board.lies_told(&name(0)) > 0);
    Ok(())
}

#[tokio::test]
async fn a_deaf_board_tells_nobody_what_it_heard() -> Result<()> {
    let world = World::lay_out().await?;
    world.board.set(&name(1), [Lie::Deaf(Kind::Beacons)]);
    let (mut ann, mut bob, mut cat) =
        (world.agent(0).await?, world.agent(1).await?, world.agent(2).await?);
    bob.at_height(5).await?;
    world.lied_to(1).await?;
    ann.at_height(6).await?;
    // What is told in order proves that the second's beacon is not on its way.
    cat.until("the first's beacon", |cat| cat.sees(0) == Some(6)).await?;
    assert_eq!(cat.sees(1), None);
    Ok(())
}

#[tokio::test]
async fn an_agent_that_no_roster_lists_is_refused_here_too() -> Result<()> {
    let world = World::lay_out().await?;
    let hello = Hello { node: NODES[0].into(), network: NETWORK.into(), ..Hello::default() };
    let stranger = Identity::from_key(&SecretKey::from_seed(&[99; 32]))?;
    let pin: &Digest = world.board.pin();
    let channel = connect(&world.board.addr().to_string(), &stranger, pin).await?;
    let said = tokio_stream::once(AgentMessage { message: Some(Say::Hello(hello)) });
    let refused = BoardClient::new(channel).attach(said).await.err().context("not refused")?;
    assert!(refused.message().starts_with("N021"), "{refused:?}");
    Ok(())
}
