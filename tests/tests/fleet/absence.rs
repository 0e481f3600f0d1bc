//! Delegates whose agent is not there when a plan is signed, and who come back late.

use anyhow::Result;
use jiff::SignedDuration;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make, PATIENCE};
use muster_tests::node::behaviour::Behaviour;

/// `absent-after` of every plan here.
const ABSENT_AFTER: SignedDuration = SignedDuration::from_secs(4);

/// Two of four seats may be away: room for one who is absent and one at work.
fn roomy(script: Script) -> Script {
    Script { budget: "{down: 2 of 4}".into(), ..script }.with("compatibility: halting")
}

#[tokio::test(flavor = "multi_thread")]
async fn others_go_on_without_an_absent_delegate_who_takes_his_turn_when_he_returns() -> Result<()>
{
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.delegate("robot-2").kill().await?;
    let last = fleet.see().await?.beacon("robot-2").map(|beacon| beacon.at);
    let mark = fleet.referee.client().mark().await?;
    fleet.publish(&roomy(Script::new(1, "restart", 4))).await?;
    fleet
        .until("robot-3 waits for robot-2", |seen| {
            seen.says("robot-3", 1).contains("robot-2 before it at work or at their turn")
        })
        .await?;
    fleet.until("two are done", |seen| seen.ended(1, Final::Done) == 2).await?;

    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ["robot-1", "robot-3"]);
    let gone_since = last.expect("it sent beacons before");
    let began = seen.at("robot-3", 1, "began").expect("it began");
    assert!(began.duration_since(gone_since) > ABSENT_AFTER, "it went at once");
    let counted = ["robot-1", "robot-3"].map(|node| seen.counted(node, 1));
    assert_eq!(counted, [Some(2); 2], "himself and the absent one, each once");
    let report = fleet.referee.report(mark);
    assert_eq!(report.lowest_online, Some(3), "the absent agent's node ran all the time");
    assert!(seen.words("robot-2", 1).is_empty());

    fleet.delegate("robot-2").start()?;
    fleet.until("the late one is done", |seen| seen.ended(1, Final::Done) == 3).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ["robot-1", "robot-3", "robot-2"]);
    assert_eq!(seen.counted("robot-2", 1), Some(1), "under the same rule: only himself is away");
    fleet.end().await
}

/// `robot-2` is away while the others do `script`; it follows when it is back.
async fn robot_2_comes_late(fleet: &mut Fleet, script: Script) -> Result<()> {
    let serial = script.serial;
    fleet.delegate("robot-2").kill().await?;
    let last = fleet.see().await?.beacon("robot-2").map(|beacon| beacon.at);
    fleet.publish(&script).await?;
    let others_done = |seen: &Seen| seen.ended(serial, Final::Done) == 3;
    fleet.until("three are done without the absent one", others_done).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(serial), ["robot-1", "robot-3", "robot-4"]);
    let began = seen.at("robot-3", serial, "began").expect("it began");
    let gone_for = began.duration_since(last.expect("it sent beacons before"));
    assert!(gone_for > ABSENT_AFTER, "robot-3 went {gone_for:?} after the last beacon");
    assert!(seen.words("robot-2", serial).is_empty());

    fleet.delegate("robot-2").start()?;
    fleet.until("the late one is done", |seen| seen.ended(serial, Final::Done) == 4).await?;
    assert_eq!(fleet.see().await?.order(serial), ["robot-1", "robot-3", "robot-4", "robot-2"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_stopped_around_an_absent_delegate_who_is_stopped_when_he_returns() -> Result<()>
{
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let attendance = fleet.attendance().await?;
    robot_2_comes_late(&mut fleet, Script::stop(1, 4)).await?;
    fleet.referee.client().until(0, PATIENCE, |report| report.online() == 0).await?;
    assert_eq!(attendance.left(), ["robot-1", "robot-3", "robot-4", "robot-2"]);
    assert!(!fleet.container("robot-2").await?.1, "it runs");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_started_around_an_absent_delegate_who_is_started_when_he_returns() -> Result<()>
{
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.publish(&Script::stop(1, 4).with("parallel: 4")).await?;
    fleet.until("all four are down", |seen| seen.ended(1, Final::Done) == 4).await?;
    let one_by_one = Script { more: Vec::new(), ..Script::start(2, 4) };
    robot_2_comes_late(&mut fleet, one_by_one.with("after: [1]")).await?;
    fleet.referee.client().until(0, PATIENCE, |report| report.all_at_tip()).await?;
    assert!(fleet.container("robot-2").await?.1, "it does not run");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_delegate_of_an_early_wave_is_not_done_and_holds_the_next_wave() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.release(&Behaviour::version("v2.4.4").scaled(10.0).starting_in(100)).await?;
    fleet.delegate("robot-1").kill().await?;
    let waves = vec![
        "{wave: early, nodes: [robot-1, robot-2]}".into(),
        "{wave: rest, nodes: [robot-3, robot-4]}".into(),
    ];
    let upgrade = Script { waves, ..Script::upgrade(1, "v2.4.4", 4) };
    let action = "action: upgrade\nrelease: v2.4.4".into();
    let upgrade = roomy(Script { action, ..upgrade }).with("parallel: 2");
    fleet.publish(&upgrade).await?;
    let at_the_gate = |seen: &Seen| {
        let waits = |node| seen.says(node, 1) == "wave early: 1 of 2 done";
        seen.ended(1, Final::Done) == 1 && waits("robot-3") && waits("robot-4")
    };
    fleet.until("the second wave waits at the gate", at_the_gate).await?;
    assert_eq!(fleet.see().await?.order(1), ["robot-2"]);

    fleet.delegate("robot-1").start()?;
    fleet.until("all four are done", |seen| seen.ended(1, Final::Done) == 4).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(1)[..2], ["robot-2", "robot-1"]);
    for node in ["robot-3", "robot-4"] {
        assert!(seen.at("robot-1", 1, "done") < seen.at(node, 1, "began"), "{node} went early");
    }
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_absent_one_uses_up_the_budget_everybody_waits_for_him_and_says_so() -> Result<()>
{
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.delegate("robot-4").kill().await?;
    let order = ["robot-1", "robot-2", "robot-4"];
    fleet.publish(&Script::new(1, "restart", 4).of(&order)).await?;
    let budget = "2 seats would be away, the budget is 1: robot-4";
    fleet.until("the first one waits", |seen| seen.says("robot-1", 1) == budget).await?;
    assert!(fleet.see().await?.began(1).is_empty());

    fleet.delegate("robot-4").start()?;
    fleet.until("all three are done", |seen| seen.ended(1, Final::Done) == 3).await?;
    assert_eq!(fleet.see().await?.order(1), order, "nobody lost his turn");
    fleet.end().await
}
