//! A fork height that only some know: nobody sees it before it comes, and then those who lack it stand still.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::{Delegate, Fleet};
use muster_tests::referee::report::Report;
use serde_json::Value;

use super::metrics::page;
use super::{PATIENCE, json, text};

/// The height of the fork.
const FORK: u64 = 6;

/// The genesis with this height of the fork.
fn name_fork(delegate: &Delegate, height: u64) -> Result<()> {
    let path = delegate.home.genesis();
    let genesis = std::fs::read_to_string(&path)?;
    let kept = genesis.lines().filter(|line| !line.contains("yapHeight"));
    let kept = kept.collect::<Vec<_>>().join("\n") + "\n";
    let named = format!("  yapHeight: {height}\n  wakeHeight");
    Ok(std::fs::write(path, kept.replace("  wakeHeight", &named))?)
}

/// Four nodes of which all but the last `late` know the fork.
async fn forked(number: u8, late: usize) -> Result<Fleet> {
    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let mut fleet = Fleet::lay_out(number, 4, &behaviour, "30s").await?;
    for (n, delegate) in fleet.delegates.iter_mut().enumerate() {
        name_fork(delegate, if n < 4 - late { FORK } else { 900_000 })?;
        delegate.start()?;
    }
    Ok(fleet)
}

/// The genesis hash that a node tells.
fn hash(output: &str) -> Option<String> {
    let line = output.lines().find(|line| line.contains("Genesis hash: "))?;
    let (_, rest) = line.split_once("Genesis hash: ")?;
    Some(rest.split('"').next()?.to_owned())
}

/// Level, caller, words and the error's, of a line that may have been cut; digests left out.
fn story(line: &str) -> Option<Vec<String>> {
    let part = |key: &str| {
        let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
        Some(rest.split('"').next()?.to_owned())
    };
    let error = part("error").unwrap_or_default();
    let error: Vec<String> = error.split('\'').step_by(2).map(str::to_owned).collect();
    let said = [part("level")?, part("caller")?, part("msg")?];
    // The heights differ.
    let error = error.join("#").replace(&format!("at height {FORK}"), "at height 70");
    Some([&said[..], &[error]].concat())
}

/// The lines of the recording that tell of the mismatch, of the node that lacks the fork.
fn recorded_stories() -> Vec<Vec<String>> {
    let text = text("log-fork-mismatch.txt");
    let lines = text.lines().filter_map(|line| line.strip_prefix("iz-3 "));
    let mut stories: Vec<_> = lines.filter_map(story).collect();
    // It tells of the fork itself only when it knows it.
    stories.retain(|story| !story[1].starts_with("execution/"));
    stories
}

#[tokio::test]
async fn who_lacks_a_fork_height_looks_well_stands_still_before_it_and_dies_of_its_watchdog()
-> Result<()> {
    let recorded = json("fork-divergence.json");
    let state = recorded["state"].as_array().unwrap();
    assert_eq!(state[3], "running restarts=1", "the watchdog and the restart policy");
    let seen = recorded["heights of iz-0..3 and boot, readiness"].as_array().unwrap();
    let samples = || seen.iter().filter(|sample| sample.is_array());
    let last = samples().next_back().unwrap();
    assert_eq!((&last[1][3], last[1][0].as_u64() > Some(130)), (&Value::from(69), true));
    let well = |sample: &Value| sample[2].as_array().unwrap().iter().all(|ready| ready == 200);
    assert!(samples().all(well), "readiness tells nothing");

    let mut fleet = forked(4, 1).await?;
    let report = fleet.until(0, PATIENCE, |r| r.height >= FORK + 8).await?;
    assert_eq!((report.seats[3].height, report.seats[3].connections), (Some(FORK - 1), 1));
    let mut hashes = BTreeSet::new();
    for delegate in &mut fleet.delegates {
        let node = delegate.node()?;
        hashes.extend(hash(&node.output()));
        assert_eq!(node.status("/readiness").await, 200);
    }
    assert_eq!(hashes.len(), 1, "fork heights are not in the hash");
    let page = page(fleet.delegates[3].node()?).await;
    assert!(page.contains(&format!("iotex_consensus_height {FORK}\n")), "{page}");
    assert!(!page.contains("iotex_consensus_round 0\n"), "{page}");

    // Two minutes at most: the first look of the watchdog knows no earlier one.
    let node = fleet.delegates[3].node()?;
    assert_eq!(node.exit(PATIENCE).await?.code(), Some(2));
    let ours: BTreeSet<_> = node.output().lines().filter_map(story).collect();
    let theirs = recorded_stories();
    assert_eq!(theirs.len(), 3);
    for story in theirs {
        assert!(ours.contains(&story), "{story:#?}\n{}", node.output());
    }

    // The cure: the right file, a start, and the next sync tick.
    let cure = "cure: right genesis.yaml on iz-3, docker restart: (s, net, node, readiness)";
    let cure = recorded[cure].as_array().unwrap();
    assert_eq!((&cure[3][2], cure[5][1] == cure[5][2]), (&Value::from(69), true));
    let delegate = &mut fleet.delegates[3];
    name_fork(delegate, FORK)?;
    delegate.start()?;
    fleet.until(0, PATIENCE, Report::all_at_tip).await?;
    Ok(())
}

