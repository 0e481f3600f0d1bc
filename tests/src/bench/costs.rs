//! What one of each costs: a journal record, a verification.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use muster_agent::journal::{Effect, Fact, Identity, Journal, Milestone, Record, StoredPlan};
use muster_controller::config::Config;
use muster_controller::init;
use muster_controller::serve::Running;
use muster_proto::documents::roster::{Consensus, Node, Role, Roster};
use muster_proto::documents::{Class, Digest, PlanId};
use muster_proto::evidence::receipt::Event;
use muster_proto::evidence::{Envelope, Receipt};
use muster_proto::trust::keys::SecretKey;
use muster_proto::trust::{Offer, Trust};
use tokio::sync::oneshot;

use crate::fleet::board::Address;
use crate::fleet::officers::Officers;
use crate::node::key;

const NETWORK: &str = "bench";

/// The middle one of many.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    times.push(begin.elapsed());
    done
}

/// Durable writes of an agent's journal.
#[derive(Debug, Clone, Copy)]
pub struct JournalCost {
    /// One record.
    pub record: Duration,
    /// One record and its receipt, signed, in one transaction.
    pub with_receipt: Duration,
    /// A file of the same size, written and synced: what the disk itself takes.
    pub disk: Duration,
}

/// Writes `count` of each into a journal in the folder `dir`.
///
/// # Errors
/// When the journal refuses.
pub fn journal(dir: &Path, count: usize) -> Result<JournalCost> {
    let key = SecretKey::generate();
    let identity = Identity { network: NETWORK.into(), node: "node-1".parse()?, key: key.public() };
    let seal = move |receipt: &Receipt| Ok(Envelope::sign(receipt, key.signing_key())?);
    let journal = Journal::open(dir, identity, Arc::new(seal))?;
    let id = PlanId { class: Class::Hotfix, serial: 1, digest: Digest::of(b"plan") };
    journal.open_plan(&StoredPlan { id: id.clone(), plan: b"plan".into(), release: None })?;
    let acknowledged = Record::Milestone(Milestone::Acknowledged { in_hand: None });
    journal.record(&id, &[acknowledged], None)?;
    let (mut plain, mut sealed, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    let pulled = Fact::Pulled { image: Digest::of(b"image") };
    for _ in 0..count {
        let (intent, fact) = (Record::Intent(Effect::Pull), Record::Fact(pulled.clone()));
        timed(&mut plain, || journal.record(&id, &[intent], None))?;
        timed(&mut sealed, || journal.record(&id, &[fact], Some(Event::Prepared)))?;
    }
    let path = dir.join("probe");
    let mut file = std::fs::File::create(&path)?;
    for _ in 0..count {
        timed(&mut disk, || -> std::io::Result<()> {
            std::io::Write::write_all(&mut file, &[0; 4_096])?;
            file.sync_data()
        })?;
    }
    let [record, with_receipt, disk] = [plain, sealed, disk].map(median);
    Ok(JournalCost { record, with_receipt, disk })
}

/// Checks one receipt `count` times: envelope, signature, canonical form.
///
/// # Errors
/// When it does not verify.
pub fn receipt(count: usize) -> Result<Duration> {
    let key = SecretKey::generate();
    let receipt = Receipt {
        muster: "receipt/v1".into(),
        network: NETWORK.into(),
        node: "node-1".parse()?,
        counter: 1,
        previous: None,
        at: Timestamp::now(),
        plan: PlanId { class: Class::Hotfix, serial: 1, digest: Digest::of(b"plan") },
        event: Event::Prepared,
    };
    let bytes = Envelope::sign(&receipt, key.signing_key())?.to_bytes::<Receipt>();
    let mut times = Vec::new();
    for _ in 0..count {
        let opened = timed(&mut times, || {
            Envelope::parse::<Receipt>(&bytes)?.open::<Receipt>(&key.public())
        })?;
        ensure!(opened == receipt, "another receipt");
    }
    Ok(median(times))
}

/// A whole bulletin, as an agent takes it that holds nothing but the first root.
#[derive(Debug, Clone, Copy)]
pub struct BulletinCost {
    /// Every signature, every digest, every document.
    pub verification: Duration,
    /// Size of what was verified, in bytes.
    pub bytes: usize,
}

/// Verifies `count` times what a board carries with `nodes` nodes and one plan for all of them.
///
/// # Errors
/// When the board does not come up, or what it carries does not verify.
pub async fn bulletin(nodes: u8, count: usize) -> Result<BulletinCost> {
    let dir = tempfile::tempdir()?;
    let made = init::init(dir.path(), NETWORK, "127.0.0.1:0")?;
    let mut officers = Officers::new(NETWORK, (made.snapshot_key, made.timestamp_key))?;
    let (root, digest) = officers.first_root();
    let (root, desk) = (root.to_vec(), officers.desk_key());
    std::fs::write(dir.path().join("1.root.json"), &root)?;
    let people = format!(
        "people:\n  - {{name: alice, key: \"{desk}\", rights: [watch, publish]}}\n\
         root: {{file: 1.root.json, sha256: \"{digest}\"}}\n"
    );
    let text = std::fs::read_to_string(&made.config)?.replace("people: []\n", &people);
    std::fs::write(&made.config, text)?;
    let board = Running::start(Config::read(&made.config)?, &made.config).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let address = Address { addr: board.addr().to_string(), pin: made.tls_pin };
    let ended = tokio::spawn(board.until(async move { drop(stopped.await) }));
    officers.attach(&address).await?;
    officers.publish_keys().await?;
    officers.publish_roster(&roster(nodes)?).await?;
    officers.publish_plan(&plan()).await?;
    let offer = officers.trust.offer(0);
    drop(stop);
    ended.await??;
    let mut times = Vec::new();
    for _ in 0..count {
        let mut trust = Trust::pin(&root, &digest, NETWORK)?;
        let taken = timed(&mut times, || trust.take(&offer, Timestamp::now()));
        ensure!(taken.refused.is_empty(), "refused: {:?}", taken.refused);
        ensure!(trust.plans().len() == 1, "no plan");
    }
    Ok(BulletinCost { verification: median(times), bytes: size(&offer) })
}

fn size(offer: &Offer) -> usize {
    let of = |all: &mut dyn Iterator<Item = &Vec<u8>>| all.map(Vec::len).sum::<usize>();
    of(&mut offer.roots.iter())
        + of(&mut offer.timestamp.iter().chain(&offer.snapshot))
        + of(&mut offer.roles.values().chain(offer.targets.values()))
}

fn roster(nodes: u8) -> Result<Roster> {
    let node = |n: u8| -> Result<Node> {
        let operator = key::operator_address(&key::test_key(u64::from(n)));
        Ok(Node {
            name: format!("node-{n:03}").parse()?,
            operator: operator.context("the key of a test")?.parse()?,
            key: Some(SecretKey::generate().public()),
            endpoint: ([10, 0, 0, n], 8_080).into(),
            contact: "on call".into(),
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
        version: 1,
        issued: Timestamp::from_second(Timestamp::now().as_second())?,
        consensus: Consensus { active: u32::from(nodes) },
        nodes: (1..=nodes).map(node).collect::<Result<_>>()?,
    })
}

/// Stops everybody.
fn plan() -> String {
    let now = Timestamp::now().as_second();
    let at = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let from = at(now - 60);
    let until = from + SignedDuration::from_hours(4);
    format!(
        "\
muster: plan/v1
network: {NETWORK}
serial: 1
title: stop everybody
class: hotfix
valid: {{from: {from}, until: {until}}}
action: stop
order:
  - {{wave: all, select: {{role: consensus-delegate}}, by: name}}
budget: all
"
    )
}
