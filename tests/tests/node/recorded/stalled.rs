//! A chain that stands still because too many are away: what the others show, say and survive.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use muster_proto::wire::iotexapi as api;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::process::{Process, client};
use serde_json::{Value, json};

use super::log::{Line, lines};
use super::metrics::{imitated, page, series, tells_of};
use super::{PATIENCE, json, text};

/// Four at the tip, of whom everybody heard what the others broadcast; then `away` of them are killed.
async fn stalled(number: u8, away: usize) -> Result<Fleet> {
    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let mut fleet = Fleet::start(number, 4, &behaviour, "30s", PATIENCE).await?;
    let node = fleet.delegates[0].node()?;
    node.until(PATIENCE, async |n| tells_of(&page(n).await, 4)).await?;
    for delegate in &mut fleet.delegates[4 - away..] {
        delegate.kill().await?;
    }
    fleet.until(0, PATIENCE, |r| r.online() == 4 - away).await?;
    Ok(fleet)
}

/// Waits until so many intervals have passed from now on.
async fn pass(fleet: &Fleet, intervals: u64) -> Result<()> {
    let mark = fleet.mark();
    let passed =
        |r: &muster_tests::referee::report::Report| r.now_ms >= mark + intervals * r.interval_ms;
    fleet.until(mark, PATIENCE, passed).await.map(|_| ())
}

/// Status and body of each probe, in the shape of the recording.
async fn probes(node: &Process) -> Result<Value> {
    let mut all = serde_json::Map::new();
    for path in ["/liveness", "/readiness", "/health"] {
        let (status, body) = node.get(path).await?;
        all.insert(path.to_owned(), json!([status, body]));
    }
    Ok(all.into())
}

/// What `GetChainMeta` says of its pace, once it has said anything.
async fn stage(fleet: &Fleet) -> Result<String> {
    let mut client = client((fleet.delegates[0].spec.external_host, 14_014).into()).await?;
    let meta = client.get_chain_meta(api::GetChainMetaRequest {}).await?.into_inner();
    Ok(meta.sync_stage)
}

/// Names of the files below `folder` that were written since `since`.
fn changed(folder: &Path, since: SystemTime) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let new = entries.filter(|e| e.metadata().unwrap().modified().unwrap() > since);
    new.map(|e| format!("./{}", e.file_name().to_string_lossy())).collect()
}

#[tokio::test]
async fn two_of_four_stand_still_for_long_look_well_and_leave_at_once() -> Result<()> {
    let (arithmetic, long) = (json("consensus-arithmetic-4.json"), json("long-stall.json"));
    let mut fleet = stalled(4, 2).await?;
    // A block that was certain before still commits; 45 s are 18 intervals, 135 s are 54.
    pass(&fleet, 2).await?;
    let (height, since) = (fleet.referee.report(0).height, SystemTime::now());
    pass(&fleet, 18).await?;

    let node = fleet.delegates[0].node()?;
    let ours = page(node).await;
    assert_eq!(series(&ours), imitated(&text("metrics-stalled-v2.4.4.short.txt")));
    let shown: BTreeSet<_> = arithmetic["metrics ix-0"].as_object().unwrap().keys().collect();
    let names: BTreeSet<_> = ours.lines().filter_map(|l| Some(l.rsplit_once(' ')?.0)).collect();
    assert!(shown.iter().all(|key| names.contains(key.as_str())), "{shown:?}\n{ours}");
    assert_eq!(probes(node).await?, arithmetic["probes stalled"]);
    let said = arithmetic["GetChainMeta stalled"].as_str().unwrap();
    let said: Value = serde_json::from_str(said)?;
    assert_eq!(said["syncStage"], stage(&fleet).await?);

    pass(&fleet, 36).await?;
    assert_eq!(long["height_before"], long["height_after"]);
    assert_eq!(fleet.referee.report(0).height, height);
    for (n, delegate) in fleet.delegates[..2].iter_mut().enumerate() {
        let votes = &long["files_changed_in_60_s_of_stall"];
        assert_eq!(&json!(changed(&delegate.home.data(), since)), votes);
        let node = delegate.node()?;
        assert!(node.runs() && long["restarts"][n] == "0", "no watchdog ends it");
        assert_eq!(json!(node.status("/readiness").await), long["readiness"][n]);
        assert_eq!(node.height().await, Some(height));
    }

    let stops = "docker stop of a node while the chain is stalled (seconds, exit)";
    for (n, delegate) in fleet.delegates[..2].iter_mut().enumerate() {
        let stop = &arithmetic[stops][n];
        // A tenth of the block interval of 2.5 s: it does not wait for the end of a round.
        assert!(stop[0].as_f64() < Some(0.25));
        let asked = std::time::Instant::now();
        let exit = delegate.node()?.stop(PATIENCE).await?;
        assert_eq!(json!(exit.code().unwrap().to_string()), stop[1]);
        assert!(asked.elapsed() < std::time::Duration::from_millis(500), "at once");
    }
    Ok(())
}

