//! The honest world: everybody signs what he should.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::keys::{KeysSpec, RoleSigners, RootSpec, Signers, SigningRole};
use muster_proto::documents::{Digest, PublicKey};
use muster_proto::trust::draft::{self, Document, Draft, Merged};
use muster_proto::trust::metadata::{Pin, envelope};
use muster_proto::trust::{Offer, Publication, Publisher, SecretKey, Trust};

/// The network of all of it.
pub const NETWORK: &str = "mainnet";

/// When the world begins.
pub fn at() -> Timestamp {
    "2026-07-23T12:00:00Z".parse().expect("a date")
}

/// Everybody's key follows from his name.
pub fn key(name: &str) -> SecretKey {
    let digest = Digest::of(name.as_bytes());
    let seed = hex::decode(digest.hex()).expect("hex");
    SecretKey::from_seed(&seed.try_into().expect("32 bytes"))
}

fn publics(names: &[&str]) -> BTreeMap<String, PublicKey> {
    names.iter().map(|name| ((*name).to_owned(), key(name).public())).collect()
}

fn of(threshold: u32, names: &[&str]) -> Signers {
    Signers { threshold, keys: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// Officers `ann`, `bob`, `cyn` hold root and targets (2 of 3); `dan`, `eve`, `fay` roster, release
/// and hotfix (2 of 3); `gus`, `hal` drill and emergency (1 of 2); `board` publishes.
#[derive(Debug, Clone)]
pub struct World {
    /// What the board believes.
    pub board: Trust,
    /// The board's keys.
    pub publisher: Publisher,
    /// The first root.
    pub root: Vec<u8>,
    /// The clock of everybody.
    pub now: Timestamp,
}

impl World {
    /// The root of this version.
    pub fn root_spec(version: u64) -> RootSpec {
        RootSpec {
            version,
            expires: at() + SignedDuration::from_hours(365 * 24),
            networks: vec![NETWORK.into()],
            officers: publics(&["ann", "bob", "cyn"]),
            publishers: publics(&["board"]),
            root: of(2, &["ann", "bob", "cyn"]),
            targets: of(2, &["ann", "bob", "cyn"]),
            snapshot: of(1, &["board"]),
            timestamp: of(1, &["board"]),
            serial_floor: BTreeMap::new(),
        }
    }

    /// Who signs what.
    pub fn keys_spec() -> KeysSpec {
        let role = |threshold, names: &[&str], days: u64| RoleSigners {
            threshold,
            keys: names.iter().map(|name| (*name).to_owned()).collect(),
            expires_in_s: days * 24 * 3600,
        };
        let officers = ["dan", "eve", "fay"];
        KeysSpec {
            expires: at() + SignedDuration::from_hours(300 * 24),
            officers: publics(&["dan", "eve", "fay", "gus", "hal"]),
            roles: BTreeMap::from([
                (SigningRole::Roster, role(2, &officers, 200)),
                (SigningRole::Release, role(2, &officers, 200)),
                (SigningRole::Hotfix, role(2, &officers, 100)),
                (SigningRole::Drill, role(1, &["gus", "hal"], 100)),
                (SigningRole::Emergency, role(1, &["gus", "hal"], 100)),
                (SigningRole::Abort, role(1, &["gus", "hal"], 100)),
            ]),
        }
    }

    /// A board that holds the first root and nothing else.
    pub fn bare() -> Self {
        let draft = draft::freeze_root(&Self::root_spec(1), None, at()).expect("a first root");
        let root = Self::merged(&draft, None, &["ann", "bob"], at()).metadata;
        let board = Trust::pin(&root, &Digest::of(&root), NETWORK).expect("a good root");
        let publisher = Publisher::new(key("board"), key("board"));
        Self { board, publisher, root, now: at() }
    }

    /// A board with root, keys, a roster of four nodes and release `v2.4.4`.
    pub fn new() -> Self {
        let mut world = Self::bare();
        world.put(Document::Keys(Self::keys_spec()), &["ann", "bob"]);
        world.put(Document::Roster(super::roster(1)), &["dan", "eve"]);
        world.put(Document::Release(super::release("v2.4.4"), None), &["dan", "fay"]);
        world
    }

    /// The same with plans `hotfix/1`, `hotfix/2`.
    pub fn with_plans() -> Self {
        let mut world = Self::new();
        for serial in [1, 2] {
            world.put(Document::Plan(Box::new(super::plan(serial))), &["dan", "eve"]);
        }
        world
    }

    /// Somebody new: pinned to the first root, holding nothing else.
    pub fn newcomer(&self) -> Trust {
        Trust::pin(&self.root, &Digest::of(&self.root), NETWORK).expect("a good root")
    }

    /// Somebody who took all that the board has.
    pub fn agent(&self) -> Trust {
        let mut agent = self.newcomer();
        let taken = agent.take(&self.offer(), self.now);
        assert!(taken.refused.is_empty(), "{:?}", taken.refused);
        agent
    }

    /// Everything the board has.
    pub fn offer(&self) -> Offer {
        self.board.offer(0)
    }

    /// Freezes over the board.
    pub fn freeze(&self, document: &Document) -> Result<Draft, draft::DraftError> {
        let (board, now) = (&self.board, self.now);
        match document {
            Document::Root(spec) => draft::freeze_root(spec, Some(board), now),
            Document::Keys(spec) => draft::freeze_targets(spec, board, now),
            Document::Roster(roster) => draft::freeze_roster(roster, board, now),
            Document::Release(release, genesis) => {
                draft::freeze_release(release, genesis.clone(), board, now)
            }
            Document::Plan(plan) => draft::freeze_plan(plan, board, now),
            Document::Abort(abort) => draft::freeze_abort(abort, board, now),
        }
    }

    /// Each of `signers` verifies by himself and signs; somebody merges.
    pub fn merged(
        draft: &Draft,
        pinned: Option<&Trust>,
        signers: &[&str],
        now: Timestamp,
    ) -> Merged {
        let file = draft.to_bytes();
        let sign = |name: &&str| {
            let draft = Draft::from_bytes(&file).expect("the draft's own file");
            let checked = draft.verify(pinned, now).expect("an honest draft");
            checked.sign(&key(name)).expect("a signer of this role")
        };
        let signatures: Vec<_> = signers.iter().map(sign).collect();
        let checked = draft.verify(pinned, now).expect("an honest draft");
        checked.merge(&signatures).expect("good signatures")
    }

    /// Freezes, signs and merges; complete.
    pub fn publication(&self, document: Document, signers: &[&str]) -> Publication {
        let draft = self.freeze(&document).expect("it can be frozen");
        let merged = Self::merged(&draft, Some(&self.newcomer_or_board()), signers, self.now);
        merged.publication().expect("enough signatures").clone()
    }

    fn newcomer_or_board(&self) -> Trust {
        // Officers pinned the first root long ago and hold nothing else.
        self.newcomer()
    }

    /// The whole flow, from document to board. Returns what the board hands on.
    pub fn put(&mut self, document: Document, signers: &[&str]) -> Offer {
        self.now += SignedDuration::from_secs(5);
        let stamp = self.publisher.stamp(&self.board, self.now);
        if let Ok(stamp) = stamp {
            self.board.take(&stamp, self.now);
        }
        let publication = self.publication(document, signers);
        self.publish(&publication)
    }

    /// Hands a publication to the board. Returns what the board hands on.
    pub fn publish(&mut self, publication: &Publication) -> Offer {
        let offer = self.publisher.publish(&self.board, publication, self.now).expect("published");
        let taken = self.board.take(&offer, self.now);
        assert!(taken.advanced, "{:?}", taken.refused);
        offer
    }

    /// A fresh timestamp at the world's present.
    pub fn stamp(&mut self) -> Offer {
        let offer = self.publisher.stamp(&self.board, self.now).expect("a stamp");
        self.board.take(&offer, self.now);
        offer
    }

    /// Lets time pass and stamps.
    pub fn pass(&mut self, time: SignedDuration) -> Offer {
        self.now += time;
        self.stamp()
    }

    /// What a board sends whose publisher's keys were stolen, or who checks nothing: this metadata,
    /// properly pinned and stamped.
    pub fn force(&self, role: &str, metadata: &[u8], targets: &[(&str, &[u8])]) -> Offer {
        let mut offer = self.offer();
        let pins = |offer: &Offer| -> BTreeMap<String, Pin> {
            let pin = |(role, it): (&String, &Vec<u8>)| {
                (format!("{role}.json"), Pin::of(super::forge::version(it), it))
            };
            offer.roles.iter().map(pin).collect()
        };
        offer.roles.insert(role.into(), metadata.to_vec());
        for (path, content) in targets {
            offer.targets.insert((*path).into(), content.to_vec());
        }
        let meta = pins(&offer);
        self.pinning(offer, &meta)
    }

    /// `offer` under a new snapshot with exactly these pins, and a new timestamp.
    pub fn pinning(&self, mut offer: Offer, meta: &BTreeMap<String, Pin>) -> Offer {
        let version = u64::try_from(self.now.as_second()).expect("after 1970") + 1000;
        let expires = self.now + SignedDuration::from_mins(9);
        let publisher = &self.publisher;
        let snapshot =
            publisher.next_snapshot(&self.board, version, expires, meta).expect("a snapshot");
        let pin = Pin::of(version, &snapshot);
        let timestamp =
            publisher.next_timestamp(&self.board, version, expires, pin).expect("a timestamp");
        offer.snapshot = Some(snapshot);
        offer.timestamp = Some(timestamp);
        offer
    }

    /// Signed metadata with a signature of each of `signers`, whoever they are.
    pub fn signed_by(signed: &[u8], signers: &[&str]) -> Vec<u8> {
        let sign = |name: &&str| super::forge::signature(&key(name), signed);
        envelope(signed, &signers.iter().map(sign).collect::<Vec<_>>())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
