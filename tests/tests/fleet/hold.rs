//! A hold: a board's word that stops who has not begun, and nothing else.

use anyhow::Result;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};

const ORDER: [&str; 2] = ["robot-1", "robot-2"];

#[tokio::test(flavor = "multi_thread")]
async fn a_held_plan_is_begun_by_nobody_until_it_is_released() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let hanna = fleet.person("hanna", "watch, hold").await?;
    // Nobody has permission before the hold is there.
    for node in ORDER {
        fleet.delegate(node).policy("ask")?;
    }
    fleet.publish(&Script::new(1, "restart", 4).of(&ORDER)).await?;
    let asked = |seen: &Seen| ORDER.iter().all(|node| seen.words(node, 1).contains(&"asked"));
    fleet.until("both operators are asked", asked).await?;
    let hold = ["hold", "1", "--for", "10m", "--reason", "the bridge is busy"];
    assert_eq!(hanna.muster(&hold).await?.code, 0);
    for node in ORDER {
        assert_eq!(fleet.delegate(node).cli(&["approve", "1", "--yes"]).await?.code, 0);
    }

    let held = |seen: &Seen| seen.says("robot-1", 1).starts_with("held by hanna until");
    fleet.until("robot-1 names the hold", held).await?;
    let then = fleet.see().await?.beacon("robot-1").map_or(0, |beacon| beacon.counter);
    let later = |seen: &Seen| {
        seen.beacon("robot-1").is_some_and(|beacon| beacon.counter >= then + 5) && held(seen)
    };
    fleet.until("robot-1 looked five times more", later).await?;
    assert!(fleet.see().await?.began(1).is_empty(), "somebody began");
    for what in ["robot-1", "1"] {
        let why = hanna.muster(&["why", what]).await?;
        let words = why.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("held by hanna until") && words.contains("the bridge is busy"));
    }

    assert_eq!(hanna.muster(&["release-hold", "1"]).await?.code, 0);
    fleet.until("both are done", |seen| seen.ended(1, Final::Done) == 2).await?;
    assert_eq!(fleet.see().await?.order(1), ORDER);
    fleet.end().await
}
