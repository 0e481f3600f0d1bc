//! Small goldens of what people see; every one keeps to 80 columns.

use muster_proto::documents::plan::{Action, Schedule, Unmanaged};
use muster_proto::documents::roster::Role;
use muster_proto::documents::{Class, Plan, PlanId};
use muster_proto::rule::Evidence;

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
    let attached =
        |number: u8, now, age| (name(number).to_string(), Attached { now, since: before(age) });
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
    expect(
        &fleet.to_string(),
        "
testnet · 5 nodes · 3 of 5 seats well · height 36 884 100

  node     version      height  state     seat  heard           attached
  node-01  v2.4.4   36 884 100  well      yes   2 s ago         yes
  node-02  v2.4.4   36 884 100  well      yes   2 s ago         yes
  node-03  v2.4.4   36 883 900  silent    yes   6 min 12 s ago  no, 6 min 20 s
  node-04  v2.4.4   36 884 100  well      yes   2 s ago         –
  node-05  –                 –  no agent  yes   –               –

  plans     valid now: hotfix/42
  trust     expires: timestamp in 9 min
  refused   node-02 refused hotfix/testnet/43.json 3 min ago: T021 the signature
            is not the role's
  told by   a.example:7443 2 s ago (who is attached: the boards' own word)
",
    );
    let json = serde_json::to_value(&fleet).expect("a report is JSON");
    assert_eq!(json["nodes"][2]["standing"]["age_ms"], 372_000);
}

#[test]
fn the_order_names_every_node_with_waves_seats_and_gates() {
    let (_, plan) = plan(12);
    expect(
        &order::order(&plan, None).to_string(),
        "
plan hotfix/42 · restart everybody · routine · testnet
  action    restart
  order     11 nodes in 2 waves, one by one, at most 2 seats away at any time
            (12 active)
  valid     2026-07-23 11:43 UTC to 2026-07-26 12:00 UTC
  over      at the first failure; then nobody begins

  wave    nodes, in order                      seats  gate    then
  canary  node-01, node-02                         2  2 done  soak 10 min
  rest    node-03, node-04, node-05, node-06,      9  9 done  –
          node-07, node-08, node-09, node-10,
          node-11

  left out  node-12
  note      nodes without an agent are taken to be up
",
    );
}

#[test]
fn a_roster_is_told_by_its_changes() {
    let old = roster(3);
    let mut new = roster(4);
    new.nodes[0].role = Role::FullNode;
    new.nodes.remove(1);
    expect(
        &rosters::change(Some(&old), &new).to_string(),
        "
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
",
    );
}

/// Node 1 is done, node 2 has begun, node 3 is silent, the rest waits.
fn half_way(many: u8) -> muster_proto::rule::Evidence {
    use muster_proto::rule::facts::Acknowledged;
    use muster_proto::rule::{Final, PlanFacts};
    let (id, _) = plan(many);
    let mut evidence = all_well(many);
    for number in 1..many {
        let mut facts = PlanFacts {
            acknowledged: Some(Acknowledged { at: before(900), in_hand: None }),
            prepared: Some(before(800)),
            ..PlanFacts::default()
        };
        if number < 3 {
            let began = 700 - 660 * (i64::from(number) - 1);
            facts.began = Some(before(began));
            facts.stopped = Some(before(began - 2));
        }
        if number == 1 {
            facts.outcome = Some((Final::Done, before(660)));
        }
        let node = evidence.nodes.get_mut(&name(number)).expect("everybody with an agent");
        node.plans.insert(id.clone(), facts);
        let health = &mut node.beacon.as_mut().expect("a beacon").health;
        health.block_time = Some(before(2));
        health.running = number != 2;
    }
    let silent = evidence.nodes.get_mut(&name(3)).expect("node-03");
    silent.beacon = Some(beacon(3, 372, 36_883_900));
    evidence
}

fn rollout(evidence: &Evidence) -> super::rollout::Rollout {
    let (id, plan) = plan(7);
    rollout_of(&id, &plan, evidence)
}

fn rollout_of(id: &PlanId, plan: &Plan, evidence: &Evidence) -> super::rollout::Rollout {
    let (roster, others, told) = (roster(7), Default::default(), told());
    let documents = muster_proto::rule::Documents {
        id,
        plan,
        roster: &roster,
        others: &others,
        aborts: &muster_proto::documents::NO_ABORTS,
    };
    let mut trend = super::rollout::Trend { fewest: Some(5), ..Default::default() };
    trend.look(evidence);
    trend.longest_gap_ms = Some(2_600);
    let input = super::rollout::Input { documents, evidence, told: &told, trend: &trend };
    super::rollout::rollout(input, now())
}