#[tokio::test]
async fn two_against_two_stand_still_for_ever_and_one_cure_is_enough() -> Result<()> {
    let recorded = json("fork-2-against-2.json");
    let well = recorded["75 s later: readiness, restarts"].as_array().unwrap();
    assert!(well.iter().all(|node| node[0] == 200 && node[1] == "0"), "no watchdog bites");
    let cured = &recorded["one of the two cured: (s, height before, after)"];
    assert_eq!(cured[2].as_u64(), cured[1].as_u64().map(|before| before + 1));

    let mut fleet = forked(5, 2).await?;
    fleet.until(0, PATIENCE, |r| r.height == FORK - 1 && r.all_at_tip()).await?;
    let mark = fleet.mark();
    // 75 s are 30 intervals; two looks of the watchdog are 48.
    let passed = |r: &Report| r.now_ms >= mark + 52 * r.interval_ms;
    assert_eq!(fleet.until(mark, PATIENCE, passed).await?.height, FORK - 1);
    let refusal = recorded_stories().remove(0);
    for delegate in &mut fleet.delegates {
        let node = delegate.node()?;
        assert!(node.runs(), "no watchdog bites");
        assert_eq!(node.status("/readiness").await, 200);
        let ours: BTreeSet<_> = node.output().lines().filter_map(story).collect();
        assert!(ours.contains(&refusal), "each refuses what the others propose: {ours:#?}");
    }
    for list in ["log kinds iv-0", "log kinds iv-2"] {
        let lines = recorded[list].as_array().unwrap().iter();
        let kinds: Vec<_> = lines.filter_map(|line| story(line.as_str().unwrap())).collect();
        assert!(kinds.iter().any(|kind| kind[..3] == refusal[..3]), "as recorded: {kinds:#?}");
    }

    let delegate = &mut fleet.delegates[3];
    delegate.kill().await?;
    name_fork(delegate, FORK)?;
    delegate.start()?;
    let report = fleet.until(mark, PATIENCE, |r| r.height >= FORK + 3).await?;
    assert_eq!(report.seats[2].height, Some(FORK - 1), "the other one is still to be cured");
    Ok(())
}

#[tokio::test]
async fn a_version_may_know_a_fork_that_no_genesis_names() -> Result<()> {
    let older = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let newer = Behaviour { version: "v2.5.0".into(), ..older.clone() }.forking("zuluHeight", FORK);
    let mut fleet = Fleet::lay_out(6, 4, &newer, "30s").await?;
    fleet.delegates[3].behaviour = older;
    for delegate in &mut fleet.delegates {
        delegate.start()?;
    }
    let report = fleet.until(0, PATIENCE, |r| r.height >= FORK + 4).await?;
    assert_eq!(report.seats[3].height, Some(FORK - 1), "who did not upgrade is left behind");
    assert_eq!(report.seats[0].height, Some(report.height));
    Ok(())
}
