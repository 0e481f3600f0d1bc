//! SIGTERM to an agent: a node that is down comes up again, and nothing is begun.

use anyhow::Result;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};

const WHOLE: [&str; 5] = ["acknowledged", "prepared", "began", "stopped", "done"];

/// How often an agent told its container to stop.
fn signals(fleet: &mut Fleet, node: &str) -> usize {
    let calls = fleet.delegate(node).proxy.calls();
    calls.iter().filter(|call| call.path.contains("/kill?")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_agent_brings_its_node_up_and_one_that_waits_for_its_turn_begins_nothing()
-> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let order = ["robot-1", "robot-2"];
    // The node is down and coming up for so long that the signal finds it there.
    let slow = Script { hold: "2s".into(), ..Script::new(1, "restart", 4).of(&order) };
    fleet.publish(&slow).await?;
    let stopped = |seen: &Seen| {
        seen.words("robot-1", 1).ends_with(&["stopped"])
            && seen.words("robot-2", 1).ends_with(&["prepared"])
    };
    fleet.until("robot-1 is down", stopped).await?;
    assert!(fleet.delegate("robot-2").drain().await?.success());
    assert!(fleet.delegate("robot-1").drain().await?.success());
    assert!(fleet.container("robot-1").await?.1, "it was left down");
    assert_eq!(fleet.see().await?.order(1), ["robot-1"]);

    // The next start tests what runs, and commits it.
    fleet.delegate("robot-1").start()?;
    fleet.until("the step is done", |seen| seen.ended(1, Final::Done) == 1).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.words("robot-1", 1), WHOLE, "once, and whole");
    assert_eq!(signals(&mut fleet, "robot-1"), 1, "it was stopped again");
    assert_eq!(fleet.restart_policy("robot-1").await?, "on-failure");
    assert!(!seen.words("robot-2", 1).contains(&"began"));
    fleet.delegate("robot-2").start()?;
    fleet.until("both are done", |seen| seen.ended(1, Final::Done) == 2).await?;
    assert_eq!(fleet.see().await?.words("robot-2", 1), WHOLE);
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_drained_while_it_waits_for_the_beat_does_not_begin() -> Result<()> {
    let mut fleet = Fleet::up(Make::on_the_beat(4)).await?;
    // On a chain that stands still the beat is waited for longest.
    for node in ["robot-3", "robot-4"] {
        let container = fleet.delegate(node).container.clone();
        fleet.docker.stop_container(&container, None).await?;
    }
    let before = fleet.container("robot-1").await?;
    let restart = Script::new(1, "restart", 4).of(&["robot-1"]);
    let restart = restart.with("compatibility: halting");
    fleet.publish(&Script { budget: "all".into(), ..restart }).await?;
    let on_it = "waiting for the beat";
    let waits = |status: &muster_agent::control::view::Status| {
        status.plans.first().is_some_and(|plan| plan.text == on_it)
    };
    fleet.until_status("robot-1", waits).await?;
    assert!(fleet.delegate("robot-1").drain().await?.success());
    assert!(fleet.delegate("robot-1").log().contains("draining"));
    let seen = fleet.see().await?;
    assert!(seen.began(1).is_empty(), "{:?}", seen.words("robot-1", 1));
    assert_eq!(fleet.container("robot-1").await?, before);
    assert_eq!(signals(&mut fleet, "robot-1"), 0);
    fleet.end().await
}
