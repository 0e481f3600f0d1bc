//! Drills: marked wherever people look. A dry one goes through the whole order, touches nothing, and
//! says what it would have done; a real one does the real thing, under the operator's own rule for
//! drills.

use anyhow::Result;
use muster_proto::rule::Final;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::{Fleet, Make};
use muster_tests::terminal::fits;

fn drill(script: Script, kind: &str) -> Script {
    Script { class: "drill".into(), ..script }.with(&format!("drill: {kind}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_stop_goes_through_the_whole_order_and_every_node_runs_on() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let hanna = fleet.watcher("hanna").await?;
    let nodes = ["robot-1", "robot-2", "robot-3", "robot-4"];
    let mut before = Vec::new();
    for node in nodes {
        before.push(fleet.container(node).await?);
    }
    let mark = fleet.referee.client().mark().await?;
    fleet.publish(&drill(Script::stop(1, 4), "dry")).await?;
    fleet.until("all four are done", |seen| seen.ended(1, Final::Done) == 4).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), nodes, "one by one, as signed");
    for (node, before) in nodes.iter().zip(before) {
        assert_eq!(seen.words(node, 1), ["acknowledged", "prepared", "began", "done"]);
        assert_eq!(fleet.container(node).await?, before, "{node} was touched");
    }
    assert_eq!(fleet.referee.report(mark).lowest_online, Some(4));

    for command in [&["history"][..], &["watch", "1"], &["why", "1"]] {
        let said = hanna.muster(command).await?;
        fits(&said.out);
        assert!(said.out.contains("DRY DRILL: plan 1"), "{command:?}\n{}", said.out);
    }
    let log = hanna.muster(&["log", "robot-1"]).await?.out;
    assert!(log.contains("would have stopped it at"), "{log}");
    let status = fleet.delegate("robot-1").cli(&["status"]).await?.out;
    assert!(status.contains("plan 1       DRY DRILL: done"), "{status}");

    // It was no stop: the next plan finds everybody up, and does the real thing.
    fleet.publish(&Script::new(2, "restart", 4).with("after: [1]")).await?;
    fleet.until("all four are done", |seen| seen.ended(2, Final::Done) == 4).await?;
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_does_the_real_thing_under_the_operators_rule_for_drills() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let hanna = fleet.watcher("hanna").await?;
    let rules = "muster: policy/v1\ndefault: refuse\nhotfix: apply\ndrill: ask\n";
    fleet.delegate("robot-1").policy_file(rules)?;
    let order = ["robot-1", "robot-2"];
    fleet.publish(&drill(Script::new(1, "restart", 4).of(&order), "true")).await?;
    fleet.until("it asks", |seen| seen.words("robot-1", 1).contains(&"asked")).await?;
    let pending = fleet.delegate("robot-1").cli(&["pending"]).await?.out;
    assert!(pending.contains("DRILL: plan 1 of a test"), "{pending}");
    assert_eq!(fleet.delegate("robot-1").cli(&["approve", "1", "--yes"]).await?.code, 0);
    fleet.until("both are done", |seen| seen.ended(1, Final::Done) == 2).await?;
    let seen = fleet.see().await?;
    for node in order {
        assert!(seen.words(node, 1).contains(&"stopped"), "{node} was not restarted");
    }
    let said = hanna.muster(&["watch", "1"]).await?.out;
    assert!(said.contains("DRILL: plan 1 of a test") && !said.contains("DRY"), "{said}");

    // The hotfix after it is no drill, and his rule for hotfixes applies it.
    fleet.publish(&Script::new(2, "restart", 4).of(&["robot-1"]).with("after: [1]")).await?;
    fleet.until("it is done", |seen| seen.ended(2, Final::Done) == 1).await?;
    assert!(!fleet.see().await?.words("robot-1", 2).contains(&"asked"));
    fleet.end().await
}
