use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::documents::ids::OperatorAddress;
use crate::documents::plan::Member;
use crate::documents::roster::{Consensus, Node, Role};
use crate::documents::{Class, Digest};
use crate::evidence::Event;
use crate::evidence::beacon::Health;
use crate::rule::Final;
use crate::rule::facts::RECENT;

const NET: &str = "testnet";

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a date")
}

fn name(text: &str) -> NodeName {
    text.parse().expect("a node name")
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    key.verifying_key().to_bytes().try_into().expect("a strong key")
}

fn plan_id(serial: u64) -> PlanId {
    PlanId { class: Class::Hotfix, serial, digest: Digest::of(&serial.to_be_bytes()) }
}

fn plan(serial: u64, members: Vec<Member>) -> Plan {
    let json = serde_json::json!({
        "muster": "plan/v1", "network": NET, "class": "hotfix", "serial": serial, "title": "",
        "urgency": "routine", "issued": t(0), "valid": {"from": t(0), "until": t(9)},
        "action": "restart", "compatibility": "compatible", "members": members, "active": 4,
        "waves": [], "budget": {"seats": 1}, "parallel": 1, "unmanaged": "away",
        "failures": {"tolerate": 0, "then": "hold"},
        "beacon": {"every_ms": 2000, "stale_ms": 10000, "skew_ms": 5000}, "absent_after_ms": 60000,
        "health": {"boot_ms": 1, "ready_ms": 1, "advance_blocks": 1, "lag_blocks": 1, "peers": 1,
                   "hold_ms": 1},
        "deadline": {"per_node_ms": 1}, "drill": "no",
    });
    serde_json::from_value(json).expect("a plan")
}

fn operator(seed: u8) -> OperatorAddress {
    let hrp = bech32::Hrp::parse("io").expect("a prefix");
    let text = bech32::encode::<bech32::Bech32>(hrp, &[seed; 20]).expect("20 bytes");
    text.parse().expect("an address")
}

fn roster(keys: &[(&str, u8)]) -> Roster {
    let node = |(node, seed): &(&str, u8)| Node {
        name: name(node),
        operator: operator(*seed),
        key: Some(public(&key(*seed))),
        endpoint: "127.0.0.1:8080".parse().expect("an endpoint"),
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
        issued: t(0),
        consensus: Consensus { active: 4 },
        nodes: keys.iter().map(node).collect(),
    }
}

fn book() -> Book {
    let mut book = Book::new(NET);
    book.admit(&roster(&[("alpha", 1), ("beta", 2)]), &BTreeMap::new());
    book
}

/// Writes one node's chain.
struct Writer {
    node: &'static str,
    key: SigningKey,
    previous: Option<Digest>,
    counter: u64,
}

impl Writer {
    fn new(node: &'static str, seed: u8) -> Self {
        Self { node, key: key(seed), previous: None, counter: 0 }
    }

    fn receipt(&self, counter: u64, serial: u64, event: Event) -> Receipt {
        Receipt {
            muster: "receipt/v1".into(),
            network: NET.into(),
            node: name(self.node),
            counter,
            previous: self.previous.clone(),
            at: t(counter as i64),
            plan: plan_id(serial),
            event,
        }
    }

    fn signed(&self, receipt: &Receipt) -> Vec<u8> {
        Envelope::sign(receipt, &self.key).expect("canonical").to_bytes::<Receipt>()
    }

    fn write(&mut self, serial: u64, event: Event) -> Vec<u8> {
        self.counter += 1;
        let envelope = Envelope::sign(&self.receipt(self.counter, serial, event), &self.key);
        let envelope = envelope.expect("canonical");
        self.previous = Some(Digest::of(envelope.payload()));
        envelope.to_bytes::<Receipt>()
    }

    fn acknowledged(&mut self) -> Vec<u8> {
        self.write(1, Event::Acknowledged { in_hand: None })
    }

    fn head(&self) -> Option<Head> {
        Some(Head { counter: self.counter, hash: self.previous.clone()? })
    }

    fn beacon(&self, counter: u64) -> Beacon {
        Beacon {
            muster: "beacon/v1".into(),
            network: NET.into(),
            node: name(self.node),
            counter,
            at: t(counter as i64),
            health: Health { running: true, height: Some(100 + counter), ..Health::default() },
            head: self.head(),
            newest: BTreeMap::new(),
            doing: Vec::new(),
            emergency: None,
        }
    }

    fn sign(&self, beacon: &Beacon) -> Vec<u8> {
        Envelope::sign(beacon, &self.key).expect("canonical").to_bytes::<Beacon>()
    }
}

