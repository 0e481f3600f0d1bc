//! Small goldens of what people see; every one keeps to 80 columns.

use muster_proto::documents::roster::Role;

use super::fixture::{all_well, beacon, before, name, now, plan, roster};
use super::told::{AgentRefused, Attached, BoardSeen, Told};
use super::words::WIDTH;
use super::{fleet, order, roster as rosters};

#[track_caller]
fn expect(text: &str, golden: &str) {
    assert_eq!(text.trim_end(), golden.trim_matches('\n').trim_end(), "\n{text}");
    let long = text.lines().find(|line| line.chars().count() > WIDTH);
    assert_eq!(long, None, "a line is longer than {WIDTH} columns");
}

fn told() -> Told {
    let attached = |number: u8, now, age| (name(number).to_string(), Attached { now, since: before(age) });
    let refused = AgentRefused {
        at: before(180),
        node: "node-02".into(),
        code: "T021".into(),
        text: "the signature is not the role's".into(),
        subject: "hotfix/testnet/43.json".into(),
    };
    let board = BoardSeen {
        address: "a.example:7443".into(),
        caught_up: true,
        heard: Some(before(2)),
        attachments: [attached(1, true, 60), attached(2, true, 60), attached(3, false, 380)].into(),
        refusals: [("node-02".to_owned(), refused)].into(),
        ..Default::default()
    };
    Told { boards: vec![board] }
}

#[test]
fn the_fleet_shows_how_old_everything_is_and_who_is_not_well() {
    let (id, plan) = plan(5);
    let (roster, plans) = (roster(5), [(id, plan)].into());
    let mut evidence = all_well(5);
    let silent = evidence.nodes.get_mut(&name(3)).expect("node-3");
    silent.beacon = Some(beacon(3, 372, 36_883_900));
    let expiries = [("timestamp".to_owned(), now() + jiff::SignedDuration::from_mins(9))];
    let told = told();
    let input = fleet::Input {
        roster: &roster,
        plans: &plans,
        evidence: &evidence,
        expiries: &expiries,
        told: &told,
    };
    let fleet = fleet::fleet(input, now());
    expect(&fleet.to_string(), "
testnet · 5 nodes · 3 of 5 seats well · height 36 884 100

  node     version      height  state     seat  heard           attached
  node-01  v2.4.4   36 884 100  well      yes   2 s ago         yes
  node-02  v2.4.4   36 884 100  well      yes   2 s ago         yes
  node-03  v2.4.4   36 883 900  silent    yes   6 min 12 s ago  gone 6 min 20 s
                                                                ago
  node-04  v2.4.4   36 884 100  well      yes   2 s ago         –
  node-05  –                 –  no agent  yes   –               –

  plans     valid now: hotfix/42
  trust     expires: timestamp in 9 min
  refused   node-02 refused hotfix/testnet/43.json 3 min ago: T021 the signature
            is not the role's
  told by   a.example:7443 2 s ago (who is attached: the boards' own word)
");
    let json = serde_json::to_value(&fleet).expect("a report is JSON");
    assert_eq!(json["nodes"][2]["standing"]["age_ms"], 372_000);
}

#[test]
fn the_order_names_every_node_with_waves_seats_and_gates() {
    let (_, plan) = plan(12);
    expect(&order::order(&plan, None).to_string(), "
plan hotfix/42 · restart everybody · routine · testnet
  action    restart
  order     11 nodes in 2 waves, one by one, at most 2 seats away at any time
            (12 active)
  valid     2026-07-23 11:43 UTC to 2026-07-26 12:00 UTC
  over      at the first failure; then nobody begins

  wave    nodes, in order                           seats  gate    then
  canary  node-01, node-02                              2  2 done  soak 10 min
  rest    node-03, node-04, node-05, node-06,           9  9 done  –
          node-07, node-08, node-09, node-10,
          node-11

  left out  node-12
  note      nodes without an agent are taken to be up
");
}

#[test]
fn a_roster_is_told_by_its_changes() {
    let old = roster(3);
    let mut new = roster(4);
    new.nodes[0].role = Role::FullNode;
    new.nodes.remove(1);
    expect(&rosters::change(Some(&old), &new).to_string(), "
roster 3 of testnet · 3 nodes, 3 seats, 4 active
  replaces  roster 3
  changes   active producers 3 → 4
            node-01: role consensus-delegate → full-node
            node-03: key none → 030000000000…
            node-04 joins
            node-02 leaves: it counts as away, its receipts are refused

  node     role                seat  operator      key        contact
  node-01  full-node           yes   io126e8…8ps5  01010000…  ops1@example.org
  node-03  consensus-delegate  yes   io126e8…8ps5  03000000…  ops3@example.org
  node-04  consensus-delegate  yes   io10e2e…8k9n  no agent   ops4@example.org
");
}
