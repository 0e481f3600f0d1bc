//! All stopped at once and started together: tips that differ by one block at most, and one chain.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_proto::wire::iotexapi as api;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use muster_tests::node::process::client;
use serde_json::Value;

use super::{PATIENCE, text};

/// Heights right after the start, and hashes at the greatest of them once all have it.
fn holds(first: &[u64], hashes: usize) {
    let (low, high) = (first.iter().min().unwrap(), first.iter().max().unwrap());
    assert_eq!(first.len(), 7);
    assert!(high - low <= 1, "{first:?}");
    assert_eq!(hashes, 1, "one block at the greatest height: {first:?}");
}

/// The hash of the block at `height`, as the node tells it.
async fn hash(ip: std::net::Ipv4Addr, height: u64) -> Result<Vec<String>> {
    let mut client = client((ip, 14_014).into()).await?;
    let wanted = api::GetBlockMetasByIndexRequest { start: height, count: 1 };
    let lookup = Some(api::get_block_metas_request::Lookup::ByIndex(wanted));
    let answer = client.get_block_metas(api::GetBlockMetasRequest { lookup }).await?;
    Ok(answer.into_inner().blk_metas.into_iter().map(|b| b.hash).collect())
}

/// Stops all at `phase` of the interval, starts all, and returns their first heights.
async fn halt(fleet: &mut Fleet, phase: f64) -> Result<Vec<u64>> {
    fleet.phase(phase).await?;
    for delegate in &mut fleet.delegates {
        delegate.node()?.signal("TERM").await?;
    }
    for delegate in &mut fleet.delegates {
        assert_eq!(delegate.node()?.exit(PATIENCE).await?.code(), Some(0));
    }
    let mark = fleet.mark();
    for delegate in &mut fleet.delegates {
        delegate.start()?;
    }
    let address: Vec<_> = fleet.delegates.iter().map(|d| d.address().to_owned()).collect();
    let all = |r: &muster_tests::referee::report::Report| {
        address.iter().all(|a| r.joins.iter().any(|join| join.address == *a))
    };
    let joined = fleet.until(mark, PATIENCE, all).await?;
    let first = |a: &String| joined.joins.iter().find(|j| j.address == *a).map(|j| j.height);
    Ok(address.iter().filter_map(first).collect())
}

#[tokio::test]
async fn seven_that_halt_together_come_back_with_tips_one_block_apart_at_most() -> Result<()> {
    for line in text("halt-all-7.json").lines().skip(1) {
        let trial: Value = serde_json::from_str(line)?;
        let first = trial["first"].as_array().unwrap().iter().filter_map(Value::as_u64);
        let hashes = trial["hash_at_first_max"].as_array().unwrap().len();
        holds(&first.collect::<Vec<_>>(), hashes);
        let advanced = trial["after40"][0].as_u64() > trial["first"][0].as_u64();
        assert!(advanced, "and goes on: {trial}");
    }

    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    let mut fleet = Fleet::start(9, 7, &behaviour, "30s", PATIENCE).await?;
    for phase in [0.3, 0.9] {
        let first = halt(&mut fleet, phase).await?;
        let highest = first.iter().max().copied().unwrap();
        fleet.until(0, PATIENCE, |r| r.height > highest && r.all_at_tip()).await?;
        let mut hashes = BTreeSet::new();
        for delegate in &fleet.delegates {
            hashes.extend(hash(delegate.spec.external_host, highest).await?);
        }
        holds(&first, hashes.len());
    }
    Ok(())
}
