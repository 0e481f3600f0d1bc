//! Three officers who sign in this process: the same drafts and checks as `muster`, without
//! its passphrases. The command line itself has tests and the demo of its own.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::author::{self, Known};
use muster_proto::documents::ids::Counter;
use muster_proto::documents::keys::{KeysSpec, RoleSigners, RootSpec, Signers, SigningRole};
use muster_proto::documents::{Abort, Digest, Plan, PublicKey, Release, Roster};
use muster_proto::tls::{self, Identity};
use muster_proto::trust::draft::{self, Draft};
use muster_proto::trust::keys::SecretKey;
use muster_proto::trust::{Offer, Publication, Trust};
use muster_proto::wire::limits;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::desk_client::DeskClient;
use muster_proto::wire::muster::{FollowRequest, PublishReply, PublishRequest};
use tonic::transport::Channel;

use super::board::Address;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Two of three sign everything; one is enough for an emergency.
pub struct Officers {
    network: String,
    keys: Vec<SecretKey>,
    desk_key: SecretKey,
    /// What they have verified; each publication begins with the newest board.
    pub trust: Trust,
    first_root: Vec<u8>,
    desk: Option<DeskClient<Channel>>,
}

impl Officers {
    /// Holds the root ceremony.
    ///
    /// # Errors
    /// When a draft is refused.
    pub fn new(network: &str, publishers: (PublicKey, PublicKey)) -> Result<Self> {
        let keys: Vec<_> = NAMES.iter().map(|_| SecretKey::generate()).collect();
        let people = people(&keys);
        let two = || Signers { threshold: 2, keys: NAMES.map(String::from).into() };
        let one = |name: &str| Signers { threshold: 1, keys: vec![name.into()] };
        let publishers =
            BTreeMap::from([("snapshot".into(), publishers.0), ("timestamp".into(), publishers.1)]);
        let spec = RootSpec {
            version: 1,
            expires: days_from_now(365),
            networks: vec![network.into()],
            officers: people,
            publishers,
            root: two(),
            targets: two(),
            snapshot: one("snapshot"),
            timestamp: one("timestamp"),
            serial_floor: BTreeMap::new(),
        };
        let draft = draft::freeze_root(&spec, None, Timestamp::now())?;
        let checked = draft.verify(None, Timestamp::now())?;
        let signatures: Vec<_> =
            keys[..2].iter().map(|key| checked.sign(key)).collect::<Result<_, _>>()?;
        let first_root = checked.merge(&signatures)?.metadata;
        let trust = Trust::pin(&first_root, &Digest::of(&first_root), network)?;
        let desk_key = SecretKey::generate();
        Ok(Self { network: network.into(), keys, desk_key, trust, first_root, desk: None })
    }

    /// The first root, and what everybody pins.
    pub fn first_root(&self) -> (&[u8], Digest) {
        (&self.first_root, Digest::of(&self.first_root))
    }

    /// The key of their TLS connection.
    pub fn desk_key(&self) -> PublicKey {
        self.desk_key.public()
    }

    /// Connects to a board and hands in the keys of all roles.
    ///
    /// # Errors
    /// When the board cannot be reached or refuses.
    pub async fn attach(&mut self, board: &Address) -> Result<()> {
        let identity = Identity::from_key(&self.desk_key)?;
        let channel = tls::connect(&board.addr, &identity, &board.pin).await?;
        let desk = DeskClient::new(channel)
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .max_encoding_message_size(limits::MESSAGE_BYTES);
        self.desk = Some(desk);
        Ok(())
    }

    /// Hands in the keys of all roles.
    ///
    /// # Errors
    /// When the board refuses.
    pub async fn publish_keys(&mut self) -> Result<PublishReply> {
        let role = |threshold| RoleSigners {
            threshold,
            keys: NAMES.map(String::from).into(),
            expires_in_s: 90 * 24 * 3600,
        };
        let threshold =
            |name| if [SigningRole::Emergency, SigningRole::Abort].contains(&name) { 1 } else { 2 };
        let roles = SigningRole::ALL.map(|name| (name, role(threshold(name)))).into();
        let officers = people(&self.keys);
        let spec = KeysSpec { expires: days_from_now(180), officers, roles };
        self.refresh().await?;
        let draft = draft::freeze_targets(&spec, &self.trust, Timestamp::now())?;
        self.publish(&draft).await
    }

    /// Hands in a roster.
    ///
    /// # Errors
    /// When the board refuses.
    pub async fn publish_roster(&mut self, roster: &Roster) -> Result<PublishReply> {
        self.refresh().await?;
        let draft = draft::freeze_roster(roster, &self.trust, Timestamp::now())?;
        self.publish(&draft).await
    }

    /// Hands in a release.
    ///
    /// # Errors
    /// When the board refuses.
    pub async fn publish_release(
        &mut self,
        release: &Release,
        genesis: Option<Vec<u8>>,
    ) -> Result<PublishReply> {
        self.refresh().await?;
        let draft = draft::freeze_release(release, genesis, &self.trust, Timestamp::now())?;
        self.publish(&draft).await
    }

    /// Reads, lints, freezes and hands in a plan.
    ///
    /// # Errors
    /// When lint or the board refuses.
    pub async fn publish_plan(&mut self, yaml: &str) -> Result<(Plan, PublishReply)> {
        self.refresh().await?;
        let plan = self.freeze(yaml)?;
        let draft = draft::freeze_plan(&plan, &self.trust, Timestamp::now())?;
        Ok((plan, self.publish(&draft).await?))
    }

