//! Documents as a thief of some keys would make them, over the world of `controller/world.rs`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_controller::keys;
use muster_proto::documents::canonical;
use muster_proto::trust::draft::DetachedSig;
use muster_proto::trust::keys::key_id;
use muster_proto::trust::metadata::{FileInfo, Pin, envelope};
use muster_proto::trust::{Offer, Publication, Publisher};
use serde_json::{Value, json};

use crate::world::{ALICE, BOB, NETWORK, WES, World, key};

/// One way to cheat with a signed plan, and the code that every reader refuses it by.
pub(crate) struct Forgery {
    pub(crate) name: &'static str,
    pub(crate) publication: Publication,
    pub(crate) code: &'static str,
}

/// `good`, a plan that is signed as it should be, spoilt in every way that leaves no trace of
/// what came before. Thieves hold the keys of all its signers where that is not the very cheat.
pub(crate) fn forgeries(good: &Publication) -> Vec<Forgery> {
    let with = |metadata| Publication { metadata, ..good.clone() };
    let both = [ALICE, BOB];
    let mut tampered = good.clone();
    tampered.targets.values_mut().for_each(|it| *it = renamed(it, "stop bob-1", "stop ann-1"));
    let elsewhere = good.targets.values().next().expect("a plan");
    let elsewhere = renamed(elsewhere, r#""network":"testnet""#, r#""network":"mainnet""#);
    let own = good.targets.keys().next().expect("a path").clone();
    let foreign = format!("roster/{NETWORK}/roster.json");
    let expired = resigned(&good.metadata, &both, |signed| {
        signed["expires"] = json!("2026-01-01T00:00:00Z");
    });
    let forgery = |name, publication, code| Forgery { name, publication, code };
    vec![
        forgery("tampered content", tampered, "T007"),
        forgery(
            "tampered metadata",
            with(renamed(&good.metadata, "\"version\":", "\"version\":1")),
            "T003",
        ),
        forgery("expired", with(expired), "T004"),
        forgery("under-signed", with(resigned(&good.metadata, &[ALICE], |_| {})), "T003"),
        forgery(
            "signed by who has no say",
            with(resigned(&good.metadata, &[ALICE, WES], |_| {})),
            "T003",
        ),
        forgery("wrong network", listing(good, &own, elsewhere.clone()), "T018"),
        forgery("wrong role", listing(good, &foreign, elsewhere), "T017"),
    ]
}

/// The role's metadata with one file in its list, signed by all its keys.
fn listing(good: &Publication, path: &str, content: Vec<u8>) -> Publication {
    let metadata = resigned(&good.metadata, &[ALICE, BOB], |signed| {
        signed["targets"] = json!({ path: FileInfo::of(&content) });
    });
    let targets = BTreeMap::from([(path.to_owned(), content)]);
    Publication { metadata, targets, ..good.clone() }
}

fn renamed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    assert!(text.contains(from), "{from} in {text}");
    text.replacen(from, to, 1).into_bytes()
}

/// The signed part of metadata, changed, with a signature of each of `seeds`.
pub(crate) fn resigned(metadata: &[u8], seeds: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let metadata: Value = serde_json::from_slice(metadata).expect("metadata");
    let mut signed = metadata["signed"].clone();
    change(&mut signed);
    let signed = canonical::to_bytes(&signed).expect("a canonical form");
    let sign = |seed: &u8| {
        let key = key(*seed);
        DetachedSig { keyid: key_id(&key.public()), sig: hex::encode(key.sign(&signed)) }
    };
    envelope(&signed, &seeds.iter().map(sign).collect::<Vec<_>>())
}

/// What a stolen controller hands out: `offer` with `forged` in it, pinned and stamped with the
/// board's own online keys.
pub(crate) fn stamped(world: &World, mut offer: Offer, forged: &Publication) -> Offer {
    offer.roles.insert(forged.role.clone(), forged.metadata.clone());
    // What the board has by right stays: a forgery comes beside it.
    for (path, content) in &forged.targets {
        offer.targets.entry(path.clone()).or_insert_with(|| content.clone());
    }
    let version = |metadata: &[u8]| {
        let metadata: Value = serde_json::from_slice(metadata).expect("metadata");
        metadata["signed"]["version"].as_u64().expect("a version")
    };
    let pin = |(role, it): (&String, &Vec<u8>)| (format!("{role}.json"), Pin::of(version(it), it));
    let pins = offer.roles.iter().map(pin).collect();
    let (publisher, trust, now) = (publisher(world), world.trust(), Timestamp::now());
    // Later than anything that the honest board has stamped.
    let version = u64::try_from(now.as_second()).expect("after 1970") + 1000;
    let expires = now + SignedDuration::from_mins(9);
    let snapshot = publisher.next_snapshot(&trust, version, expires, &pins).expect("a snapshot");
    let pin = Pin::of(version, &snapshot);
    let timestamp = publisher.next_timestamp(&trust, version, expires, pin).expect("a timestamp");
    Offer { snapshot: Some(snapshot), timestamp: Some(timestamp), ..offer }
}

fn publisher(world: &World) -> Publisher {
    let config = world.config().publisher.expect("a board with keys");
    let read = |path| keys::read(path).expect("a key");
    Publisher::new(read(&config.snapshot_key), read(&config.timestamp_key))
}
