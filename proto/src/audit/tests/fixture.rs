//! A root, officers, a plan, and agents who write what they are told.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use jiff::{SignedDuration, Timestamp};

use crate::audit::{Account, Bundle, Fault};
use crate::documents::ids::OperatorAddress;
use crate::documents::keys::{KeysSpec, RoleSigners, RootSpec, Signers, SigningRole};
use crate::documents::plan::*;
use crate::documents::roster::{Consensus, Node, Role};
use crate::documents::{Class, Digest, NodeName, Plan, PlanId, PublicKey, Roster};
use crate::evidence::beacon::Health;
use crate::evidence::receipt::Outcome;
use crate::evidence::{Beacon, Envelope, Event, Head, Receipt};
use crate::trust::draft::{self, Draft};
use crate::trust::{Publication, Publisher, SecretKey, Trust};

const NET: &str = "testnet";

/// Seconds after noon.
pub(super) fn at(seconds: i64) -> Timestamp {
    let noon: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a date");
    noon + SignedDuration::from_secs(seconds)
}

pub(super) fn name(number: u8) -> NodeName {
    format!("r{number}").parse().expect("a name")
}

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    key(number).verifying_key().to_bytes().try_into().expect("a strong key")
}

fn operator(number: u8) -> OperatorAddress {
    let hrp = bech32::Hrp::parse("io").expect("a prefix");
    let text = bech32::encode::<bech32::Bech32>(hrp, &[number; 20]).expect("20 bytes");
    text.parse().expect("an address")
}

/// Nodes 1 to 6 with a seat each; 5 has no agent.
pub(super) fn roster() -> Roster {
    let node = |number: u8| Node {
        name: name(number),
        operator: operator(number),
        key: (number != 5).then(|| public(number)),
        endpoint: "203.0.113.1:8080".parse().expect("an address"),
        contact: "somebody".into(),
        role: Role::ConsensusDelegate,
        seat: true,
        labels: BTreeMap::new(),
        group: None,
        bootstrap: false,
    };
    Roster {
        muster: "roster/v1".into(),
        network: NET.into(),
        version: 1,
        issued: at(-7200),
        consensus: Consensus { active: 6 },
        nodes: (1..=6).map(node).collect(),
    }
}

/// A restart of 1, 2, 3, 4, 6, one by one, two seats away at most.
pub(super) fn plan() -> Plan {
    let member =
        |it: &Node| Member { name: it.name.clone(), key: it.key, seat: Some(it.name.to_string()) };
    Plan {
        muster: "plan/v1".into(),
        network: NET.into(),
        class: Class::Hotfix,
        serial: 42,
        title: "a restart".into(),
        urgency: Urgency::Routine,
        issued: at(-600),
        valid: Validity { from: at(-300), until: at(3600) },
        after: vec![],
        supersedes: vec![],
        action: Action::Restart,
        schedule: None,
        ends: None,
        compatibility: Compatibility::Compatible,
        members: roster().nodes.iter().map(member).collect(),
        active: 6,
        waves: vec![Wave {
            name: "all".into(),
            nodes: [1, 2, 3, 4, 6].map(name).into(),
            done: 3,
            soak_ms: 0,
        }],
        budget: Budget::Seats(2),
        parallel: 1,
        unmanaged: Unmanaged::AssumeUp,
        failures: Failures { tolerate: 0, then: Then::Hold },
        beacon: BeaconTerms { every_ms: 2_000, stale_ms: 10_000, skew_ms: 5_000 },
        absent_after_ms: 60_000,
        health: HealthTerms {
            boot_ms: 120_000,
            ready_ms: 900_000,
            advance_blocks: 5,
            lag_blocks: 10,
            peers: 3,
            hold_ms: 120_000,
        },
        deadline: Deadline { per_node_ms: 1_200_000, before_height: None },
        drill: Drill::No,
    }
}

/// The officer, the publisher, and what they made the board hold.
struct Office {
    officer: SecretKey,
    publisher: Publisher,
    root: Vec<u8>,
    board: Trust,
    now: Timestamp,
}