    /// Lints and freezes against what is verified; refresh first.
    ///
    /// # Errors
    /// When lint refuses.
    pub fn freeze(&self, yaml: &str) -> Result<Plan> {
        let roster = self.trust.roster().context("no roster is published")?.clone();
        let mut known = Known::new(roster, self.trust.now(Timestamp::now()));
        known.releases =
            self.trust.releases().map(|(version, it)| (version.into(), it.clone())).collect();
        known.plans = self.trust.plans().clone();
        for counter in [Counter::Ordinary, Counter::Emergency] {
            if let Some(floor) = self.trust.serial_floor(counter) {
                known.floors.insert(counter, floor);
            }
        }
        known.expiries = self.trust.expiries();
        let parsed = author::read::<author::PlanYaml>("plan.yaml", yaml)
            .map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        let frozen =
            author::freeze(&parsed, &known).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        Ok(frozen.plan)
    }

    /// Aborts a plan, with one signature.
    ///
    /// # Errors
    /// When no such plan is on the board, or the board refuses.
    pub async fn abort(&mut self, serial: u64, reason: &str) -> Result<PublishReply> {
        self.refresh().await?;
        let plans = self.trust.plans();
        let (id, plan) =
            plans.iter().find(|(id, _)| id.serial == serial).context("no such plan")?;
        let now = Timestamp::from_second(Timestamp::now().as_second())?;
        let abort = Abort::of(id, plan, now.max(self.trust.floor()), reason);
        let draft = draft::freeze_abort(&abort, &self.trust, self.trust.now(Timestamp::now()))?;
        let publication = self.signed(&draft, 1)?;
        let reply = self.hand_in(publication).await?;
        self.refresh().await?;
        Ok(reply)
    }

    /// The draft of a plan with everybody's signatures, not handed in.
    ///
    /// # Errors
    /// When the draft is refused.
    pub fn signed(&self, draft: &Draft, signers: usize) -> Result<Publication> {
        let checked = draft.verify(Some(&self.trust), Timestamp::now())?;
        let signatures: Vec<_> =
            self.keys[..signers].iter().map(|key| checked.sign(key)).collect::<Result<_, _>>()?;
        let merged = checked.merge(&signatures)?;
        let missing = merged.missing();
        Ok(merged
            .publication()
            .with_context(|| format!("signatures missing: {missing:?}"))?
            .clone())
    }

    /// Hands in anything, also what should be refused.
    ///
    /// # Errors
    /// The board's refusal.
    pub async fn hand_in(&mut self, publication: Publication) -> Result<PublishReply> {
        let desk = self.desk.as_mut().context("not attached to a board")?;
        let reply = desk.publish(PublishRequest::from(publication)).await;
        Ok(reply.map_err(|status| anyhow::anyhow!("{}", status.message()))?.into_inner())
    }

    /// Hands everything that they hold to a board without a publisher's keys, with the online
    /// signatures over it.
    ///
    /// # Errors
    /// The board's refusal.
    pub async fn pass_on(&mut self) -> Result<()> {
        let held = self.trust.offer(u64::MAX);
        let of = |path: &String, role: &str| path.split('/').next() == Some(role);
        // `targets` first: it names the keys of the others.
        let (top, others): (Vec<_>, Vec<_>) =
            held.roles.iter().partition(|(role, _)| *role == "targets");
        for (role, metadata) in top.into_iter().chain(others) {
            let targets = held.targets.iter().filter(|(path, _)| of(path, role));
            let targets = targets.map(|(path, content)| (path.clone(), content.clone())).collect();
            let publication =
                Publication { role: role.clone(), metadata: metadata.clone(), targets };
            let request = PublishRequest {
                snapshot: held.snapshot.clone().unwrap_or_default(),
                timestamp: held.timestamp.clone().unwrap_or_default(),
                ..PublishRequest::from(publication)
            };
            let reply = self.desk()?.publish(request).await;
            reply.map_err(|status| anyhow::anyhow!("{role}: {}", status.message()))?;
        }
        Ok(())
    }

    async fn publish(&mut self, draft: &Draft) -> Result<PublishReply> {
        let publication = self.signed(draft, 2)?;
        let reply = self.hand_in(publication).await?;
        self.refresh().await?;
        Ok(reply)
    }

    /// The desk they are attached to.
    ///
    /// # Errors
    /// Before [`Officers::attach`].
    pub fn desk(&mut self) -> Result<&mut DeskClient<Channel>> {
        self.desk.as_mut().context("not attached to a board")
    }

    /// Takes the newest board.
    ///
    /// # Errors
    /// When the board cannot be reached, or something on it is refused.
    pub async fn refresh(&mut self) -> Result<()> {
        let desk = self.desk.as_mut().context("not attached to a board")?;
        let network = self.network.clone();
        let request = FollowRequest { network, root_version: 0, once: true };
        let mut stream = desk.follow(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            match message.message {
                Some(Message::Bulletin(bulletin)) => {
                    let taken = self.trust.take(&Offer::from(bulletin), Timestamp::now());
                    ensure!(taken.refused.is_empty(), "refused: {:?}", taken.refused);
                }
                Some(Message::CaughtUp(_)) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }
}

fn people(keys: &[SecretKey]) -> BTreeMap<String, PublicKey> {
    NAMES.iter().zip(keys).map(|(name, key)| ((*name).to_owned(), key.public())).collect()
}

fn days_from_now(days: i64) -> Timestamp {
    let then = Timestamp::now() + SignedDuration::from_hours(24 * days);
    Timestamp::from_second(then.as_second()).expect("a second of this century")
}
