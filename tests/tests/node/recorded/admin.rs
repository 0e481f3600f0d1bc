//! Standing by and pausing over the admin port: who follows, who stands still, what others make of it.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::referee::report::Report;
use serde_json::Value;

use super::log::lines;
use super::metrics::page;
use super::{PATIENCE, json};

/// Height of the network, height of the node, its readiness.
type Look = (u64, u64, u64);

/// Empty 200, as recorded of everything that changes something.
async fn ask(fleet: &mut Fleet, n: usize, path: &str) -> Result<()> {
    let answer = fleet.delegates[n].node()?.admin(path).await?;
    assert_eq!(answer, (200, String::new()), "{path}");
    Ok(())
}

async fn start(number: u8) -> Result<Fleet> {
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    Fleet::start(number, 4, &behaviour, "30s", PATIENCE).await
}

/// Waits until all are connected, and the referee knows these modes, active and paused; the others are active.
async fn known(fleet: &Fleet, modes: &[(usize, (bool, bool))]) -> Result<()> {
    let all = |r: &Report| {
        let mode = |n| modes.iter().find(|m| m.0 == n).map_or((true, false), |m| m.1);
        let as_wanted = |n: usize| (r.seats[n].active, r.seats[n].paused) == mode(n);
        r.online() == 4 && (0..4).all(as_wanted)
    };
    fleet.until(0, PATIENCE, all).await.map(|_| ())
}

/// The delegate of each `294:3`: which of the four.
fn recorded_producers(list: &Value) -> Vec<usize> {
    let all = list.as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    all.map(|text| text.split_once(':').unwrap().1.parse().unwrap()).collect()
}

fn producers(fleet: &Fleet, report: &Report) -> Vec<usize> {
    let index = |address: &str| fleet.delegates.iter().position(|d| d.address() == address);
    report.blocks.iter().filter_map(|b| index(&b.block.producer)).collect()
}

/// Who of four is absent from the blocks after the first two, which may have been in the making.
fn absent(producers: &[usize]) -> BTreeSet<usize> {
    assert!(producers.len() >= 8, "{producers:?}");
    (0..4).filter(|n| !producers[2..].contains(n)).collect()
}

