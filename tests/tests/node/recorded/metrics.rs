//! `/metrics`: names, labels and quirks, and when which series are there.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::process::Process;

use super::{PATIENCE, text};

/// The figures of memory in the heartbeat, which a stand-in leaves out.
const MEMORY: [&str; 11] = [
    "allocatedHeapObjects",
    "heapFromOS",
    "heapIdle",
    "heapInUse",
    "heapReleased",
    "numberOfGC",
    "numberOfRoutines",
    "stackFromOS",
    "stackInUse",
    "totalAllocatedHeapObjects",
    "totalFromOS",
];

/// The names that a stand-in imitates.
const IMITATED: [&str; 4] = [
    "iotex_consensus_height",
    "iotex_consensus_round",
    "iotex_heartbeat_status",
    "iotex_node_info_height_gauge",
];

/// Names with their labels, addresses left out.
pub(crate) fn series(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|l| l.starts_with("iotex_"));
    let keys = lines.filter_map(|l| l.rsplit_once(' ')).map(|(key, _)| key);
    keys.map(|key| match key.split_once("\"io1") {
        Some((head, tail)) => format!("{head}\"io1…{}", &tail[tail.find('"').unwrap()..]),
        None => key.to_owned(),
    })
    .collect()
}

/// Those of a recorded page that a stand-in imitates.
pub(crate) fn imitated(page: &str) -> BTreeSet<String> {
    let name = |key: &str| key.split('{').next().unwrap_or_default().to_owned();
    let memory = |key: &str| MEMORY.iter().any(|kind| key.contains(&format!("\"{kind}\"")));
    let mut all = series(page);
    all.retain(|key| IMITATED.contains(&name(key).as_str()) && !memory(key));
    all
}

fn value(page: &str, key: &str) -> Option<u64> {
    let line = page.lines().find(|l| l.starts_with(key))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Its page; empty when it does not answer.
pub(crate) async fn page(node: &Process) -> String {
    node.get("/metrics").await.map_or(String::new(), |(_, page)| page)
}

/// Whether a page tells of so many nodes what they broadcast.
pub(crate) fn tells_of(page: &str, nodes: usize) -> bool {
    page.matches("iotex_node_info_height_gauge{").count() == nodes
}

#[tokio::test]
async fn metrics_have_recorded_names_labels_and_quirks_and_come_when_recorded() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    let mut fleet = Fleet::lay_out(0, 4, &behaviour, "30s").await?;
    for delegate in &mut fleet.delegates {
        delegate.start()?;
    }
    let node = fleet.delegates[0].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await?;
    let fresh = imitated(&page(node).await);
    let first = imitated(&text("metrics-freshly-started-v2.4.4.short.txt"));
    assert_eq!(fresh, first, "nothing for the first interval, heartbeat and minute");

    node.until(PATIENCE, async |n| tells_of(&page(n).await, 4)).await?;
    let page = page(node).await;
    let healthy = imitated(&text("metrics-healthy-producing-v2.4.4.short.txt"));
    assert_eq!(healthy.len(), 2 + 14 + 1);
    assert_eq!(series(&page), healthy);

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
