//! A version that fails after it passed (rule 7).

use anyhow::Result;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};
use muster_tests::node::behaviour::{Behaviour, Defect};

/// Blocks after which the height of the new version stands still: more than its self-test wants.
const SOUND_BLOCKS: u64 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_while_a_canary_is_bad_after_its_done() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let relapses = Behaviour::version("v2.4.4").scaled(10.0).starting_in(100);
    fleet.release(&relapses.with(Defect::FailsAfterBlocks(SOUND_BLOCKS))).await?;
    // The others have no permission before the canary is bad; the budget has room for one more.
    for node in ["robot-2", "robot-3", "robot-4"] {
        fleet.delegate(node).policy("ask")?;
    }
    let action = "action: upgrade\nrelease: v2.4.4\ncompatibility: halting".into();
    let upgrade = Script { action, ..Script::upgrade(1, "v2.4.4", 4) };
    let upgrade = Script { budget: "{down: 2 of 4}".into(), ..upgrade }.yaml();
    let strict = upgrade.replace("lag: 10 blocks", "lag: 3 blocks");
    assert_ne!(strict, upgrade);
    fleet.officers.publish_plan(&strict).await?;
    fleet.until("the canary is done", |seen| seen.ended(1, Final::Done) == 1).await?;

    let over = |seen: &Seen| {
        seen.says("robot-2", 1).starts_with("the plan is over: 1 failed, 0 tolerated")
    };
    for node in ["robot-2", "robot-3", "robot-4"] {
        let asked = |seen: &Seen| seen.words(node, 1).contains(&"asked");
        fleet.until("the operator is asked", asked).await?;
    }
    let canary_is_bad = |seen: &Seen| {
        let others = seen.beacon("robot-2").and_then(|beacon| beacon.health.height);
        let canary = seen.beacon("robot-1").and_then(|beacon| beacon.health.height);
        others > canary.map(|height| height + 6)
    };
    fleet.until("the canary stands still", canary_is_bad).await?;
    for node in ["robot-2", "robot-3", "robot-4"] {
        assert_eq!(fleet.delegate(node).cli(&["approve", "1", "--yes"]).await?.code, 0);
    }
    fleet.until("robot-2 says what failed", over).await?;
    let then = fleet.see().await?.beacon("robot-2").map_or(0, |beacon| beacon.counter);
    let later = |seen: &Seen| {
        seen.beacon("robot-2").is_some_and(|beacon| beacon.counter >= then + 5) && over(seen)
    };
    fleet.until("robot-2 looked five times more", later).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ["robot-1"], "nobody after the canary");
    assert!(seen.words("robot-1", 1).ends_with(&["done"]), "what it said stays said");

    // Its operator starts it again, and it follows the chain for some blocks.
    let canary = fleet.delegate("robot-1").container.clone();
    fleet.docker.restart_container(&canary, None).await?;
    fleet.until("robot-2 begins", |seen| seen.order(1).len() == 2).await?;
    assert_eq!(fleet.see().await?.order(1), ["robot-1", "robot-2"]);
    fleet.end().await
}