#[tokio::test]
async fn one_that_stands_by_follows_and_two_halt_four() -> Result<()> {
    let recorded = json("admin-port.json");
    let theirs = recorded_producers(&recorded["one standby: producers (height:delegate)"]);
    assert_eq!(absent(&theirs), BTreeSet::from([1]));
    let mut fleet = start(0).await?;
    ask(&mut fleet, 1, "/ha?activate=false").await?;
    let (_, said) = fleet.delegates[1].node()?.admin("/ha").await?;
    assert_eq!(said, "{\"active\":false}\n");
    known(&fleet, &[(1, (false, false))]).await?;
    let mark = fleet.mark();
    let report = fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 8 && r.all_at_tip()).await?;
    assert_eq!(absent(&producers(&fleet, &report)), BTreeSet::from([1]), "and it follows");
    assert_eq!(report.lowest_online, Some(3));
    let node = fleet.delegates[1].node()?;
    let ready = node.get("/readiness").await?;
    let standby = &recorded["standby readiness"];
    assert_eq!((standby[0].as_u64(), standby[1].as_str()), (Some(ready.0.into()), Some(&*ready.1)));

    // Of two nothing came in 20 s, which are 8 intervals.
    assert_eq!(recorded["two standby of 4: heights"].as_array().unwrap().len(), 1);
    ask(&mut fleet, 2, "/ha?activate=false").await?;
    known(&fleet, &[(1, (false, false)), (2, (false, false))]).await?;
    let mark = fleet.mark();
    let passed = |r: &Report| r.now_ms >= mark + 8 * r.interval_ms;
    let halted = fleet.until(mark, PATIENCE, passed).await?;
    assert!(halted.blocks.len() <= 1, "a block that was certain still commits");

    // The next block 1.5 s later: in the round that runs, and not in the one after the next.
    assert!(recorded["after re-activation: heights"][1][0].as_f64() < Some(2.5));
    let mark = fleet.mark();
    for n in [1, 2] {
        ask(&mut fleet, n, "/ha?activate=true").await?;
    }
    let back = fleet.until(mark, PATIENCE, |r| !r.blocks.is_empty()).await?;
    assert!(back.blocks[0].time_ms - mark <= 2 * back.interval_ms, "{mark} {:?}", back.blocks);
    let report = fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 10).await?;
    let theirs = recorded_producers(&recorded["producers after"]);
    for producers in [theirs, producers(&fleet, &report)] {
        assert!(producers.contains(&1) && producers.contains(&2), "{producers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_configuration_and_admin_port_say_of_standing_by_holds_until_the_next_start()
-> Result<()> {
    let mut fleet = start(1).await?;
    let recorded = json("admin-port.json");
    let restart = &recorded["/ha?activate=false survives restart? "][3];
    assert!(restart.as_str().unwrap().contains("{\"active\":true}"), "it does not");
    ask(&mut fleet, 3, "/ha?activate=false").await?;
    ask(&mut fleet, 3, "/pause").await?;
    known(&fleet, &[(3, (false, true))]).await?;
    fleet.delegates[3].node()?.stop(PATIENCE).await?;
    let config = fleet.delegates[3].home.config();
    let text = std::fs::read_to_string(&config)?;
    fleet.delegates[3].start()?;
    known(&fleet, &[]).await?;

    fleet.delegates[3].node()?.stop(PATIENCE).await?;
    std::fs::write(&config, text.replace("system:\n", "system:\n  active: false\n"))?;
    fleet.delegates[3].start()?;
    known(&fleet, &[(3, (false, false))]).await?;
    let node = fleet.delegates[3].node()?;
    // The port opens just before the node joins the others.
    assert_eq!(node.admin("/ha").await?.1, "{\"active\":false}\n");
    ask(&mut fleet, 3, "/ha?activate=maybe").await?;
    ask(&mut fleet, 3, "/ha?activate=TRUE&x=y").await?;
    known(&fleet, &[]).await
}

#[tokio::test]
async fn without_an_admin_port_nobody_listens() -> Result<()> {
    let mut fleet = start(2).await?;
    fleet.delegates[3].node()?.stop(PATIENCE).await?;
    assert!(fleet.delegates[3].node()?.admin("/ha").await.is_err(), "closed with the node");
    let config = fleet.delegates[3].home.config();
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(&config, text.replace("httpAdminPort: 9009", "httpAdminPort: 0"))?;
    fleet.delegates[3].start()?;
    known(&fleet, &[]).await?;
    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.height().await.is_some()).await?;
    assert!(node.admin("/ha").await.is_err());
    Ok(())
}

async fn look(fleet: &mut Fleet) -> Result<Look> {
    let net = fleet.referee.report(u64::MAX).height;
    let node = fleet.delegates[1].node()?;
    let height = node.height().await.unwrap_or_default();
    Ok((net, height, node.status("/readiness").await.into()))
}

/// Looks of a recording, without the seconds.
fn looks(list: &Value) -> Vec<Look> {
    let number = |look: &Value, n: usize| look[n].as_u64().unwrap();
    let all = list.as_array().unwrap().iter();
    all.map(|look| (number(look, 1), number(look, 2), number(look, 3))).collect()
}

/// The network goes on; the node stands still, and is ready.
fn stands_still(looks: &[Look]) {
    let (first, last) = (looks[0], looks[looks.len() - 1]);
    assert!(last.0 >= first.0 + 8, "{looks:?}");
    assert!(looks.iter().all(|look| (look.1, look.2) == (first.1, 200)), "{looks:?}");
}

/// Still behind at first, at the tip at last, and nothing in between but old blocks that are applied.
fn jumps(looks: &[Look]) {
    let (first, last) = (looks[0], looks[looks.len() - 1]);
    let stuck = looks.iter().filter(|look| look.1 == first.1).count();
    assert!(stuck >= 5 && first.1 + 8 < first.0, "{looks:?}");
    assert!(last.1 + 1 >= last.0 && last.2 == 200, "{looks:?}");
    assert!(looks[..stuck - 1].iter().all(|look| look.2 == 200), "ready, and behind: {looks:?}");
}

#[tokio::test]
async fn a_paused_node_stands_still_ready_and_catches_up_with_a_tick_after_it_is_resumed()
-> Result<()> {
    let recorded = json("admin-port.json");
    let paused = "one paused: (s, net height, paused node height, its readiness)";
    stands_still(&looks(&recorded[paused]));
    jumps(&looks(&recorded["after unpause: (s, net, node, readiness)"]));
    let theirs = recorded_producers(&recorded["producers while paused"]);
    assert_eq!(absent(&theirs), BTreeSet::from([1]));

    let mut fleet = start(3).await?;
    let before = fleet.delegates[1].node()?.output().len();
    ask(&mut fleet, 1, "/pause").await?;
    known(&fleet, &[(1, (true, true))]).await?;
    let said = fleet.delegates[1].node()?.admin("/ha").await?;
    assert_eq!(said, (200, "{\"active\":true}\n".into()), "it cannot be read back");
    let mark = fleet.mark();
    let mut seen = vec![look(&mut fleet).await?];
    while fleet.until(mark, PATIENCE, |r| r.blocks.len() >= seen.len()).await?.blocks.len() < 10 {
        seen.push(look(&mut fleet).await?);
    }
    stands_still(&seen);
    let report = fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 10).await?;
    assert_eq!(absent(&producers(&fleet, &report)), BTreeSet::from([1]));
    assert_eq!(report.lowest_online, Some(3));
    let node = fleet.delegates[1].node()?;
    let page = page(node).await;
    let next = format!("iotex_consensus_height {}\n", seen[0].1 + 1);
    assert!(page.contains(&next) && !page.contains("iotex_consensus_round 0\n"), "{page}");
    complains_as_recorded(
        &node.output()[before..],
        recorded["log of paused node"].as_str().unwrap(),
    );

    ask(&mut fleet, 1, "/unpause").await?;
    known(&fleet, &[]).await?;
    let mut seen = Vec::new();
    let deadline = std::time::Instant::now() + PATIENCE;
    while seen.last().is_none_or(|look: &Look| look.1 + 1 < look.0 || look.2 != 200) {
        assert!(std::time::Instant::now() < deadline, "{seen:?}");
        seen.push(look(&mut fleet).await?);
    }
    jumps(&seen);
    let mark = fleet.mark();
    let report = fleet.until(mark, PATIENCE, |r| r.blocks.len() >= 8).await?;
    assert!(producers(&fleet, &report).contains(&1), "its seat counts again");
    Ok(())
}

/// Rounds of the height after its own, in the words of those who are behind.
fn complains_as_recorded(ours: &str, theirs: &str) {
    let ours: BTreeSet<_> = lines(ours).into_iter().collect();
    let missed: Vec<_> =
        lines(theirs).into_iter().filter(|l| l.caller == "consensusfsm/fsm.go:492").collect();
    assert_eq!(missed.len(), 1);
    assert!(ours.contains(&missed[0]), "{ours:?}");
}