fn quarantined(book: &Book) -> Vec<String> {
    book.quarantined().map(|(node, _)| node.to_string()).collect()
}

fn code(error: &BookError) -> String {
    error.to_string()[..4].to_owned()
}

#[test]
fn receipts_in_order_fold_into_the_facts_of_their_plan() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    assert_eq!(book.receipt(&alpha.acknowledged()).expect("taken"), Added::New);
    book.receipt(&alpha.write(1, Event::Prepared)).expect("taken");
    let declined = alpha.write(2, Event::Declined { reason: "no".into() });
    book.receipt(&declined).expect("taken");
    assert_eq!(book.receipt(&declined).expect("taken"), Added::Known);
    let facts = &book.evidence().nodes[&name("alpha")];
    assert_eq!(facts.plans[&plan_id(1)].prepared, Some(t(2)));
    assert_eq!(facts.plans[&plan_id(1)].outcome, None);
    assert_eq!(facts.plans[&plan_id(2)].outcome, Some((Final::Declined, t(3))));
    assert_eq!(facts.head, alpha.head());
    assert_eq!(book.head(&name("alpha")), alpha.head());
    assert_eq!(book.envelopes(&name("alpha"), 2).collect::<Vec<_>>(), [declined]);
}

#[test]
fn a_receipt_beyond_a_gap_waits_for_the_ones_between() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let (first, second) = (alpha.acknowledged(), alpha.write(1, Event::Prepared));
    let gap = book.receipt(&second).expect_err("a gap");
    assert_eq!(code(&gap), "V011");
    assert!(quarantined(&book).is_empty());
    book.receipt(&first).expect("taken");
    book.receipt(&second).expect("taken");
}

#[test]
fn two_receipts_with_one_counter_quarantine_until_a_new_key() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let other = alpha.signed(&alpha.receipt(1, 1, Event::Asked));
    let first = alpha.acknowledged();
    book.receipt(&first).expect("taken");
    assert_eq!(code(&book.receipt(&other).expect_err("a double")), "V013");
    assert!(book.evidence().nodes[&name("alpha")].quarantined);
    let proofs: Vec<_> = book.quarantined().map(|(_, proof)| proof.clone()).collect();
    assert_eq!(proofs, [Proof { first, second: other }]);
    let next = alpha.write(1, Event::Prepared);
    assert_eq!(code(&book.receipt(&next).expect_err("quarantined")), "V024");
    let beacon = alpha.sign(&alpha.beacon(1));
    assert_eq!(code(&book.beacon(&beacon, t(1)).expect_err("quarantined")), "V024");

    book.admit(&roster(&[("alpha", 1), ("beta", 2)]), &BTreeMap::new());
    assert_eq!(quarantined(&book), ["alpha"], "the same key stays quarantined");
    book.admit(&roster(&[("alpha", 9), ("beta", 2)]), &BTreeMap::new());
    assert!(quarantined(&book).is_empty(), "a new key is a new chain");
    assert_eq!(book.evidence().nodes[&name("alpha")].head, None);
}

#[test]
fn a_link_after_another_predecessor_is_proof_too() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let mut twin = Writer::new("alpha", 1);
    book.receipt(&alpha.acknowledged()).expect("taken");
    twin.write(1, Event::Asked);
    let broken = book.receipt(&twin.write(1, Event::Prepared)).expect_err("another chain");
    assert_eq!(code(&broken), "V012");
    assert_eq!(quarantined(&book), ["alpha"]);
}

#[test]
fn a_link_that_follows_nothing_is_refused_and_proves_nothing() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    book.receipt(&alpha.acknowledged()).expect("taken");
    let lost = Receipt { previous: None, ..alpha.receipt(2, 1, Event::Prepared) };
    assert_eq!(code(&book.receipt(&alpha.signed(&lost)).expect_err("no link")), "V012");
    assert!(quarantined(&book).is_empty());
}

#[test]
fn only_the_beacon_with_the_highest_counter_is_kept() {
    let (mut book, alpha) = (book(), Writer::new("alpha", 1));
    let (old, new) = (alpha.sign(&alpha.beacon(1)), alpha.sign(&alpha.beacon(2)));
    assert!(book.beacon(&new, t(5)).expect("taken"));
    assert!(!book.beacon(&old, t(6)).expect("known better"));
    assert!(!book.beacon(&new, t(6)).expect("known"));
    assert_eq!(book.beacon_envelope(&name("alpha")), Some(new));
    assert_eq!(book.heard(&name("alpha")), Some(t(5)));
    assert!(quarantined(&book).is_empty());
}

