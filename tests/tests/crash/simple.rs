//! Stop, start and restart.

use anyhow::Result;
use muster_tests::faults::engine::Fault;

use crate::bench::Bench;
use crate::cells;
use crate::node::Node;
use crate::table::{KILLS, LOSSES, REFUSALS, Table};

fn down(node: &Node) -> Node {
    Node { running: false, policy: "no".into(), ..node.clone() }
}

fn up(node: &Node) -> Node {
    Node { running: true, policy: "on-failure".into(), ..node.clone() }
}

async fn stops_and_starts(faults: &[Fault]) -> Result<()> {
    let mut bench = Bench::up().await?;
    let (mut stops, mut starts) = (Table::new("stop", faults), Table::new("start", faults));
    while !(stops.is_full() && starts.is_full()) {
        let stop = bench.script("stop");
        cells::run(&mut bench, &mut stops, &stop, "done", down).await?;
        let start = bench.script("start");
        cells::run(&mut bench, &mut starts, &start, "done", up).await?;
    }
    stops.print();
    starts.print();
    bench.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_at_any_call_of_a_stop_or_start_ends_it_all_the_same() -> Result<()> {
    stops_and_starts(&KILLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_fails_at_any_call_of_a_stop_or_start_is_asked_again() -> Result<()> {
    stops_and_starts(&[REFUSALS, LOSSES].concat()).await
}

async fn restarts(faults: &[Fault]) -> Result<()> {
    let mut bench = Bench::up().await?;
    let mut table = Table::new("restart", faults);
    while !table.is_full() {
        let script = bench.script("restart");
        cells::run(&mut bench, &mut table, &script, "done", up).await?;
    }
    table.print();
    bench.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_at_any_call_of_a_restart_ends_with_the_node_restarted() -> Result<()> {
    restarts(&KILLS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_refuses_any_call_of_a_restart_is_asked_again() -> Result<()> {
    restarts(&REFUSALS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_leaves_any_call_of_a_restart_unanswered_is_looked_at() -> Result<()> {
    restarts(&LOSSES).await
}