impl Office {
    fn founded(now: Timestamp) -> Self {
        let (officer, online) =
            (SecretKey::from_seed(&[91; 32]), || SecretKey::from_seed(&[92; 32]));
        let one = |name: &str| Signers { threshold: 1, keys: vec![name.into()] };
        let spec = RootSpec {
            version: 1,
            expires: now + SignedDuration::from_hours(24 * 300),
            networks: vec![NET.into()],
            officers: [("ann".to_owned(), officer.public())].into(),
            publishers: [("board".to_owned(), online().public())].into(),
            root: one("ann"),
            targets: one("ann"),
            snapshot: one("board"),
            timestamp: one("board"),
            serial_floor: BTreeMap::new(),
        };
        let draft = draft::freeze_root(&spec, None, now).expect("a root");
        let checked = draft.verify(None, now).expect("an honest draft");
        let signature = checked.sign(&officer).expect("a signer");
        let root = checked.merge(&[signature]).expect("signed").metadata;
        let board = Trust::pin(&root, &Digest::of(&root), NET).expect("a good root");
        Self { officer, publisher: Publisher::new(online(), online()), root, board, now }
    }

    fn keys(&self) -> KeysSpec {
        let role = |role| {
            let signers = RoleSigners {
                threshold: 1,
                keys: vec!["ann".into()],
                expires_in_s: 24 * 3600 * 100,
            };
            (role, signers)
        };
        KeysSpec {
            expires: self.now + SignedDuration::from_hours(24 * 200),
            officers: [("ann".to_owned(), self.officer.public())].into(),
            roles: SigningRole::ALL.map(role).into(),
        }
    }

    fn put(&mut self, draft: &Draft) {
        let checked = draft.verify(Some(&self.board), self.now).expect("an honest draft");
        let signature = checked.sign(&self.officer).expect("a signer");
        let merged = checked.merge(&[signature]).expect("signed");
        let publication: Publication = merged.publication().expect("enough").clone();
        let offer = self.publisher.publish(&self.board, &publication, self.now).expect("published");
        let taken = self.board.take(&offer, self.now);
        assert!(taken.refused.is_empty(), "{:?}", taken.refused);
    }
}

/// A plan on a board, and what its nodes have said so far.
#[derive(Clone)]
pub(super) struct Story {
    pub(super) root: Vec<u8>,
    pub(super) trust: Trust,
    pub(super) id: PlanId,
    pub(super) chains: BTreeMap<NodeName, Vec<Receipt>>,
    /// Seconds by which a node's clock is wrong.
    pub(super) clocks: BTreeMap<u8, i64>,
    /// Seconds after noon.
    pub(super) now: i64,
}

impl Story {
    /// The plan is published; nobody has said anything.
    pub(super) fn published(plan: &Plan) -> Self {
        let mut office = Office::founded(plan.issued);
        let keys = office.keys();
        office.put(&draft::freeze_targets(&keys, &office.board, office.now).expect("keys"));
        office.put(&draft::freeze_roster(&roster(), &office.board, office.now).expect("a roster"));
        office.put(&draft::freeze_plan(plan, &office.board, office.now).expect("a plan"));
        let id = office.board.plans().keys().next().expect("the plan").clone();
        let Office { root, board: trust, .. } = office;
        Self { root, trust, id, chains: BTreeMap::new(), clocks: BTreeMap::new(), now: 0 }
    }

    /// 1, 2 and 4 restart one after another, 3 declines, 6 is silent.
    pub(super) fn told() -> Self {
        let mut story = Self::promised();
        [1, 2, 4].into_iter().for_each(|node| story.restart(node));
        story
    }

    /// 1 to 4 have promised, 3 has declined.
    pub(super) fn promised() -> Self {
        let mut story = Self::published(&plan());
        for node in 1..=4 {
            story.says(node, Event::Acknowledged { in_hand: None });
        }
        story.says(3, Event::Declined { reason: "on holiday".into() });
        [1, 2, 4].into_iter().for_each(|node| story.says(node, Event::Prepared));
        story
    }

