use muster_proto::wire::muster::{RoleMetadata, TargetFile};

use super::*;

fn node(name: &str) -> NodeName {
    name.parse().expect("a name")
}

fn envelope(name: &str, counter: u64) -> Vec<u8> {
    let payload = format!("{{\"node\":\"{name}\",\"counter\":{counter}}}");
    let payload = STANDARD.encode(payload);
    format!("{{\"payload\":\"{payload}\",\"payloadType\":\"x\",\"signatures\":[]}}").into_bytes()
}

fn evidence(receipts: &[Vec<u8>], beacons: &[Vec<u8>]) -> BoardMessage {
    let evidence = Evidence { receipts: receipts.into(), beacons: beacons.into() };
    BoardMessage { message: Some(Message::Evidence(evidence)) }
}

fn bulletin(version: u8) -> Bulletin {
    Bulletin {
        timestamp: format!("{{\"signatures\":[],\"signed\":{{\"version\":{version}}}}}").into(),
        roles: vec![RoleMetadata { role: "hotfix".into(), metadata: vec![b'0' + version] }],
        targets: vec![
            TargetFile { path: "hotfix/testnet/4.json".into(), content: vec![b'4'] },
            TargetFile { path: "hotfix/testnet/42.json".into(), content: vec![b'4', b'2'] },
        ],
        ..Bulletin::default()
    }
}

fn metadata(version: u8) -> BoardMessage {
    BoardMessage { message: Some(Message::Bulletin(bulletin(version))) }
}

/// What becomes of `message`, and how many lies that took.
fn told(lies: &[Lie], message: BoardMessage) -> (Vec<BoardMessage>, usize) {
    let mut liar = Liar::default();
    (liar.tell(lies, message, &bulletin(1)), liar.lies())
}

#[test]
fn without_a_lie_everything_is_told_as_it_was_said() {
    let message = evidence(&[envelope("ann-1", 1)], &[envelope("bob-1", 2)]);
    assert_eq!(told(&[], message.clone()), (vec![message], 0));
}

#[test]
fn a_kind_that_is_dropped_takes_nothing_else_with_it() {
    let (receipt, beacon) = ([envelope("ann-1", 1)], [envelope("ann-1", 2)]);
    let both = evidence(&receipt, &beacon);
    let dropped = [Lie::Drop(Kind::Receipts)];
    assert_eq!(told(&dropped, both), (vec![evidence(&[], &beacon)], 1));
    assert_eq!(told(&dropped, evidence(&receipt, &[])), (vec![], 1));
    assert_eq!(told(&dropped, metadata(2)), (vec![metadata(2)], 0));
    assert_eq!(told(&[Lie::Drop(Kind::Metadata)], metadata(2)), (vec![], 1));
}

#[test]
fn who_may_see_some_nodes_only_sees_those() {
    let lie = [Lie::Only([node("ann-1")].into())];
    let all = evidence(
        &[envelope("ann-1", 1), envelope("bob-1", 1)],
        &[envelope("bob-1", 2), envelope("ann-1", 2)],
    );
    let seen = evidence(&[envelope("ann-1", 1)], &[envelope("ann-1", 2)]);
    assert_eq!(told(&lie, all), (vec![seen], 1));
    assert_eq!(told(&lie, evidence(&[envelope("bob-1", 3)], &[])), (vec![], 1));
}

#[test]
fn a_withheld_plan_is_that_very_serial() {
    let (told, lies) = told(&[Lie::Withhold(4)], metadata(2));
    assert_eq!(lies, 1);
    let Some(Message::Bulletin(left)) = &told[0].message else { panic!("no bulletin: {told:?}") };
    let left: Vec<_> = left.targets.iter().map(|target| target.path.as_str()).collect();
    assert_eq!(left, ["hotfix/testnet/42.json"]);
}

#[test]
fn what_is_tampered_with_still_reads_well_and_is_another() {
    let honest = envelope("ann-1", 7);
    let (told_instead, lies) = told(&[Lie::Tamper(Kind::Beacons)], evidence(&[], &[honest]));
    assert_eq!(lies, 1);
    let Some(Message::Evidence(evidence)) = &told_instead[0].message else { panic!("no evidence") };
    let changed: Value = serde_json::from_slice(&evidence.beacons[0]).expect("an envelope");
    let payload: Value = serde_json::from_slice(&payload(&changed).expect("base64")).expect("JSON");
    assert_eq!(payload, serde_json::json!({"node": "ann-1", "counter": 8}));

    let (told_instead, _) = told(&[Lie::Tamper(Kind::Metadata)], metadata(2));
    let Some(Message::Bulletin(changed)) = &told_instead[0].message else { panic!("no bulletin") };
    assert_eq!(changed.timestamp, bulletin(3).timestamp);
    assert_ne!(changed.targets, bulletin(2).targets);
}

#[test]
fn messages_are_turned_round_in_groups_and_receipts_within() {
    let mut liar = Liar::default();
    let lies = [Lie::Reorder(2)];
    let chain = [envelope("ann-1", 1), envelope("ann-1", 2)];
    let round = [envelope("ann-1", 2), envelope("ann-1", 1)];
    assert_eq!(liar.tell(&lies, evidence(&chain, &[]), &bulletin(1)), []);
    let told = liar.tell(&lies, metadata(2), &bulletin(1));
    assert_eq!(told, [metadata(2), evidence(&round, &[])]);
}

#[test]
fn a_replay_follows_what_is_new_and_was_told_before() {
    let mut liar = Liar::default();
    let said: Vec<_> = (1..=5).map(metadata).collect();
    for (at, message) in said.iter().enumerate() {
        let told = liar.tell(&[Lie::Replay], message.clone(), &bulletin(1));
        assert_eq!(told.len(), 2);
        assert_eq!(&told[0], message);
        assert!(said[..=at].contains(&told[1]));
    }
}

#[test]
fn a_frozen_board_says_everything_once_it_is_honest_again() {
    let mut liar = Liar::default();
    liar.tell(&[], metadata(1), &bulletin(1));
    assert_eq!(liar.tell(&[Lie::Freeze], metadata(2), &bulletin(1)), []);
    assert_eq!(liar.all_again(), [metadata(1), metadata(2)]);
}

#[test]
fn old_metadata_is_the_oldest_and_evidence_stays_new() {
    assert_eq!(told(&[Lie::OldMetadata], metadata(3)), (vec![metadata(1)], 1));
    let beacon = evidence(&[], &[envelope("ann-1", 2)]);
    assert_eq!(told(&[Lie::OldMetadata], beacon.clone()), (vec![beacon], 0));
}

#[test]
fn a_deaf_board_does_not_hear_that_kind() {
    let deaf = [Lie::Deaf(Kind::Receipts)];
    assert!(!hears(&deaf, Some(&Said::Receipt(Vec::new()))));
    assert!(hears(&deaf, Some(&Said::Beacon(Vec::new()))));
    assert!(hears(&[Lie::Drop(Kind::Receipts)], Some(&Said::Receipt(Vec::new()))));
}
