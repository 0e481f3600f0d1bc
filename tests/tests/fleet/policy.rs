//! The delegate's own word: ask, decline, refuse, and a policy file that changes under way.

use std::fs;

use anyhow::Result;
use muster_proto::evidence::Event;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make};

/// The reason in a node's receipt `declined`.
fn declined(seen: &Seen, node: &str, serial: u64) -> Option<String> {
    seen.receipts(node, serial).into_iter().find_map(|receipt| match receipt.event {
        Event::Declined { reason } => Some(reason),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_asked_approve_late_and_decline_while_others_go_on() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.delegate("robot-1").policy("refuse")?;
    fleet.delegate("robot-2").policy("ask")?;
    fleet.delegate("robot-3").policy("ask")?;
    let restart = Script::new(1, "restart", 4).with("compatibility: halting");
    fleet.publish(&Script { budget: "{down: 2 of 4}".into(), ..restart }).await?;
    let asked = |seen: &Seen| {
        let asks = |node| seen.words(node, 1).ends_with(&["asked"]);
        asks("robot-2") && asks("robot-3") && seen.words("robot-1", 1).ends_with(&["declined"])
    };
    fleet.until("two are asked, one has refused", asked).await?;

    let why = "on holiday until Monday";
    let said = fleet.delegate("robot-3").cli(&["decline", "1", "--why", why]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    fleet
        .until("robot-4 is done, robot-2 still asks", |seen| {
            seen.ended(1, Final::Done) == 1 && seen.says("robot-2", 1).contains("operator")
        })
        .await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ["robot-4"]);
    assert_eq!(declined(&seen, "robot-3", 1).as_deref(), Some(why));
    let policy = "policy: hotfix routine: refuse";
    assert_eq!(declined(&seen, "robot-1", 1).as_deref(), Some(policy));
    let counted = seen.counted("robot-4", 1);
    assert_eq!(counted, Some(2), "who asks counts once; who declined does not count");

    let said = fleet.delegate("robot-2").cli(&["approve", "1", "--yes"]).await?;
    assert_eq!(said.code, 0, "{}", said.err);
    fleet.until("the late answer counts", |seen| seen.ended(1, Final::Done) == 2).await?;
    assert_eq!(fleet.see().await?.order(1), ["robot-4", "robot-2"]);
    let late = fleet.delegate("robot-3").cli(&["approve", "1", "--yes"]).await?;
    assert_eq!(late.code, 3, "a decline is final: {}", late.out);
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_policy_file_keeps_the_old_policy_and_a_good_one_needs_no_restart() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let (file, pid) = {
        let first = fleet.delegate("robot-1");
        (first.dir.join("policy.yaml"), first.pid())
    };
    fs::write(&file, "muster: policy/v1\ndefault: refuze\n")?;
    let problem = "policy.yaml:2:10";
    fleet
        .until_status("robot-1", |status| {
            status.policy.problem.as_ref().is_some_and(|said| said.contains(problem))
        })
        .await?;
    let shown = fleet.delegate("robot-1").cli(&["status"]).await?;
    assert!(shown.out.contains("refuze"), "status shows what is wrong: {}", shown.out);
    assert!(fleet.delegate("robot-1").log().contains("the old policy stays in force"));
    fleet.publish(&Script::new(1, "restart", 4).of(&["robot-1"])).await?;
    fleet.until("the old policy applies it", |seen| seen.ended(1, Final::Done) == 1).await?;

    fs::write(&file, "muster: policy/v1\ndefault: refuse\n")?;
    fleet.until_status("robot-1", |status| status.policy.problem.is_none()).await?;
    fleet.publish(&Script::new(2, "restart", 4).of(&["robot-1"]).with("after: [1]")).await?;
    fleet.until("the new policy refuses it", |seen| seen.ended(2, Final::Declined) == 1).await?;
    assert_eq!(fleet.delegate("robot-1").pid(), pid, "without a restart");
    fleet.end().await
}