    pub(super) fn restart(&mut self, node: u8) {
        self.begins(node, Some(2));
        self.says(
            node,
            Event::Stopped { height: Some(7), block_hash: None, exit: 0, beside: None },
        );
        self.now += 30;
        self.says(node, done());
    }

    pub(super) fn begins(&mut self, node: u8, sum: Option<u32>) {
        let heads = self.heads();
        self.says(node, Event::Began { sum, heads });
    }

    /// The newest link of everybody.
    pub(super) fn heads(&self) -> BTreeMap<NodeName, Head> {
        let head = |(node, chain): (&NodeName, &Vec<Receipt>)| {
            let newest = chain.last()?;
            Some((node.clone(), Head { counter: newest.counter, hash: hash(newest) }))
        };
        self.chains.iter().filter_map(head).collect()
    }

    /// Writes the next link; a second later nobody has said anything else.
    pub(super) fn says(&mut self, node: u8, event: Event) {
        self.now += 1;
        let date = at(self.now + self.clocks.get(&node).copied().unwrap_or(0));
        let plan = self.id.clone();
        let chain = self.chains.entry(name(node)).or_default();
        chain.push(Receipt {
            muster: "receipt/v1".into(),
            network: NET.into(),
            node: name(node),
            counter: chain.len() as u64 + 1,
            previous: chain.last().map(hash),
            at: date,
            plan,
            event,
        });
    }

    /// Changes one receipt and signs all after it anew, as only its own agent can.
    pub(super) fn rewrite(&mut self, node: u8, counter: usize, change: impl FnOnce(&mut Receipt)) {
        let chain = self.chains.get_mut(&name(node)).expect("a chain");
        change(&mut chain[counter - 1]);
        for next in counter..chain.len() {
            chain[next].previous = Some(hash(&chain[next - 1]));
        }
    }

    /// As it is exported.
    pub(super) fn bundle(&self) -> Bundle {
        let signed = |(node, chain): (&NodeName, &Vec<Receipt>)| {
            let number = node.as_str()[1..].parse().expect("a number");
            (node.clone(), chain.iter().map(|receipt| sealed(receipt, &key(number))).collect())
        };
        Bundle {
            network: NET.into(),
            plan: self.id.clone(),
            documents: self.trust.offer(0),
            chains: self.chains.iter().map(signed).collect(),
            beacons: BTreeMap::new(),
            proofs: BTreeMap::new(),
        }
    }

    /// A node's newest beacon.
    pub(super) fn beacon(&self, node: u8) -> Vec<u8> {
        let beacon = Beacon {
            muster: "beacon/v1".into(),
            network: NET.into(),
            node: name(node),
            counter: 9,
            at: at(self.now),
            health: Health::default(),
            head: self.heads().get(&name(node)).cloned(),
            newest: BTreeMap::new(),
            doing: Vec::new(),
            emergency: None,
        };
        Envelope::sign(&beacon, &key(node)).expect("canonical").to_bytes::<Beacon>()
    }

    /// The audit of a bundle by this story's first root.
    pub(super) fn audit(&self, bundle: &Bundle) -> Result<Account, Fault> {
        let account = Account::open(bundle, &self.root)?;
        account.check().map(|()| account)
    }

    /// The same; refused with this code.
    #[track_caller]
    pub(super) fn refuses(&self, bundle: &Bundle, code: &str) -> String {
        let said = self.audit(bundle).err().expect("a fault").to_string();
        assert!(said.starts_with(&format!("{code}: ")), "{code} expected: {said}");
        said
    }
}

pub(super) fn sealed(receipt: &Receipt, key: &SigningKey) -> Vec<u8> {
    Envelope::sign(receipt, key).expect("canonical").to_bytes::<Receipt>()
}

pub(super) fn done() -> Event {
    Event::Done(Outcome {
        version: Some("v2.4.4".into()),
        height: Some(9),
        image: Digest::of(b"image"),
        away_ms: Some(31_000),
        would: None,
    })
}

fn hash(receipt: &Receipt) -> Digest {
    Digest::of(&crate::documents::canonical::to_bytes(receipt).expect("canonical"))
}