#[test]
fn a_rollout_shows_who_works_who_waits_and_who_is_away() {
    let rollout = rollout(&half_way(7));
    expect(
        &rollout.to_string(),
        "
plan hotfix/42 · restart everybody
running 11 min 40 s · wave 1 of 2 (canary)                          seats 5 of 7
[███████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░]  1 of 6   about 3 min 20 s to go

  done       1   canary 1/2, rest 0/4 · away for 38 s
  now        1   node-02: stopped, 38 s ago
  waiting    3   next: node-04, because wave canary: 1 of 2 done
  away       1   node-03: no beacon for 6 min 12 s
                 their seats count against the budget of 2

  chain     height 36 884 100, last block 2 s ago · longest gap seen 2.6 s ·
            fewest seats seen 5
  told by   a.example:7443 2 s ago
",
    );
    assert!(!rollout.state.is_over());
}

#[test]
fn news_is_told_once_and_a_growing_age_is_no_news() {
    let evidence = half_way(7);
    let first = rollout(&evidence);
    expect(
        &first.news(None).join("\n"),
        "
plan hotfix/42 · restart everybody
running 11 min 40 s · wave 1 of 2 (canary)                          seats 5 of 7
12:00:00  done      node-01: done, 11 min ago, away for 38 s
12:00:00  now       node-02: stopped, 38 s ago
12:00:00  away      node-03: no beacon for 6 min 12 s
",
    );
    assert_eq!(first.news(Some(&rollout(&evidence))), Vec::<String>::new());
}

#[test]
fn why_names_the_gates_and_who_is_away() {
    let evidence = half_way(7);
    let (_, plan) = plan(7);
    let why = super::why::why_node(&rollout(&evidence), &plan, &evidence, &name(4));
    expect(
        &why.to_string(),
        "
node-04 waits: wave canary: 1 of 2 done
  plan      hotfix/42 · restart everybody · restart · 4 of 6, in wave rest
  needs     wave canary: 1 of 2 done, 1 of 2 proved well for 10 min: NOT met
  at work   node-02
  away      node-02 (not running), node-03 (no beacon for 6 min 12 s); budget: 2
            seats
  told by   a.example:7443 2 s ago
",
    );
    expect(
        &super::why::why_plan(rollout(&evidence)).to_string(),
        "
plan hotfix/42 · restart everybody
running 11 min 40 s · wave 1 of 2 (canary)                          seats 5 of 7
  now       node-02: stopped, 38 s ago
  away      node-03: no beacon for 6 min 12 s
  waiting   node-04, node-05, node-06: wave canary: 1 of 2 done
  told by   a.example:7443 2 s ago
",
    );
}

#[test]
fn why_names_also_those_away_who_stand_in_no_wave() {
    let mut evidence = half_way(7);
    let (id, mut plan) = plan(7);
    // Of three without a turn one is well, one is silent, and one is silent and has no seat.
    plan.waves[1].nodes.truncate(2);
    plan.members[5].seat = None;
    plan.unmanaged = Unmanaged::Away;
    evidence.nodes.get_mut(&name(6)).expect("node-06").beacon = None;
    let why = |plan: &Plan, evidence: &Evidence| {
        let rollout = rollout_of(&id, plan, evidence);
        let why = super::why::why_node(&rollout, plan, evidence, &name(4));
        why.away.into_iter().map(|(node, why)| format!("{node} {why}")).collect::<Vec<_>>()
    };
    let in_waves = ["node-02 not running", "node-03 no beacon for 6 min 12 s"];
    assert_eq!(why(&plan, &evidence), [&in_waves[..], &["node-07 no agent"]].concat());
    plan.members[5].seat = Some("node-06".into());
    let also = ["node-06 no beacon yet", "node-07 no agent"];
    assert_eq!(why(&plan, &evidence), [&in_waves[..], &also].concat());
    plan.action = Action::Start;
    evidence.nodes.get_mut(&name(6)).expect("node-06").beacon = Some(beacon(6, 2, 36_884_100));
    let started = ["node-03 no beacon for 6 min 12 s", "node-07 no agent"];
    assert_eq!(why(&plan, &evidence), started, "a start is for those who are down");
}

#[test]
fn why_says_by_when_a_node_goes_in_an_emergency() {
    let (id, plan) = plan(7);
    let schedule = Some(Schedule { start: now(), pace_ms: 5_000, grace_ms: 60_000 });
    let stop = Plan { action: Action::Stop, class: Class::Emergency, schedule, ..plan };
    let rollout = rollout_of(&id, &stop, &half_way(7));
    let why = super::why::why_node(&rollout, &stop, &half_way(7), &name(4)).to_string();
    let goes = "23 Jul 12:00:15 UTC at the latest, also when nobody can be reached";
    assert!(why.contains(goes), "{why}");
}
