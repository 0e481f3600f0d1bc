//! A node that comes back behind the tip: what shows when, until it has caught up.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_proto::wire::iotexapi as api;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::process::client;
use muster_tests::referee::report::Report;
use serde_json::{Map, Value, json};

use super::metrics::{imitated, page, series};
use super::{PATIENCE, json, text};

/// What the recording calls the series.
const NAMES: [(&str, &str); 5] = [
    ("consensus_height", "iotex_consensus_height "),
    ("round", "iotex_consensus_round "),
    ("heartbeat_height", "iotex_heartbeat_status{source=\"1\",status_type=\"blockchainHeight\"} "),
    ("target", "iotex_heartbeat_status{source=\"1\",status_type=\"targetHeight\"} "),
    ("peers", "iotex_heartbeat_status{source=\"node\",status_type=\"numConnectedPeers\"} "),
];

/// One look at the last delegate, in the shape of the recording; and its page, if old blocks are being applied
/// before and after it.
async fn look(fleet: &mut Fleet) -> Result<(Value, Option<String>)> {
    let net = fleet.referee.report(u64::MAX).height;
    let delegate = &mut fleet.delegates[3];
    let place = (delegate.spec.external_host, 14_014).into();
    let node = delegate.node()?;
    let busy = node.status("/readiness").await == 503;
    let page = page(node).await;
    let readiness = node.status("/readiness").await;
    let mut seen = Map::new();
    for (name, key) in NAMES {
        let value = page.lines().find_map(|line| line.strip_prefix(key));
        seen.insert(name.into(), json!(value));
    }
    let mut client = client(place).await?;
    let meta = client.get_chain_meta(api::GetChainMetaRequest {}).await?.into_inner();
    seen.insert("sync".into(), json!(meta.sync_stage));
    seen.insert("grpc".into(), json!(meta.chain_meta.map(|m| m.height)));
    seen.insert("net".into(), json!(net));
    seen.insert("readiness".into(), json!(readiness));
    Ok((seen.into(), Some(page).filter(|_| busy && readiness == 503)))
}

/// Whether a block is lacking that is not just being made.
fn behind(look: &Value) -> bool {
    look["grpc"].as_u64().unwrap() + 1 < look["net"].as_u64().unwrap()
}

/// Which values are there, from look to look; `fullness`, of libp2p's queues, a stand-in has not.
fn stages(looks: &[Value]) -> Vec<BTreeSet<String>> {
    let there = |look: &Value| -> BTreeSet<String> {
        let all = look.as_object().unwrap().iter();
        let there = all.filter(|(name, value)| !value.is_null() && *name != "fullness");
        there.map(|(name, _)| name.clone()).collect()
    };
    let mut stages: Vec<_> = looks.iter().map(there).collect();
    stages.dedup();
    stages
}

/// From the first block that is there to the last one that was lacking: heights do not move meanwhile.
fn story(looks: &[Value]) {
    let stuck: Vec<_> = looks.iter().take_while(|look| behind(look)).collect();
    assert!(stuck.len() >= 3, "{looks:#?}");
    let waits = stuck.iter().take_while(|look| look["grpc"] == stuck[0]["grpc"]);
    let waits: Vec<_> = waits.collect();
    // Blocks may begin to be applied in the middle of a look, and heights move some looks later.
    let ready = waits.iter().take_while(|look| look["readiness"] == 200).count();
    let (ready, applies) = waits.split_at(ready);
    assert!(ready.len() >= 3, "ready, and behind: {waits:#?}");
    assert!(applies.iter().all(|look| look["readiness"] == 503), "{applies:#?}");
    let whole = &ready[..ready.len() - 1];
    assert!(whole.iter().all(|look| look["sync"] == waits[0]["sync"]), "{waits:#?}");
    let shown: Vec<Value> = whole.iter().map(|look| (**look).clone()).collect();
    assert_eq!(stages(&shown), stages(looks), "all of it shows before the jump");
    let last = looks.last().unwrap();
    assert!(!behind(last) && last["readiness"] == 200, "{last:#?}");
}

#[tokio::test]
async fn who_comes_back_behind_shows_it_in_the_recorded_order_and_then_catches_up() -> Result<()> {
    let recorded = json("behind-after-restart.json");
    let recorded: Vec<Value> =
        recorded.as_array().unwrap().iter().map(|sample| sample[1].clone()).collect();
    story(&recorded);

    let behaviour = Behaviour::version("v2.4.4").scaled(5.0).starting_in(50);
    let mut fleet = Fleet::start(7, 4, &behaviour, "30s", PATIENCE).await?;
    let away = fleet.mark();
    fleet.delegates[3].kill().await?;
    fleet.until(away, PATIENCE, |r: &Report| r.blocks.len() >= 8).await?;
    fleet.delegates[3].start()?;
    let node = fleet.delegates[3].node()?;
    node.until(PATIENCE, async |n| n.status("/readiness").await == 200).await?;

    let (mut looks, mut catching_up) = (Vec::new(), None);
    let deadline = std::time::Instant::now() + PATIENCE;
    while looks.last().is_none_or(|look: &Value| behind(look) || look["readiness"] != 200) {
        assert!(std::time::Instant::now() < deadline, "{:#?}", looks.last());
        let (look, busy) = look(&mut fleet).await?;
        catching_up = busy.or(catching_up);
        looks.push(look);
    }
    assert_eq!(stages(&looks), stages(&recorded));
    assert_eq!(looks[0]["sync"], recorded[0]["sync"]);
    story(&looks);

    // Others broadcast when they please, so that what is known of them is left out.
    let mut ours = series(&catching_up.expect("it was never seen to apply old blocks"));
    ours.retain(|key| !key.starts_with("iotex_node_info"));
    assert_eq!(ours, imitated(&text("metrics-catching-up-v2.4.4.short.txt")));
    Ok(())
}
