//! Officers, their documents and a board.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_controller::config::Config;
use muster_controller::init::{self, Made};
use muster_controller::serve::{Running, ServeError};
use muster_proto::documents::keys::{KeysSpec, RoleSigners, RootSpec, Signers, SigningRole};
use muster_proto::documents::plan::*;
use muster_proto::documents::roster::{Consensus, Node, Role};
use muster_proto::documents::{Class, Digest, OperatorAddress, PlanId, Roster};
use muster_proto::tls::{Identity, connect};
use muster_proto::trust::draft::{self, Draft};
use muster_proto::trust::{Offer, Publication, SecretKey, Trust};
use muster_proto::wire::limits;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::desk_client::DeskClient;
use muster_proto::wire::muster::{BoardMessage, FollowRequest, PublishReply};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const NETWORK: &str = "testnet";

/// An operator address; which node has which does not matter to a board.
fn operator(number: u8) -> OperatorAddress {
    let hrp = bech32::Hrp::parse("io").unwrap();
    bech32::encode::<bech32::Bech32>(hrp, &[number; 20]).unwrap().parse().unwrap()
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// Keys of people's connections.
pub(crate) const ANN: u8 = 60;
pub(crate) const WES: u8 = 61;
/// Officers' keys.
pub(crate) const ALICE: u8 = 50;
pub(crate) const BOB: u8 = 51;

/// A folder with a board in it, not running.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) made: Made,
    root: (Vec<u8>, Digest),
}

/// Ends the board, and what it ended with.
type Serving = (oneshot::Sender<()>, JoinHandle<Result<(), ServeError>>);

/// A running board.
pub(crate) struct Board {
    pub(crate) addr: SocketAddr,
    pub(crate) pin: Digest,
    task: Option<Serving>,
}