#[test]
fn two_beacons_with_one_counter_quarantine() {
    let (mut book, alpha) = (book(), Writer::new("alpha", 1));
    let other = Beacon { at: t(77), ..alpha.beacon(1) };
    book.beacon(&alpha.sign(&alpha.beacon(1)), t(1)).expect("taken");
    assert_eq!(code(&book.beacon(&alpha.sign(&other), t(1)).expect_err("a double")), "V025");
    assert_eq!(quarantined(&book), ["alpha"]);
}

#[test]
fn a_beacon_whose_head_is_not_the_chains_quarantines_whichever_comes_first() {
    let mut alpha = Writer::new("alpha", 1);
    let first = alpha.acknowledged();
    let hash = Digest::of(b"another receipt");
    let liar = Beacon { head: Some(Head { counter: 1, hash }), ..alpha.beacon(1) };
    let (mut before, mut after) = (book(), book());
    before.beacon(&alpha.sign(&liar), t(1)).expect("nothing is known against it");
    assert_eq!(code(&before.receipt(&first).expect_err("another hash")), "V025");
    after.receipt(&first).expect("taken");
    assert_eq!(code(&after.beacon(&alpha.sign(&liar), t(1)).expect_err("another hash")), "V025");
    assert_eq!(
        (quarantined(&before), quarantined(&after)),
        (vec!["alpha".into()], vec!["alpha".into()])
    );
}

#[test]
fn a_head_that_nobody_has_seen_shows_that_receipts_are_withheld() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let first = alpha.acknowledged();
    book.beacon(&alpha.sign(&alpha.beacon(1)), t(1)).expect("taken");
    assert!(book.withheld(&name("alpha")));
    book.receipt(&first).expect("taken");
    assert!(!book.withheld(&name("alpha")) && !book.withheld(&name("beta")));
}

#[test]
fn a_proof_found_by_another_is_taken_when_it_holds() {
    let mut alpha = Writer::new("alpha", 1);
    let second = alpha.signed(&alpha.receipt(1, 1, Event::Asked));
    let proof = Proof { first: alpha.acknowledged(), second };
    let mut book = book();
    let same = Proof { first: proof.first.clone(), second: proof.first.clone() };
    assert_eq!(code(&book.proof(&name("alpha"), same).expect_err("no proof")), "V026");
    assert_eq!(code(&book.proof(&name("beta"), proof.clone()).expect_err("not his")), "V026");
    assert!(book.proof(&name("alpha"), proof.clone()).expect("it holds"));
    assert!(!book.proof(&name("alpha"), proof).expect("known"));
    assert_eq!(quarantined(&book), ["alpha"]);
}

#[test]
fn what_a_removed_node_or_an_old_key_said_no_longer_counts() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let first = alpha.acknowledged();
    book.receipt(&first).expect("taken");
    book.beacon(&alpha.sign(&alpha.beacon(1)), t(1)).expect("taken");
    book.admit(&roster(&[("alpha", 7), ("beta", 2)]), &BTreeMap::new());
    let facts = &book.evidence().nodes[&name("alpha")];
    assert!(facts.plans.is_empty() && facts.beacon.is_none() && facts.recent.is_empty());
    assert_eq!(code(&book.receipt(&first).expect_err("old key")), "V002");
    book.admit(&roster(&[("beta", 2)]), &BTreeMap::new());
    assert!(!book.evidence().nodes.contains_key(&name("alpha")));
    assert_eq!(code(&book.receipt(&first).expect_err("not listed")), "V021");
    assert_eq!(code(&book.beacon(&alpha.sign(&alpha.beacon(2)), t(1)).expect_err("no")), "V021");
}

#[test]
fn evidence_of_other_networks_versions_and_sizes_is_refused() {
    let (mut book, alpha) = (book(), Writer::new("alpha", 1));
    let receipt = alpha.receipt(1, 1, Event::Asked);
    let elsewhere = Receipt { network: "mainnet".into(), ..receipt.clone() };
    assert_eq!(code(&book.receipt(&alpha.signed(&elsewhere)).expect_err("no")), "V010");
    let newer = Receipt { muster: "receipt/v2".into(), ..receipt.clone() };
    assert_eq!(code(&book.receipt(&alpha.signed(&newer)).expect_err("no")), "V023");
    let elsewhere = Beacon { network: "mainnet".into(), ..alpha.beacon(1) };
    assert_eq!(code(&book.beacon(&alpha.sign(&elsewhere), t(1)).expect_err("no")), "V022");
    let newer = Beacon { muster: "beacon/v2".into(), ..alpha.beacon(1) };
    assert_eq!(code(&book.beacon(&alpha.sign(&newer), t(1)).expect_err("no")), "V023");
    let large = vec![b' '; limits::EVIDENCE_BYTES + 1];
    assert_eq!(code(&book.receipt(&large).expect_err("no")), "V020");
    assert_eq!(code(&book.beacon(&large, t(1)).expect_err("no")), "V020");
    let beacon = alpha.sign(&alpha.beacon(1));
    assert_eq!(code(&book.receipt(&beacon).expect_err("no receipt")), "V001");
    assert_eq!(book.head(&name("alpha")), None);
}

