use muster_proto::documents::plan::Drill;
use muster_proto::documents::{Class, Digest, PlanId};
use muster_proto::evidence::beacon::Health;

use super::*;
use crate::control::view::{DaemonView, PolicyRow, RefusedView};
use crate::policy::{Policy, Rule};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_784_800_000 + second).unwrap()
}

fn plan(serial: u64, over: bool, text: &str) -> PlanView {
    PlanView {
        plan: PlanId { class: Class::Hotfix, serial, digest: Digest::of(b"x") },
        title: "trace timeout".into(),
        drill: Drill::No,
        action: "upgrade to v2.4.4".into(),
        stage: "prepared".into(),
        over,
        text: text.into(),
        since: at(-90),
        away_ms: over.then_some(41_000),
    }
}

fn status() -> Status {
    let rows = Policy::all(Rule::Apply).rows();
    let row = |(class, urgency, rule)| PolicyRow { class, urgency, rule };
    Status {
        at: at(0),
        node: "robot-1".parse().unwrap(),
        network: "mainnet".into(),
        container: "iotex".into(),
        daemon: Some(DaemonView {
            pid: 7,
            since: at(-21_600),
            software: "0.1.0".into(),
            draining: false,
        }),
        enrolled: Enrolled::Yes,
        node_health: Some(SeenHealth {
            at: at(-1),
            health: Health {
                running: true,
                height: Some(36_884_210),
                version: Some("v2.4.4".into()),
                block_time: Some(at(-1)),
                ..Health::default()
            },
            fleet_height: Some(36_884_211),
        }),
        plans: vec![plan(42, true, "done")],
        policy: PolicyView {
            rows: rows.into_iter().map(row).collect(),
            missing: false,
            problem: None,
        },
        boards: vec![BoardView {
            address: "a.example:7443".into(),
            state: BoardState::Attached,
            since: at(-21_600),
        }],
        trust: TrustView {
            root: 3,
            timestamp: 812,
            fresh_until: Some(at(360)),
            expiries: vec![("root".into(), at(17_366_400))],
        },
        refused: Vec::new(),
        stuck: None,
    }
}

#[test]
fn a_calm_node_fits_on_six_lines() {
    insta::assert_snapshot!(render(&status()), @r"
    iotex (robot-1) runs v2.4.4, height 36 884 210, caught up, last block 1 s ago
      plan 42      done 09:45:10 UTC, away for 41 s
      next         nothing
      policy       hotfix: apply · drill: apply · emergency: apply
      controllers  a.example:7443 attached 6 h
      trust        root 3, expires in 201 days · timestamp fresh for 6 min
    ");
}

#[test]
fn every_trouble_is_said_with_its_reason_within_80_columns() {
    let mut status = status();
    status.plans.insert(0, plan(44, false, "3 seats would be away, the budget is 2: a, b, c"));
    status.enrolled = Enrolled::No;
    status.stuck = Some("a board holds receipt 9 of this agent, the journal ends at 7".into());
    status.policy.problem =
        Some("E503: /var/lib/muster-agent/policy.yaml:3:9: unknown field".into());
    status.boards[0].state =
        BoardState::Lost { why: "N010: a.example:7443 cannot be reached".into() };
    status.refused.push(RefusedView {
        at: at(-70),
        from: "a.example:7443".into(),
        subject: "hotfix".into(),
        code: "T021".into(),
        text: "T021: 1 of 2 signatures".into(),
    });
    status.plans[0].drill = Drill::Dry;
    let text = render(&status);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "plan 44 DRY DRILL: upgrade to v2.4.4,",
        "stuck a board holds receipt 9",
        "not enrolled: no roster known here lists this agent's key; send robot-1.enrol",
        "next plan 44: 3 seats would be away, the budget is 2: a, b, c",
        "policy.yaml:3:9: unknown field",
        "lost 6 h ago: N010",
        "refused hotfix T021: 1 of 2 signatures (a.example:7443, 1 min 10 s ago)",
    ] {
        assert!(flat.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn without_the_daemon_the_first_line_says_so() {
    let mut status = status();
    status.daemon = None;
    status.node_health = None;
    let text = render(&status);
    assert!(text.starts_with("iotex (robot-1): the agent does not run"), "{text}");
    assert!(text.contains("none attached"), "{text}");
}

#[test]
fn a_node_that_is_down_or_behind_is_called_so() {
    let mut status = status();
    let seen = status.node_health.as_mut().unwrap();
    seen.fleet_height = Some(36_885_210);
    assert!(render(&status).contains("1 000 blocks behind the others"));
    status.node_health.as_mut().unwrap().health.running = false;
    assert!(render(&status).starts_with("iotex (robot-1) is down, seen 1 s ago"));
}
