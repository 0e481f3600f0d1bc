//! `/metrics`: names, labels and quirks as recorded from v2.4.4; memory figures and gRPC series are left out.

use std::fmt::Write as _;

use super::state::{Heartbeat, Node, Phase, View};

/// `Content-Type` of the page.
pub const KIND: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// The page at `now_ms`, milliseconds since the Unix epoch.
pub fn render(node: &Node, now_ms: u64) -> String {
    let view = node.view();
    let mut page = Page(String::new());
    page.gauge("go_info", "Information about the Go environment.");
    page.value("go_info", &[("version", "go1.26.8")], 1);
    consensus(&mut page, node, &view, now_ms);
    if let Some(beat) = view.heartbeat {
        heartbeat(&mut page, node, beat);
    }
    if !view.infos.is_empty() {
        page.gauge("iotex_node_info_height_gauge", "height info of node");
    }
    for ((address, version), height) in &view.infos {
        let labels = [("address", address.as_str()), ("version", version.as_str())];
        page.value("iotex_node_info_height_gauge", &labels, *height);
    }
    page.0
}

/// Absent until the first round has been prepared, one interval after the data was opened.
fn consensus(page: &mut Page, node: &Node, view: &View, now_ms: u64) {
    let prepared = |since: std::time::Instant| since.elapsed() >= node.timing().interval();
    let begun = match view.phase {
        Phase::Starting => false,
        Phase::Opened | Phase::Ready => view.since.is_some_and(prepared),
        Phase::Leaving => true,
    };
    if !begun {
        return;
    }
    page.gauge("iotex_consensus_height", "Consensus height");
    page.value("iotex_consensus_height", &[], view.height() + 1);
    let round = view.round(now_ms, node.timing().interval_ms());
    page.gauge("iotex_consensus_round", "Consensus round");
    page.value("iotex_consensus_round", &[], round);
}

fn heartbeat(page: &mut Page, node: &Node, beat: Heartbeat) {
    let epoch = beat.height.saturating_sub(1) / node.genesis.epoch_blocks.max(1) + 1;
    let behaviour = &node.behaviour;
    let series = [
        ("1", "actpoolCapacity", 32_000),
        ("1", "actpoolGasInPool", 0),
        ("1", "actpoolSize", 0),
        ("1", "blockchainHeight", beat.height),
        // The real node's labels say one thing and carry another, in all versions seen.
        ("1", "consensusEpoch", beat.height),
        ("1", "consensusRound", epoch),
        ("1", "pendingRolldposEvents", 0),
        ("1", "targetHeight", beat.target),
        (&behaviour.commit, "packageCommitID", 1),
        ("NoBuildInfo", "goVersion", 1),
        (&node.address, "operatorAddress", 1),
        ("node", "numConnectedPeers", beat.peers),
        ("node", "pendingDispatcherEvents", 0),
        (behaviour.reported_version(), "packageVersion", 1),
    ];
    page.gauge("iotex_heartbeat_status", "Node heartbeat status.");
    for (source, kind, value) in series {
        let labels = [("source", source), ("status_type", kind)];
        page.value("iotex_heartbeat_status", &labels, value);
    }
}

struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
