//! What each reader is sent, and what a slow or returning one is not.

use std::collections::BTreeMap;

use muster_proto::documents::{NodeName, PublicKey};
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{DoubleCounter, Hold};

use super::cursor::{Cursor, Reader};
use super::shelf::{Bytes, Change, Documents, Shelf};
use crate::audience::Audience;

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn key(n: u8) -> PublicKey {
    let secret = ed25519(n);
    PublicKey::try_from(secret).unwrap()
}

/// Public halves of the seeds [1; 32] and [2; 32].
fn ed25519(n: u8) -> [u8; 32] {
    let hex = [
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
    ];
    hex::decode(hex[usize::from(n) - 1]).unwrap().try_into().unwrap()
}

fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

fn shelf() -> Shelf {
    let mut shelf = Shelf::new();
    let names = ["ann", "bob"].map(node);
    let audience = Audience { receipts: names.clone().into(), beacons: names.into() };
    shelf.apply(Change::Audience(audience));
    shelf
}

fn receipt(node_name: &str, key_number: u8, text: &str) -> Change {
    let (node, key) = (node(node_name), key(key_number));
    Change::Receipt { node, key, hash: String::new(), envelope: bytes(text) }
}

fn beacon(name: &str, text: &str) -> Change {
    Change::Beacon { node: node(name), envelope: bytes(text) }
}

fn documents(roots: usize, targets: &[(&str, usize)]) -> Change {
    let target = |(path, size): &(&str, usize)| ((*path).to_owned(), vec![7; *size].into());
    Change::Documents(Box::new(Documents {
        first_root: 1,
        roots: (1..=roots).map(|root| bytes(&format!("root {root}"))).collect(),
        timestamp: Some(bytes("timestamp")),
        targets: targets.iter().map(target).collect(),
        ..Documents::default()
    }))
}

/// Everything that is there for this reader now, in short words.
fn drain(cursor: &mut Cursor, shelf: &Shelf) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(message) = cursor.next(shelf) {
        let text = |all: &[Vec<u8>]| {
            all.iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect::<Vec<_>>()
        };
        words.push(match message.message.unwrap() {
            Message::Bulletin(bulletin) => {
                let paths: Vec<_> = bulletin.targets.iter().map(|t| t.path.clone()).collect();
                format!("bulletin {:?} {paths:?}", text(&bulletin.roots))
            }
            Message::Evidence(evidence) => {
                format!("evidence {:?} {:?}", text(&evidence.receipts), text(&evidence.beacons))
            }
            Message::OwnChain(own) => format!("own {}", own.counter),
            Message::Holds(holds) => format!("holds {}", holds.holds.len()),
            Message::Attachments(all) => format!("attachments {}", all.attachments.len()),
            Message::DoubleCounter(double) => format!("double {}", double.node),
            other => format!("{other:?}"),
        });
    }
    words
}

fn agent(name: &str) -> Cursor {
    Cursor::new(Reader::Agent(node(name)), 0)
}

