//! Emergency stops: by the clock when nobody can be reached, sooner with evidence, over a step in
//! hand, and until a document of the full threshold ends them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use muster_proto::evidence::Event;
use muster_proto::evidence::beacon::OnEmergency;
use muster_proto::rule::Final;
use muster_tests::fleet::script::{Script, Seen};
use muster_tests::fleet::{Fleet, Make, PATIENCE};
use muster_tests::node::behaviour::Behaviour;

const ALL: [&str; 4] = ["robot-1", "robot-2", "robot-3", "robot-4"];

/// A stop of everybody by one emergency key.
fn emergency(serial: u64, schedule: &str) -> Script {
    let stop = Script { class: "emergency".into(), ..Script::stop(serial, 4) };
    stop.with(&format!("schedule: {schedule}"))
}

/// A start of everybody that ends an emergency.
fn start(serial: u64, emergency: u64) -> Script {
    Script::start(serial, 4).with(&format!("ends: [emergency/{emergency}]"))
}

/// Whole seconds from now.
fn soon(seconds: i64) -> Timestamp {
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    Timestamp::from_second(at.as_second()).unwrap_or_default()
}

/// Looks until none of these runs, at the longest until the deadline of all waits.
async fn until_down(fleet: &Fleet, nodes: &[&str]) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    loop {
        pace.tick().await;
        let mut up = Vec::new();
        for node in nodes {
            if fleet.container(node).await?.1 {
                up.push(*node);
            }
        }
        if up.is_empty() {
            return Ok(());
        }
        let late = tokio::time::Instant::now() >= deadline;
        anyhow::ensure!(!late, "{up:?} still run\n{}", fleet.logs());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivered_stop_takes_effect_slot_by_slot_with_every_board_gone() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let first = soon(8);
    fleet.publish(&emergency(7, &format!("{{start: {first}, pace: 2s}}"))).await?;
    let prepared = |seen: &Seen| ALL.iter().all(|node| seen.at(node, 7, "prepared").is_some());
    fleet.until("everybody holds it", prepared).await?;
    fleet.boards[0].kill().await?;
    // One agent is not even there between the delivery and its slot.
    fleet.delegate("robot-3").kill().await?;
    fleet.delegate("robot-3").start()?;
    until_down(&fleet, &ALL).await?;

    for (place, node) in (0_i64..).zip(ALL) {
        let slot = first + SignedDuration::from_secs(2 * place);
        let ended = fleet.finished(node).await?;
        let late = ended.duration_since(slot).as_secs_f64();
        assert!((0.0..4.0).contains(&late), "{node} was down {late:.1} s after its slot");
        assert_eq!(fleet.restart_policy(node).await?, "no", "{node}");
    }
    // The evidence arrives when the board is back, and says the same.
    fleet.boards[0].start().await?;
    let address = fleet.boards[0].address.clone();
    fleet.officers.attach(&address).await?;
    fleet.until("all said so", |seen| seen.ended(7, Final::Done) == 4).await?;
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_makes_it_sooner_and_what_is_down_stays_down_until_it_is_ended() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.publish(&emergency(7, "{pace: 10m}")).await?;
    fleet.until("all are down", |seen| seen.ended(7, Final::Done) == 4).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.order(7), ALL, "in order, long before the slots");
    for pair in ALL.windows(2) {
        assert!(seen.at(pair[0], 7, "stopped") <= seen.at(pair[1], 7, "began"), "{pair:?}");
    }

    fleet.publish(&Script::start(1, 4)).await?;
    let held = |seen: &Seen, node: &str| seen.says(node, 1).contains("emergency/7 holds this node");
    let all_held = |seen: &Seen| ALL.iter().all(|node| held(seen, node));
    fleet.until("a start that does not end it waits", all_held).await?;
    // Nor does the restart of an agent, which forgets everything but its journal.
    fleet.delegate("robot-2").kill().await?;
    fleet.delegate("robot-2").start()?;
    fleet.until("robot-2 says so again", |seen| held(seen, "robot-2")).await?;
    for node in ALL {
        assert!(!fleet.container(node).await?.1, "{node} runs");
    }

    fleet.publish(&start(2, 7).with("supersedes: [1]")).await?;
    fleet.until("all are started", |seen| seen.ended(2, Final::Done) == 4).await?;
    for node in ALL {
        assert!(fleet.container(node).await?.1, "{node} does not run");
        assert_eq!(fleet.restart_policy(node).await?, "on-failure", "{node}");
    }
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_during_stop_and_start_ignores_the_stop() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    fleet.delegate("robot-4").kill().await?;
    let (away, others) = (ALL[3], &ALL[..3]);
    fleet.publish(&emergency(7, "at-once")).await?;
    until_down(&fleet, others).await?;
    assert!(fleet.container(away).await?.1, "nobody told it");
    fleet.publish(&start(1, 7)).await?;
    fleet.until("three are started", |seen| seen.ended(1, Final::Done) >= 3).await?;
    fleet.delegate(away).start()?;
    fleet.until("it took part in the start", |seen| seen.ended(1, Final::Done) == 4).await?;
    let seen = fleet.see().await?;
    assert!(seen.says(away, 7).contains("emergency/7 is ended"), "{}", seen.says(away, 7));
    assert_eq!(seen.at(away, 7, "began"), None, "it was never stopped");
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_is_asked_keeps_his_node_and_holds_nobody_up() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let hanna = fleet.watcher("hanna").await?;
    fleet.delegate("robot-2").policy("ask")?;
    let asks = |seen: &Seen| {
        let beacon = seen.beacon("robot-2");
        beacon.is_some_and(|beacon| beacon.emergency == Some(OnEmergency::Ask))
    };
    fleet.until("robot-2 says that it would ask", asks).await?;
    let stop = ["emergency", "stop", "--reason", "a test", "--key", "none.pem", "--dry-run"];
    let shown = hanna.muster(&stop).await?;
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.contains("1 node will not obey by itself"), "{}", shown.out);
    assert!(shown.out.contains("robot-2 (it asks its operator first)"), "{}", shown.out);

    fleet.publish(&emergency(7, "{pace: 1s}")).await?;
    until_down(&fleet, &["robot-1", "robot-3", "robot-4"]).await?;
    fleet.until("robot-2 asks", |seen| seen.at("robot-2", 7, "asked").is_some()).await?;
    assert!(fleet.container("robot-2").await?.1);
    let said = fleet.delegate("robot-2").cli(&["approve", "emergency/7", "--yes"]).await?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    until_down(&fleet, &["robot-2"]).await?;
    fleet.end().await
}

