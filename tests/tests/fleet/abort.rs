//! An abort: one key ends a plan for everybody who has not begun, and takes back who is half way.

use anyhow::Result;
use muster_agent::control::view::Status;
use muster_proto::evidence::{Beacon, Event};
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};
use muster_tests::node::behaviour::{Behaviour, Defect};
use serde_json::Value;

const REST: [&str; 3] = ["robot-2", "robot-3", "robot-4"];
const REASON: &str = "the canary makes no block";
const SAYS: &str = "the plan is aborted: the canary makes no block; a new plan is needed";

/// Containers on the Engine that belong to a delegate, the prepared successor among them.
async fn containers(fleet: &Fleet, name: &str) -> Result<usize> {
    let all = bollard::query_parameters::ListContainersOptionsBuilder::new().all(true).build();
    let listed = fleet.docker.list_containers(Some(all)).await?;
    let container = fleet.delegates.iter().find(|it| it.name == name).expect("it is there");
    let own = |names: &Vec<String>| names.iter().any(|name| name.contains(&container.container));
    Ok(listed.iter().filter(|one| one.names.as_ref().is_some_and(own)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_half_way_goes_back_and_nobody_else_ever_begins() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let anna = fleet.watcher("anna").await?;
    let (before, _) = fleet.container("robot-1").await?;
    // It never becomes well, and has all the time that the plan gives.
    let bad = Behaviour::version("v2.4.4").scaled(10.0).starting_in(100);
    fleet.release(&bad.with(Defect::ReadyNotAdvancing)).await?;
    fleet.publish(&Script::upgrade(1, "v2.4.4", 4)).await?;
    let middle = |seen: &Seen| {
        let ready = REST.iter().all(|node| seen.words(node, 1).contains(&"prepared"));
        // The new node has come up: one in start-up would be deaf to the stop.
        let up = |beacon: &Beacon| beacon.health.version.as_deref() == Some("v2.4.4");
        ready && seen.beacon("robot-1").is_some_and(up)
    };
    fleet.until("the canary is half way, the others are prepared", middle).await?;
    assert_eq!(containers(&fleet, "robot-2").await?, 2, "its successor is there");

    fleet.officers.abort(1, REASON).await?;
    let back = |seen: &Seen| {
        seen.ended(1, Final::RolledBack) == 1 && REST.iter().all(|node| seen.says(node, 1) == SAYS)
    };
    fleet.until("the canary is back, the others say why they never begin", back).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ["robot-1"]);
    let failed = seen.receipts("robot-1", 1).into_iter().find_map(|receipt| match receipt.event {
        Event::Failed { code, why } => Some((code, why)),
        _ => None,
    });
    let (code, why) = failed.expect("it says why it goes back");
    assert_eq!((code.as_str(), why.contains(REASON)), ("E337", true), "{why}");
    assert_eq!(fleet.container("robot-1").await?, (before, true));
    let tidy = |status: &Status| {
        let plan = status.plans.iter().find(|plan| plan.plan.serial == 1);
        plan.is_some_and(|plan| plan.stage == "acknowledged" || plan.stage == "verified")
    };
    fleet.until_status("robot-2", tidy).await?;
    assert_eq!(containers(&fleet, "robot-2").await?, 1, "what was prepared is taken away");

    // Everybody who looks is told, and a script sees how the plan ended.
    let watch = anna.muster(&["watch", "1", "--lines"]).await?;
    assert_eq!(watch.code, 1, "it did not come to its own end: {}", watch.out);
    assert!(watch.out.contains("ABORTED") && watch.out.contains(REASON), "{}", watch.out);
    let why = anna.muster(&["why", "robot-3"]).await?;
    assert!(why.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(SAYS), "{}", why.out);

    let told: Value =
        serde_json::from_str(&anna.muster(&["--json", "attendance", "1"]).await?.out)?;
    assert_eq!(told["aborted"]["reason"], REASON);
    assert!(told["doubt"].is_null(), "{told}");

    // It is remembered without any board, and another plan goes its way.
    fleet.boards[0].kill().await?;
    fleet.delegate("robot-3").kill().await?;
    fleet.delegate("robot-3").start()?;
    let knows = |status: &Status| status.plans.iter().any(|plan| plan.text == SAYS);
    fleet.until_status("robot-3", knows).await?;
    fleet.boards[0].start().await?;
    let address = fleet.boards[0].address.clone();
    fleet.officers.attach(&address).await?;
    let next = Script::new(2, "restart", 4).of(&["robot-3"]).with("supersedes: [1]");
    fleet.publish(&next).await?;
    fleet.until("the next plan is done", |seen| seen.ended(2, Final::Done) == 1).await?;
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_comes_before_its_plan_is_heeded_too() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.delegate("robot-2").kill().await?;
    let order = ["robot-2", "robot-1"];
    fleet.publish(&Script::new(1, "restart", 4).of(&order)).await?;
    fleet.officers.abort(1, REASON).await?;
    // It was away for all of it, and hears of plan and abort in one go.
    fleet.delegate("robot-2").start()?;
    let told = |seen: &Seen| order.iter().all(|node| seen.says(node, 1) == SAYS);
    fleet.until("both say why they never begin", told).await?;
    assert!(fleet.see().await?.began(1).is_empty());
    fleet.end().await
}