#[test]
fn a_reader_is_sent_everything_once_and_then_what_is_new() {
    let mut shelf = shelf();
    let mut bob = agent("bob");
    assert_eq!(drain(&mut bob, &shelf), ["holds 0"]);
    shelf.apply(receipt("ann", 1, "a1"));
    shelf.apply(beacon("ann", "b1"));
    assert_eq!(drain(&mut bob, &shelf), [r#"evidence ["a1"] []"#, r#"evidence [] ["b1"]"#]);
    assert_eq!(drain(&mut bob, &shelf), Vec::<String>::new());
    shelf.apply(receipt("ann", 1, "a2"));
    assert_eq!(drain(&mut bob, &shelf), [r#"evidence ["a2"] []"#]);
}

#[test]
fn a_slow_reader_finds_only_the_newest_beacon() {
    let mut shelf = shelf();
    let mut bob = agent("bob");
    for n in 0..10_000 {
        shelf.apply(beacon("ann", &format!("b{n}")));
    }
    assert_eq!(drain(&mut bob, &shelf), ["holds 0", r#"evidence [] ["b9999"]"#]);
    assert_eq!(shelf.beacons.len(), 1);
}

#[test]
fn who_comes_back_is_sent_whole_chains_again() {
    let mut shelf = shelf();
    shelf.apply(receipt("ann", 1, "a1"));
    shelf.apply(receipt("ann", 1, "a2"));
    drain(&mut agent("bob"), &shelf);
    assert_eq!(drain(&mut agent("bob"), &shelf), ["holds 0", r#"evidence ["a1", "a2"] []"#]);
}

#[test]
fn an_agent_is_sent_only_evidence_that_its_decisions_need() {
    let mut shelf = shelf();
    shelf.apply(receipt("carol", 1, "c1"));
    shelf.apply(beacon("carol", "cb"));
    assert_eq!(drain(&mut agent("bob"), &shelf), ["holds 0"]);
    let mut watcher = Cursor::new(Reader::Watcher, 0);
    let all = drain(&mut watcher, &shelf);
    assert_eq!(all, ["holds 0", r#"evidence ["c1"] []"#, r#"evidence [] ["cb"]"#]);
}

#[test]
fn a_chain_that_becomes_interesting_later_is_sent_from_its_beginning() {
    let mut shelf = shelf();
    let mut bob = agent("bob");
    shelf.apply(receipt("carol", 1, "c1"));
    shelf.apply(receipt("carol", 1, "c2"));
    drain(&mut bob, &shelf);
    let audience = Audience { receipts: [node("carol")].into(), ..Audience::default() };
    shelf.apply(Change::Audience(audience));
    assert_eq!(drain(&mut bob, &shelf), [r#"evidence ["c1", "c2"] []"#]);
}

#[test]
fn a_new_key_begins_a_new_chain() {
    let mut shelf = shelf();
    let mut bob = agent("bob");
    shelf.apply(receipt("ann", 1, "old"));
    drain(&mut bob, &shelf);
    shelf.apply(Change::Forget(node("ann")));
    shelf.apply(receipt("ann", 2, "new"));
    assert_eq!(drain(&mut bob, &shelf), [r#"evidence ["new"] []"#]);
}

#[test]
fn roots_that_the_reader_holds_are_left_out() {
    let mut shelf = shelf();
    shelf.apply(documents(3, &[]));
    let mut bob = Cursor::new(Reader::Agent(node("bob")), 2);
    assert_eq!(drain(&mut bob, &shelf), [r#"bulletin ["root 3"] []"#, "holds 0"]);
    shelf.apply(documents(4, &[]));
    assert_eq!(drain(&mut bob, &shelf), [r#"bulletin ["root 4"] []"#]);
    let mut ahead = Cursor::new(Reader::Agent(node("bob")), 9);
    assert_eq!(drain(&mut ahead, &shelf), ["bulletin [] []", "holds 0"]);
}

#[test]
fn a_large_board_is_sent_in_several_bulletins_below_the_limit() {
    const MIB: usize = 1024 * 1024;
    let mut shelf = shelf();
    shelf.apply(documents(1, &[("a", MIB), ("b", MIB), ("c", MIB), ("d", MIB)]));
    let sent = drain(&mut agent("bob"), &shelf);
    let expected = [r#"bulletin ["root 1"] ["a", "b"]"#, r#"bulletin [] ["c", "d"]"#, "holds 0"];
    assert_eq!(sent, expected);
}

#[test]
fn only_targets_that_changed_are_sent_again() {
    let mut shelf = shelf();
    let mut bob = agent("bob");
    shelf.apply(documents(1, &[("a", 1), ("b", 1)]));
    drain(&mut bob, &shelf);
    shelf.apply(documents(1, &[("a", 1), ("b", 2), ("c", 1)]));
    assert_eq!(drain(&mut bob, &shelf), [r#"bulletin [] ["b", "c"]"#]);
}

#[test]
fn an_agent_hears_of_its_own_chain_when_it_asked_and_nobody_else_does() {
    let mut shelf = shelf();
    shelf.apply(receipt("ann", 1, "a1"));
    let (mut ann, mut bob) = (agent("ann"), agent("bob"));
    drain(&mut ann, &shelf);
    drain(&mut bob, &shelf);
    shelf.apply(Change::TellOwnChain(node("ann")));
    assert_eq!(drain(&mut ann, &shelf), ["own 1"]);
    assert_eq!(drain(&mut bob, &shelf), Vec::<String>::new());
}

#[test]
fn holds_replace_each_other_and_proofs_of_double_counters_reach_everybody() {
    let mut shelf = shelf();
    let mut bob = agent("bob");
    drain(&mut bob, &shelf);
    shelf.apply(Change::Holds(vec![Hold::default(), Hold::default()]));
    shelf.apply(Change::Holds(vec![Hold::default()]));
    shelf.apply(Change::Double(DoubleCounter { node: "ann".into(), ..Default::default() }));
    assert_eq!(drain(&mut bob, &shelf), ["holds 1", "double ann"]);
}

#[test]
fn a_newcomer_hears_what_was_said_before_a_double_counter_then_of_it_then_the_beacons() {
    let mut shelf = shelf();
    shelf.apply(beacon("ann", "of ann"));
    shelf.apply(Change::Double(DoubleCounter { node: "ann".into(), ..Default::default() }));
    shelf.apply(receipt("ann", 1, "first"));
    let heard = drain(&mut Cursor::new(Reader::Watcher, 0), &shelf);
    let evidence = heard.iter().filter(|word| !word.starts_with("holds")).collect::<Vec<_>>();
    let order = [r#"evidence ["first"] []"#, "double ann", r#"evidence [] ["of ann"]"#];
    assert_eq!(evidence, order.iter().collect::<Vec<_>>());
}

#[test]
fn who_is_attached_is_for_watchers_only() {
    let mut shelf = shelf();
    for connection in [Some(1), None, Some(2)] {
        shelf.apply(Change::Attachment { node: node("ann"), connection, since: 1 });
    }
    assert_eq!(drain(&mut agent("bob"), &shelf), ["holds 0"]);
    let watched = drain(&mut Cursor::new(Reader::Watcher, 0), &shelf);
    assert_eq!(watched, ["holds 0", "attachments 1"]);
    assert_eq!(shelf.connection_of(&node("ann")), Some(2));
}

#[test]
fn a_key_is_listed_by_the_newest_roster_only() {
    let mut shelf = shelf();
    let listed = |keys: &[(&str, u8)]| {
        let keys: BTreeMap<_, _> = keys.iter().map(|(name, n)| (node(name), key(*n))).collect();
        Change::Documents(Box::new(Documents { first_root: 1, keys, ..Documents::default() }))
    };
    shelf.apply(listed(&[("ann", 1)]));
    assert!(shelf.lists(&key(1)) && shelf.key_of(&node("ann")) == Some(&key(1)));
    shelf.apply(listed(&[("ann", 2)]));
    assert!(!shelf.lists(&key(1)) && shelf.key_of(&node("ann")) == Some(&key(2)));
}