/// An upgrade of robot-1 whose test holds for so long that the stop comes in the middle of it;
/// returns the images of the old and the new node.
async fn interrupted(fleet: &mut Fleet) -> Result<[String; 2]> {
    let release = fleet.release(&Behaviour::version("v2.4.4").scaled(10.0).starting_in(50)).await?;
    let old = fleet.container("robot-1").await?.0;
    let upgrade = Script::upgrade(1, &release.version, 4);
    fleet.publish(&Script { hold: "6s".into(), ..upgrade }).await?;
    let tested = |seen: &Seen| seen.says("robot-1", 1).contains("self-test: well so far");
    fleet.until("robot-1 is being tested", tested).await?;
    fleet.publish(&emergency(7, "at-once")).await?;
    fleet.until("all are down", |seen| seen.ended(7, Final::Done) == 4).await?;
    let new = release.images["linux/amd64"].config.to_string();

    let seen = fleet.see().await?;
    let stopped = seen.receipts("robot-1", 7).into_iter().find_map(|receipt| match receipt.event {
        Event::Stopped { beside, .. } => Some(beside),
        _ => None,
    });
    let beside = stopped.flatten().context("both are named")?;
    assert_eq!(beside.to_string(), old, "the old one is the other that is kept");
    assert!(!seen.words("robot-1", 1).contains(&"done"), "nothing is committed");
    let held = |seen: &Seen| seen.says("robot-1", 1).contains("emergency/7 holds this node");
    fleet.until("it says who holds it", held).await?;
    Ok([old, new])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_an_upgrade_is_followed_by_the_old_node() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let [old, _] = interrupted(&mut fleet).await?;
    fleet.publish(&start(2, 7).with("supersedes: [1]")).await?;
    fleet.until("all are started", |seen| seen.ended(2, Final::Done) == 4).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.words("robot-1", 1).last(), Some(&"rolled-back"));
    assert_eq!(fleet.container("robot-1").await?, (old, true));
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_an_upgrade_is_followed_by_the_new_node_when_so_signed()
-> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let [_, new] = interrupted(&mut fleet).await?;
    let on = start(2, 7).with("supersedes: [1]").with("interrupted: go-on");
    fleet.publish(&on).await?;
    fleet.until("all are started", |seen| seen.ended(2, Final::Done) == 4).await?;
    let seen = fleet.see().await?;
    assert_eq!(seen.words("robot-1", 1).last(), Some(&"done"));
    assert_eq!(fleet.container("robot-1").await?, (new, true));
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_wins_over_a_restart_in_hand_and_over_every_hotfix_that_is_open() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let three = Script::new(1, "restart", 4).of(&ALL[..3]);
    fleet.publish(&Script { hold: "6s".into(), ..three }).await?;
    fleet.until("robot-1 is at work", |seen| seen.order(1) == ["robot-1"]).await?;
    // The restart has just started it, and a node that starts is deaf: it is killed after the grace.
    let stop = emergency(7, "{pace: 10m, grace: 3s}").of(&["robot-4", "robot-1"]);
    fleet.publish(&stop).await?;
    let promised = "a newer plan, emergency/7";
    fleet.until("robot-2 says so", |seen| seen.says("robot-2", 1).contains(promised)).await?;
    fleet.until("both are down", |seen| seen.ended(7, Final::Done) == 2).await?;

    let seen = fleet.see().await?;
    assert_eq!(seen.order(7), ["robot-4", "robot-1"]);
    let acknowledged = seen.receipts("robot-1", 7).into_iter().find_map(|it| match it.event {
        Event::Acknowledged { in_hand } => in_hand.map(|plan| plan.serial),
        _ => None,
    });
    assert_eq!(acknowledged, Some(1), "it promised with the restart in hand");
    assert_eq!(seen.at("robot-1", 1, "done"), None, "and did not finish that first");
    assert_eq!(seen.order(1), ["robot-1"], "nobody begins a hotfix under an emergency");
    for (node, runs) in [("robot-1", false), ("robot-2", true), ("robot-4", false)] {
        assert_eq!(fleet.container(node).await?.1, runs, "{node}");
    }
    fleet.end().await
}