impl World {
    /// Keys, root ceremony, configuration: ann may do everything, wes may watch.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = init::init(dir.path(), NETWORK, "127.0.0.1:0").unwrap();
        let mut world = Self { dir, made, root: (Vec::new(), Digest::of(b"")) };
        let draft = draft::freeze_root(&world.root_spec(1), None, Timestamp::now()).unwrap();
        let root = sign(&draft, None, &[ALICE, BOB]).metadata;
        world.root = (root.clone(), Digest::of(&root));
        std::fs::write(world.dir.path().join("1.root.json"), &root).unwrap();
        let text = std::fs::read_to_string(&world.made.config).unwrap();
        let person = |name, seed, rights| {
            format!("  - {{name: {name}, key: \"{}\", rights: [{rights}]}}\n", key(seed).public())
        };
        let people = person("ann", ANN, "watch, publish, hold") + &person("wes", WES, "watch");
        let root = format!("root: {{file: 1.root.json, sha256: \"{}\"}}\n", world.root.1);
        let text = text.replace("people: []\n", &format!("people:\n{people}{root}"));
        let text = text.replace("timestamp.pem}", "timestamp.pem, every: 1s}");
        std::fs::write(&world.made.config, text).unwrap();
        world
    }

    pub(crate) fn config(&self) -> Config {
        Config::read(&self.made.config).unwrap()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.config().store()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::pin(&self.root.0, &self.root.1, NETWORK).unwrap()
    }

    pub(crate) fn root_spec(&self, version: u64) -> RootSpec {
        let both = || Signers { threshold: 2, keys: vec!["alice".into(), "bob".into()] };
        let online = |name: &str| Signers { threshold: 1, keys: vec![name.into()] };
        RootSpec {
            version,
            expires: in_days(300),
            networks: vec![NETWORK.into()],
            officers: officers(),
            publishers: BTreeMap::from([
                ("snapshot".into(), self.made.snapshot_key),
                ("timestamp".into(), self.made.timestamp_key),
            ]),
            root: both(),
            targets: both(),
            snapshot: online("snapshot"),
            timestamp: online("timestamp"),
            serial_floor: BTreeMap::new(),
        }
    }

    pub(crate) async fn start(&self) -> Board {
        self.start_with(self.config()).await.unwrap()
    }

    pub(crate) async fn start_with(&self, config: Config) -> Result<Board, ServeError> {
        let running = Running::start(config, &self.made.config).await?;
        let (stop, stopped) = oneshot::channel();
        let addr = running.addr();
        let until = running.until(async move { drop(stopped.await) });
        let ended = tokio::spawn(until);
        Ok(Board { addr, pin: self.made.tls_pin.clone(), task: Some((stop, ended)) })
    }

    /// A board that carries keys and a roster of `ann-1`, `bob-1` and `cat-1` (seeds 1, 2, 3).
    pub(crate) async fn start_with_roster(&self) -> Board {
        let board = self.start().await;
        self.publish_keys(&board).await;
        let roster = roster(1, &[("ann-1", Some(1)), ("bob-1", Some(2)), ("cat-1", Some(3))]);
        self.publish_roster(&board, &roster).await;
        board
    }

    pub(crate) async fn publish_keys(&self, board: &Board) {
        let trust = self.follow(board).await.0;
        let draft = draft::freeze_targets(&keys_spec(), &trust, Timestamp::now()).unwrap();
        board.publish(sign(&draft, Some(&self.trust()), &[ALICE, BOB])).await.unwrap();
    }

    pub(crate) async fn publish_roster(&self, board: &Board, roster: &Roster) {
        let trust = self.follow(board).await.0;
        let draft = draft::freeze_roster(roster, &trust, Timestamp::now()).unwrap();
        board.publish(sign(&draft, Some(&self.trust()), &[ALICE])).await.unwrap();
    }

    pub(crate) async fn publish_plan(&self, board: &Board, serial: u64) -> PlanId {
        let publication = self.plan(board, serial).await;
        board.publish_plan(publication, serial).await
    }

    /// A signed plan that stops `bob-1`, not handed in.
    pub(crate) async fn plan(&self, board: &Board, serial: u64) -> Publication {
        let trust = self.follow(board).await.0;
        let plan = plan(serial, trust.roster().unwrap());
        self.signed(&plan, &trust)
    }

    /// `plan`, signed over what `trust` holds.
    pub(crate) fn signed(&self, plan: &Plan, trust: &Trust) -> Publication {
        let draft = draft::freeze_plan(plan, trust, Timestamp::now()).unwrap();
        let mut publication = sign(&draft, Some(&self.trust()), &[ALICE, BOB]);
        publication.targets.retain(|path, _| *path == plan.path());
        publication
    }

    /// All that a watcher is given, taken by his own trust, with what is not a document.
    pub(crate) async fn follow(&self, board: &Board) -> (Trust, Vec<Message>) {
        let mut trust = self.trust();
        let mut rest = Vec::new();
        let mut stream = board.follow(ANN, true).await.unwrap();
        while let Some(BoardMessage { message }) = next(&mut stream).await.unwrap() {
            match message.unwrap() {
                Message::Bulletin(bulletin) => {
                    let taken = trust.take(&Offer::from(bulletin), Timestamp::now());
                    assert!(taken.refused.is_empty(), "{:?}", taken.refused);
                }
                other => rest.push(other),
            }
        }
        assert_eq!(rest.pop(), Some(Message::CaughtUp(Default::default())));
        (trust, rest)
    }
}

impl Board {
    pub(crate) async fn channel(&self, seed: u8) -> Channel {
        let identity = Identity::from_key(&key(seed)).unwrap();
        connect(&self.addr.to_string(), &identity, &self.pin).await.unwrap()
    }

    pub(crate) async fn desk(&self, seed: u8) -> DeskClient<Channel> {
        DeskClient::new(self.channel(seed).await).max_decoding_message_size(limits::MESSAGE_BYTES)
    }

    pub(crate) async fn publish(&self, publication: Publication) -> Result<PublishReply, Status> {
        let mut desk = self.desk(ANN).await;
        desk.publish(tonic::Request::new(publication.into())).await.map(|reply| reply.into_inner())
    }

    /// A plan that is signed and in order.
    pub(crate) async fn publish_plan(&self, publication: Publication, serial: u64) -> PlanId {
        let bytes = publication.targets.values().next().unwrap().clone();
        self.publish(publication).await.unwrap();
        PlanId { class: Class::Hotfix, serial, digest: Digest::of(&bytes) }
    }

    pub(crate) async fn follow(
        &self,
        seed: u8,
        once: bool,
    ) -> Result<Streaming<BoardMessage>, Status> {
        let request = FollowRequest { network: NETWORK.into(), root_version: 0, once };
        Ok(self.desk(seed).await.follow(request).await?.into_inner())
    }

