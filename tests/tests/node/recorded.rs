//! What the stand-in shows against what the real node showed: names, labels, statuses, order.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

fn recorded(name: &str) -> String {
    let path = format!("{}/recorded/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Names with their labels, values of labels that differ by node left out.
fn series(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|l| l.starts_with("iotex_"));
    let keys = lines.filter_map(|l| l.rsplit_once(' ')).map(|(key, _)| key);
    keys.map(|key| match key.split_once("\"io1") {
        Some((head, tail)) => format!("{head}\"io1…{}", &tail[tail.find('"').unwrap()..]),
        None => key.to_owned(),
    })
    .collect()
}

fn value(page: &str, key: &str) -> Option<u64> {
    let line = page.lines().find(|l| l.starts_with(key))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_have_recorded_names_labels_and_quirks_and_come_when_recorded() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let mut fleet = Fleet::lay_out(0, 4, &behaviour, "30s").await?;
    for delegate in &mut fleet.delegates {
        delegate.start()?;
    }
    let node = fleet.delegates[0].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await?;
    let fresh = node.get("/metrics").await?.1;
    assert!(!fresh.contains("iotex_heartbeat_status"), "absent for the first ten seconds");
    assert!(!fresh.contains("iotex_node_info"), "nobody is known for a minute");
    let first = recorded("metrics-freshly-started-v2.4.4.short.txt");
    assert!(!series(&first).contains("iotex_consensus_height"));

    let full = async |n: &muster_tests::node::process::Process| {
        let page = n.get("/metrics").await.map_or(String::new(), |(_, page)| page);
        page.matches("iotex_node_info_height_gauge{").count() == 4
    };
    node.until(PATIENCE, full).await?;
    let page = node.get("/metrics").await?.1;
    let known = series(&recorded("metrics-healthy-producing-v2.4.4.short.txt"));
    let ours = series(&page);
    let unknown: Vec<_> = ours.difference(&known).collect();
    assert!(unknown.is_empty(), "not in the recording: {unknown:?}");
    for name in ["iotex_consensus_height", "iotex_consensus_round"] {
        assert!(ours.contains(name), "{page}");
    }
    let heartbeats = ours.iter().filter(|s| s.starts_with("iotex_heartbeat_status"));
    assert_eq!(heartbeats.count(), 14);

    let beat = |kind: &str| {
        let key = format!("iotex_heartbeat_status{{source=\"1\",status_type=\"{kind}\"}}");
        value(&page, &key).unwrap()
    };
    let height = beat("blockchainHeight");
    assert_eq!(beat("consensusEpoch"), height, "the label says epoch and carries the height");
    assert_eq!(beat("consensusRound"), 1, "the label says round and carries the epoch");
    assert!(height + 40 > fleet.referee.report(0).height, "refreshed every ten seconds");
    let own =
        format!("source=\"{}\",status_type=\"operatorAddress\"}} 1", fleet.delegates[0].address());
    assert!(page.contains(&own));
    Ok(())
}

#[tokio::test]
async fn probes_answer_with_recorded_statuses_headers_and_bodies() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let mut fleet = Fleet::start(1, 1, &behaviour, "30s", PATIENCE).await?;
    let text = recorded("probe-healthy.json");
    let answers: Value = serde_json::from_str(text.split_once('\n').unwrap().1)?;
    let node = fleet.delegates[0].node()?;
    for (path, answer) in answers.as_object().unwrap() {
        let answer = answer.as_str().unwrap();
        let (head, body) = answer.split_once("\n\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse()?;
        let (ours, said) = node.get(path).await?;
        assert_eq!(ours, status, "{path}");
        if path != "/metrics" {
            assert_eq!(said, body, "{path}");
        }
    }
    Ok(())
}

/// Caller and message of each line, in order, those that a stand-in does not have left out.
fn messages(log: &str, known: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
    let lines = log.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let pairs = lines.map(|l| (text(&l, "caller"), stem(&text(&l, "msg"))));
    let mut kept: Vec<_> = pairs.filter(|p| known.contains(p)).collect();
    kept.dedup();
    kept
}

/// A message without the value at its end.
fn stem(message: &str) -> String {
    message.split(": ").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn log_lines_come_in_the_recorded_words_and_order() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    let mut fleet = Fleet::start(2, 1, &behaviour, "30s", PATIENCE).await?;
    let delegate = &mut fleet.delegates[0];
    let ours = delegate.node()?.output();
    let known: BTreeSet<_> = [
        ("server/main.go:124", "Genesis timestamp"),
        ("server/main.go:125", "Genesis hash"),
        ("p2p/agent.go:243", "p2p agent"),
        ("factory/statedb.go:233", "State factory started"),
        ("consensus/consensus.go:218", "Starting IotxConsensus scheme."),
        ("api/grpcserver.go:147", "grpc server is listening."),
        ("p2p/agent.go:705", "Connected bootstrap node."),
        ("itx/server.go:360", "Server is ready."),
        ("p2p/agent.go:510", "p2p is shutting down."),
        ("dispatcher/dispatcher.go:175", "Dispatcher is shutting down."),
        ("consensus/consensus.go:229", "Stopping IotxConsensus scheme."),
        ("blockchain/pubsubmanager.go:108", "Successfully unsubscribe block creation."),
    ]
    .map(|(caller, message)| (caller.to_owned(), message.to_owned()))
    .into();
    let start = messages(&recorded("log-start-v2.4.4.txt"), &known);
    assert_eq!(start.len(), 8);
    assert_eq!(messages(&ours, &known), start);

    delegate.node()?.stop(PATIENCE).await?;
    let all = delegate.node()?.output();
    let stop = messages(&recorded("log-stop-v2.4.4.txt"), &known);
    assert_eq!(stop.len(), 4);
    assert_eq!(messages(&all[ours.len()..], &known), stop);
    let file = std::fs::read_to_string(delegate.home.log().join("s.log"))?;
    assert_eq!(messages(&file, &known), [start, stop].concat(), "the file holds the same");
    let key = &delegate.spec.key;
    assert!(!all.contains(key) && !file.contains(key), "the key is in no log");
    Ok(())
}
