//! Enrolments and the edit that puts a node into a roster's text.

use std::path::Path;

use ed25519_dalek::SigningKey;
use muster_proto::documents::author::enrol::EnrolError;
use muster_proto::documents::author::roster_edit::{Placement, add};
use muster_proto::documents::author::{Code, Enrol, Refused, RosterYaml, read};
use muster_proto::documents::roster::Role;

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/roster.yaml");
    std::fs::read_to_string(path).expect("the example roster")
}

const OPERATOR: &str = "io1l7qmnpkjmcfa6pempssjstqyqfa5w6v6suwk87";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn enrol(name: &str, key: &SigningKey) -> Enrol {
    Enrol {
        muster: Enrol::KIND.into(),
        network: "demo".into(),
        name: name.parse().expect("a name"),
        key: key.verifying_key().to_bytes().try_into().expect("a key"),
        operator: None,
        endpoint: "192.0.2.77:8080".parse().expect("an endpoint"),
        contact: "ops@ratels.example: \"call +41 …\" # day and night".into(),
    }
}

fn placement() -> Placement {
    Placement {
        operator: Some("io1erc4whmzlpzjdzn5m6q8sgu96zqctv7k4cjh9n".parse().expect("an address")),
        role: Role::FullNode,
        seat: None,
        labels: [("region".to_owned(), "eu: west".to_owned())].into(),
        group: None,
        bootstrap: true,
    }
}

fn nodes(text: &str) -> Vec<String> {
    let parsed = read::<RosterYaml>("roster.yaml", text).unwrap_or_else(|r| panic!("{r}"));
    parsed.value.nodes.iter().map(|node| node.name.to_string()).collect()
}

fn code(refused: Result<String, Refused>) -> Code {
    refused.expect_err("refused").0[0].code
}

#[test]
fn an_enrolment_is_read_back_and_keeps_its_fingerprint() {
    let enrol = enrol("ratels", &key(7));
    let opened = Enrol::open(&enrol.sign(&key(7))).expect("signed by its own key");
    assert_eq!(opened, enrol);
    assert_eq!(opened.fingerprint(), enrol.fingerprint());
}

#[test]
fn an_enrolment_that_its_key_did_not_sign_is_refused() {
    let file = enrol("ratels", &key(7)).sign(&key(8));
    assert!(matches!(Enrol::open(&file), Err(EnrolError::Signature(_))));
    let file = String::from_utf8(enrol("ratels", &key(7)).sign(&key(7))).expect("text");
    for (what, with) in [("ratels", "robot-9"), ("demo", "main"), ("192.0.2.77", "192.0.2.78")] {
        let tampered = file.replace(what, with);
        assert!(matches!(Enrol::open(tampered.as_bytes()), Err(EnrolError::Signature(_))));
    }
}

#[test]
fn what_is_no_enrolment_is_refused_by_name() {
    assert!(matches!(Enrol::open(b"{}"), Err(EnrolError::Shape(_))));
    let file = String::from_utf8(enrol("ratels", &key(7)).sign(&key(7))).expect("text");
    let other = file.replace("enrol/v1", "enrol/v2");
    assert!(matches!(Enrol::open(other.as_bytes()), Err(EnrolError::Kind(_))));
    let more = file.replace("\"muster\"", "\"seat\": true, \"muster\"");
    assert!(matches!(Enrol::open(more.as_bytes()), Err(EnrolError::Shape(_))));
}

#[test]
fn a_new_node_is_added_behind_the_last_one_and_nothing_else_changes() {
    let text = example();
    let edited = add("roster.yaml", &text, &enrol("ratels", &key(7)), &placement());
    let edited = edited.unwrap_or_else(|refused| panic!("{refused}"));
    assert!(edited.starts_with(text.trim_end()), "the text before stays as it was");
    let mut expected = nodes(&text);
    expected.push("ratels".into());
    assert_eq!(nodes(&edited), expected);
    let parsed = read::<RosterYaml>("roster.yaml", &edited).expect("readable");
    let node = parsed.value.nodes.last().expect("the new node");
    assert_eq!(node.contact, enrol("ratels", &key(7)).contact);
    assert_eq!(node.labels["region"], "eu: west");
    assert!(node.bootstrap);
}

