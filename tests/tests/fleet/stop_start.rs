//! Ordered stop, start and restart of real containers.

use anyhow::Result;
use muster_proto::rule::Final;
use muster_tests::fleet::attendance::Change;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::{Fleet, Make, PATIENCE};

const ALL: [&str; 4] = ["robot-1", "robot-2", "robot-3", "robot-4"];

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_stopped_one_by_one_stays_down_and_is_started_again() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let attendance = fleet.attendance().await?;
    fleet.publish(&Script::stop(1, 4)).await?;
    fleet.until("all four are down", |seen| seen.ended(1, Final::Done) == 4).await?;

    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ALL);
    for pair in ALL.windows(2) {
        let (done, began) = (seen.at(pair[0], 1, "done"), seen.at(pair[1], 1, "began"));
        assert!(done < began, "{} began before {} was done", pair[1], pair[0]);
    }
    let down = fleet.referee.client().until(0, PATIENCE, |report| report.online() == 0).await?;
    fleet.referee.client().until(down.now_ms, PATIENCE, |_| attendance.left().len() >= 4).await?;
    assert_eq!(attendance.left(), ALL, "the order in which the chain lost them");

    // Five looks of every agent later nobody has started anything again.
    let then = ALL.map(|node| seen.beacon(node).map_or(0, |beacon| beacon.counter));
    let later = |seen: &muster_tests::fleet::script::Seen| {
        let newest = ALL.map(|node| seen.beacon(node).map_or(0, |beacon| beacon.counter));
        then.iter().zip(newest).all(|(then, newest)| newest >= then + 5)
    };
    fleet.until("every agent looked five times more", later).await?;
    for node in ALL {
        assert!(!fleet.container(node).await?.1, "{node} runs");
        assert_eq!(fleet.restart_policy(node).await?, "no", "{node}");
    }

    fleet.publish(&Script::start(2, 4).with("after: [1]")).await?;
    fleet.until("all four are started", |seen| seen.ended(2, Final::Done) == 4).await?;
    let tip = down.height;
    let up = |report: &muster_tests::referee::report::Report| {
        report.height > tip + 2 && report.all_at_tip()
    };
    fleet.referee.client().until(0, PATIENCE, up).await?;
    for node in ALL {
        assert!(fleet.container(node).await?.1, "{node} does not run");
        assert_eq!(fleet.restart_policy(node).await?, "on-failure", "{node}");
    }
    fleet.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_round_in_order_and_never_has_two_away() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let attendance = fleet.attendance().await?;
    let mark = fleet.referee.client().mark().await?;
    fleet.publish(&Script::new(1, "restart", 4)).await?;
    fleet.until("all four are done", |seen| seen.ended(1, Final::Done) == 4).await?;

    let seen = fleet.see().await?;
    assert_eq!(seen.order(1), ALL);
    assert!(ALL.iter().all(|node| seen.counted(node, 1) == Some(1)), "each counted itself only");
    let round = ALL
        .iter()
        .flat_map(|node| [Change::Left((*node).to_owned()), Change::Came((*node).to_owned())]);
    assert_eq!(attendance.changes(), round.collect::<Vec<_>>());
    let report = fleet.referee.report(mark);
    assert_eq!(report.lowest_online, Some(3), "UNSAFE: more than one away at a time");
    for node in ALL {
        assert_eq!(fleet.restart_policy(node).await?, "on-failure", "{node}");
    }
    fleet.end().await
}
