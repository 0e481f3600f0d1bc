//! Two plans open at once: one after another, one in place of another.

use anyhow::Result;
use muster_proto::evidence::Event;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};

/// A restart that keeps its first node in hand long enough for another plan to come.
fn slow(serial: u64, nodes: &[&str]) -> Script {
    Script { hold: "2s".into(), ..Script::new(serial, "restart", 4).of(nodes) }
}

/// What a node had in hand when it promised the plan of that serial.
fn in_hand(seen: &Seen, node: &str, serial: u64) -> Option<u64> {
    seen.receipts(node, serial).into_iter().find_map(|receipt| match receipt.event {
        Event::Acknowledged { in_hand } => in_hand.map(|plan| plan.serial),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_comes_after_another_begins_when_its_last_gate_is_met() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let mark = fleet.referee.client().mark().await?;
    fleet.publish(&Script::new(1, "restart", 4).of(&["robot-1", "robot-2"])).await?;
    let later = Script::new(2, "restart", 4).of(&["robot-3", "robot-1"]);
    fleet.publish(&later.with("after: [1]")).await?;
    let comes_first = "plan 1 comes first and is not over";
    fleet.until("robot-3 waits", |seen| seen.says("robot-3", 2) == comes_first).await?;
    fleet
        .until("both are done", |seen| {
            seen.ended(1, Final::Done) == 2 && seen.ended(2, Final::Done) == 2
        })
        .await?;

    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ["robot-1", "robot-2"]);
    assert_eq!(seen.order(2), ["robot-3", "robot-1"]);
    let gate = seen.at("robot-2", 1, "done");
    assert!(gate < seen.at("robot-3", 2, "began"), "before the last gate of the first plan");
    for node in ["robot-1", "robot-2"] {
        let (done, promised) = (seen.at(node, 1, "done"), seen.at(node, 2, "acknowledged"));
        assert!(done < promised, "{node} promised the second before its part of the first");
    }
    assert_eq!(fleet.referee.report(mark).lowest_online, Some(3), "UNSAFE: two away");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_supersedes_lets_the_one_in_hand_finish_and_nobody_else_begin() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let mark = fleet.referee.client().mark().await?;
    fleet.publish(&slow(1, &["robot-1", "robot-2", "robot-3"])).await?;
    fleet.until("robot-1 is at work", |seen| seen.order(1) == ["robot-1"]).await?;
    let newer = Script::new(2, "restart", 4).of(&["robot-2"]);
    fleet.publish(&newer.with("supersedes: [1]")).await?;
    fleet.until("the newer one is done", |seen| seen.ended(2, Final::Done) == 1).await?;

    let seen = fleet.see().await?;
    assert_eq!(in_hand(&seen, "robot-1", 2), Some(1), "it promised with the first in hand");
    assert!(seen.words("robot-1", 1).ends_with(&["done"]), "and finished that");
    assert_eq!(seen.order(1), ["robot-1"], "nobody else began the old one");
    assert!(seen.says("robot-2", 1).contains("takes the place of this one"));
    assert_eq!(seen.order(2), ["robot-2"]);
    let (done, began) = (seen.at("robot-1", 1, "done"), seen.at("robot-2", 2, "began"));
    assert!(done < began, "what is in hand counts until it is final");
    assert_eq!(fleet.referee.report(mark).lowest_online, Some(3), "UNSAFE: two away");
    fleet.end().await
}