/// What was logged of each round, in order; the first and the last round may be cut.
fn rounds(log: &str) -> Vec<(u64, Vec<Line>)> {
    let mut rounds: Vec<(u64, Vec<Line>)> = Vec::new();
    for text in log.lines().filter(|l| l.contains("consensusfsm/fsm.go")) {
        let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
        let round = value["round"].as_u64().unwrap();
        match rounds.last_mut() {
            Some((last, said)) if *last == round => said.extend(lines(text)),
            _ => rounds.push((round, lines(text))),
        }
    }
    let whole = rounds.len() - 1;
    rounds[1..whole].to_vec()
}

#[tokio::test]
async fn rounds_without_a_block_are_complained_of_in_the_recorded_words_and_order() -> Result<()> {
    let recorded = text("log-stalled.txt");
    let theirs = rounds(&recorded);
    let shapes = |rounds: &[(u64, Vec<Line>)]| {
        rounds.iter().map(|(_, said)| said.clone()).collect::<BTreeSet<_>>()
    };
    // With and without the proposal.
    assert_eq!(shapes(&theirs).len(), 2);

    let mut fleet = stalled(5, 2).await?;
    pass(&fleet, 2).await?;
    let node = fleet.delegates[0].node()?;
    let before = node.output().len();
    // One turn of all four, and one tick of 30 s.
    pass(&fleet, 14).await?;
    let log = fleet.delegates[0].node()?.output()[before..].to_owned();
    let ours = rounds(&log);
    assert_eq!(shapes(&ours), shapes(&theirs));
    for said in [&ours, &theirs] {
        assert!(said.windows(2).all(|w| w[1].0 == w[0].0 + 1), "no round is left out: {said:?}");
    }

    let tick = |log: &str| {
        lines(log).into_iter().find(|line| line.caller.starts_with("blocksync/")).unwrap()
    };
    assert_eq!(tick(&log), tick(&recorded));
    Ok(())
}

/// Whose proposals did not come.
fn missed(log: &str) -> BTreeSet<String> {
    let missed = log.lines().filter(|l| l.contains("didn't receive the proposed block"));
    let values = missed.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.map(|line| line["proposer"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn whose_turn_it_is_tells_which_proposals_are_missed() -> Result<()> {
    let mut fleet = stalled(6, 2).await?;
    pass(&fleet, 2).await?;
    let before = fleet.delegates[0].node()?.output().len();
    pass(&fleet, 14).await?;
    let away: BTreeSet<String> =
        fleet.delegates[2..].iter().map(|d| d.address().to_owned()).collect();
    let log = fleet.delegates[0].node()?.output()[before..].to_owned();
    assert_eq!(missed(&log), away);
    let recorded = missed(&text("log-stalled.txt"));
    assert_eq!(recorded.len(), 2, "two of four were down");
    assert!(!recorded.contains("io10jte53zh3mgt36p6y73s8xqtx5ac7d0963y56z"), "not its own");
    Ok(())
}