    /// One that runs in a process of its own.
    pub(crate) fn elsewhere(addr: SocketAddr, pin: Digest) -> Self {
        Self { addr, pin, task: None }
    }

    pub(crate) async fn stop(self) {
        let (stop, ended) = self.task.expect("a board of this process");
        stop.send(()).unwrap();
        timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap();
    }
}

/// The next message, or the end; never a wait without end.
pub(crate) async fn next(
    stream: &mut Streaming<BoardMessage>,
) -> Result<Option<BoardMessage>, Status> {
    timeout(PATIENCE, stream.message()).await.expect("a message in time")
}

pub(crate) fn sign(draft: &Draft, pinned: Option<&Trust>, seeds: &[u8]) -> Publication {
    let checked = draft.verify(pinned, Timestamp::now()).unwrap();
    let signatures: Vec<_> = seeds.iter().map(|seed| checked.sign(&key(*seed)).unwrap()).collect();
    let merged = checked.merge(&signatures).unwrap();
    match merged.publication() {
        Some(publication) => publication.clone(),
        None => panic!("{:?}", merged.missing()),
    }
}

fn officers() -> BTreeMap<String, muster_proto::documents::PublicKey> {
    BTreeMap::from([("alice".into(), key(ALICE).public()), ("bob".into(), key(BOB).public())])
}

fn keys_spec() -> KeysSpec {
    let signers = |threshold, keys: &[&str]| RoleSigners {
        threshold,
        keys: keys.iter().map(|name| (*name).to_owned()).collect(),
        expires_in_s: 100 * 24 * 3600,
    };
    KeysSpec {
        expires: in_days(200),
        officers: officers(),
        roles: BTreeMap::from([
            (SigningRole::Roster, signers(1, &["alice"])),
            (SigningRole::Hotfix, signers(2, &["alice", "bob"])),
        ]),
    }
}

/// Seats for everybody; keys by seed.
pub(crate) fn roster(version: u64, nodes: &[(&str, Option<u8>)]) -> Roster {
    let node = |(at, (name, seed)): (usize, &(&str, Option<u8>))| Node {
        name: name.parse().unwrap(),
        operator: operator(at as u8),
        key: seed.map(|seed| key(seed).public()),
        endpoint: format!("10.0.0.{}:8080", at + 1).parse().unwrap(),
        contact: "ops".into(),
        role: Role::ConsensusDelegate,
        seat: true,
        labels: BTreeMap::new(),
        group: None,
        bootstrap: false,
    };
    Roster {
        muster: "roster/v1".into(),
        network: NETWORK.into(),
        version,
        issued: whole_seconds(),
        consensus: Consensus { active: 3 },
        nodes: nodes.iter().enumerate().map(node).collect(),
    }
}

pub(crate) fn plan(serial: u64, roster: &Roster) -> Plan {
    let seat = |node: &Node| node.name.to_string();
    let member =
        |node: &Node| Member { name: node.name.clone(), key: node.key, seat: Some(seat(node)) };
    Plan {
        muster: "plan/v1".into(),
        network: NETWORK.into(),
        class: Class::Hotfix,
        serial,
        title: format!("stop bob-1, {serial}"),
        urgency: Urgency::Routine,
        issued: whole_seconds(),
        valid: Validity { from: whole_seconds(), until: in_days(1) },
        after: Vec::new(),
        supersedes: (1..serial).collect(),
        action: Action::Stop,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Halting,
        members: roster.nodes.iter().map(member).collect(),
        active: 3,
        waves: vec![Wave {
            name: "all".into(),
            nodes: vec!["bob-1".parse().unwrap()],
            done: 1,
            soak_ms: 0,
        }],
        budget: Budget::All,
        parallel: 1,
        unmanaged: Unmanaged::Away,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2_000, stale_ms: 10_000, skew_ms: 5_000 },
        absent_after_ms: 60_000,
        health: HealthTerms {
            boot_ms: 120_000,
            ready_ms: 900_000,
            advance_blocks: 5,
            lag_blocks: 10,
            peers: 1,
            hold_ms: 1_000,
        },
        deadline: Deadline { per_node_ms: 1_200_000, before_height: None },
        drill: Drill::No,
    }
}

pub(crate) fn whole_seconds() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

fn in_days(days: i64) -> Timestamp {
    whole_seconds() + SignedDuration::from_hours(24 * days)
}