#[test]
fn signed_nonsense_is_refused() {
    let (mut book, alpha) = (book(), Writer::new("alpha", 1));
    let spaced = serde_json::to_vec_pretty(&alpha.receipt(1, 1, Event::Asked)).expect("JSON");
    for (payload, refusal) in [(spaced, "V004"), (b"{}".to_vec(), "V003")] {
        let bytes = Envelope::raw::<Receipt>(payload, &alpha.key).to_bytes::<Receipt>();
        assert_eq!(code(&book.receipt(&bytes).expect_err("nonsense")), refusal);
    }
}

#[test]
fn a_receipt_of_a_plan_that_knows_the_node_by_another_key_is_chained_and_not_counted() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let nodes = roster(&[("alpha", 1), ("beta", 2)]);
    let member =
        |node: &str, seed| Member { name: name(node), key: Some(public(&key(seed))), seat: None };
    let plans = [(1, 8), (2, 1)].map(|(serial, seed)| {
        let members = vec![member("alpha", seed), member("beta", 2)];
        (plan_id(serial), plan(serial, members))
    });
    book.receipt(&alpha.acknowledged()).expect("taken");
    book.admit(&nodes, &plans.into());
    book.receipt(&alpha.write(1, Event::Prepared)).expect("chained");
    book.receipt(&alpha.write(2, Event::Prepared)).expect("taken");
    let known: Vec<_> = book.evidence().nodes[&name("alpha")].plans.keys().collect();
    assert_eq!(known, [&plan_id(2)]);
    assert_eq!(book.head(&name("alpha")), alpha.head());
}

#[test]
fn a_full_chain_takes_no_more() {
    let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
    let page = book.pages.get_mut(&name("alpha")).expect("listed");
    page.receipts = vec![Vec::new(); limits::RECEIPTS_PER_NODE];
    assert_eq!(code(&book.receipt(&alpha.acknowledged()).expect_err("full")), "V027");
}

#[test]
fn a_short_history_of_heights_is_kept() {
    let (mut book, alpha) = (book(), Writer::new("alpha", 1));
    for counter in 1..=RECENT as u64 + 5 {
        book.beacon(&alpha.sign(&alpha.beacon(counter)), t(1)).expect("taken");
    }
    let recent = &book.evidence().nodes[&name("alpha")].recent;
    assert_eq!(recent.len(), RECENT);
    assert_eq!(recent.front(), Some(&(t(6), 106)));
}

proptest! {
    #[test]
    fn a_flipped_bit_never_changes_the_evidence(at in 0usize..4096, bit in 0u8..8, beacon: bool) {
        let (mut book, mut alpha) = (book(), Writer::new("alpha", 1));
        let mut bytes = if beacon { alpha.sign(&alpha.beacon(1)) } else { alpha.acknowledged() };
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let refused = if beacon {
            book.beacon(&bytes, t(1)).is_err()
        } else {
            book.receipt(&bytes).is_err()
        };
        let facts = &book.evidence().nodes[&name("alpha")];
        let untouched = facts.beacon.is_none() && facts.head.is_none() && facts.plans.is_empty();
        prop_assert!(refused && untouched && !facts.quarantined);
    }

    #[test]
    fn any_order_of_delivery_ends_in_the_same_facts(order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut alpha = Writer::new("alpha", 1);
        let first = Event::Acknowledged { in_hand: None };
        let events = [first, Event::Asked, Event::Prepared, Event::Asked, Event::Prepared];
        let mut all: Vec<_> = events.into_iter().map(|event| alpha.write(1, event)).collect();
        all.push(alpha.write(2, Event::Declined { reason: "no".into() }));
        let (mut straight, mut mixed) = (book(), book());
        for bytes in &all {
            straight.receipt(bytes).expect("taken");
        }
        for _ in 0..all.len() {
            for at in &order {
                let _gap_or_known = mixed.receipt(&all[*at]);
            }
        }
        let facts = |book: &Book| book.evidence().nodes[&name("alpha")].plans.clone();
        prop_assert_eq!(facts(&straight), facts(&mixed));
        prop_assert_eq!(straight.head(&name("alpha")), mixed.head(&name("alpha")));
    }
}