#[test]
fn fields_and_comments_behind_the_nodes_stay_behind_them() {
    let (head, nodes_text) = {
        let text = example();
        let (head, nodes) = text.split_once("nodes:\n").expect("nodes");
        (head.to_owned(), nodes.to_owned())
    };
    let (top, consensus) = head.split_once("consensus:").expect("consensus");
    let text = format!("{top}nodes:\n{nodes_text}\n# how consensus counts\nconsensus:{consensus}");
    let edited = add("roster.yaml", &text, &enrol("ratels", &key(7)), &placement());
    let edited = edited.unwrap_or_else(|refused| panic!("{refused}"));
    assert!(edited.ends_with(&format!("\n\n# how consensus counts\nconsensus:{consensus}")));
    assert_eq!(nodes(&edited).last().map(String::as_str), Some("ratels"));
}

#[test]
fn the_first_node_of_an_empty_roster_is_added() {
    let head = "muster: roster/v1\nnetwork: demo\nconsensus: {active: 7}\n";
    for list in ["nodes: []\n", "nodes: []  # none yet\n", "nodes: []"] {
        let text = format!("{head}{list}");
        let edited = add("roster.yaml", &text, &enrol("ratels", &key(7)), &placement());
        let edited = edited.unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(nodes(&edited), ["ratels"]);
    }
}

#[test]
fn a_listed_node_gets_its_new_key_and_keeps_everything_else() {
    let text = example();
    let new = enrol("laomao", &key(9));
    let edited = add("roster.yaml", &text, &new, &placement()).unwrap_or_else(|r| panic!("{r}"));
    let differing: Vec<_> = text.lines().zip(edited.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].1.trim(), format!("key: {}", new.key));

    let unmanaged = text.lines().filter(|line| !line.contains(differing[0].0));
    let unmanaged = unmanaged.collect::<Vec<_>>().join("\n");
    let edited = add("roster.yaml", &unmanaged, &new, &placement());
    let edited = edited.unwrap_or_else(|refused| panic!("{refused}"));
    let parsed = read::<RosterYaml>("roster.yaml", &edited).expect("readable");
    let node = parsed.value.nodes.iter().find(|node| node.name.as_str() == "laomao");
    assert_eq!(node.expect("laomao").key, Some(new.key));
}

#[test]
fn an_enrolment_for_another_network_or_operator_is_refused() {
    let text = example();
    let foreign = Enrol { network: "mainnet".into(), ..enrol("ratels", &key(7)) };
    assert_eq!(code(add("roster.yaml", &text, &foreign, &placement())), Code::D128);
    let other = Enrol { operator: OPERATOR.parse().ok(), ..enrol("laomao", &key(7)) };
    assert_eq!(code(add("roster.yaml", &text, &other, &placement())), Code::D128);
    let other = Enrol { operator: OPERATOR.parse().ok(), ..enrol("ratels", &key(7)) };
    assert_eq!(code(add("roster.yaml", &text, &other, &placement())), Code::D128);
    let nobody = Placement { operator: None, ..placement() };
    assert_eq!(code(add("roster.yaml", &text, &enrol("ratels", &key(7)), &nobody)), Code::D128);
}

#[test]
fn a_layout_that_is_not_understood_is_left_alone() {
    let node = "{name: laomao, operator: io1zldw8uz5rgrr26stfppz6eeah3jgpu4av5290n, \
                endpoint: 192.0.2.1, contact: ops, role: api}";
    let head = "muster: roster/v1\nnetwork: demo\nconsensus: {active: 7}\n";
    let text = format!("{head}nodes: [{node}]\n");
    let refused = add("roster.yaml", &text, &enrol("ratels", &key(7)), &placement());
    assert_eq!(code(refused), Code::D129);
}
