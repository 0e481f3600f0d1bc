//! One plan, many cells: every node but one meets a fault of its own on its way through it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use muster_tests::faults::engine::Fault;
use muster_tests::fleet::delegate::Delegate;
use muster_tests::fleet::script::{Script, Seen};

use crate::bench::Bench;
use crate::node::{Node, left_behind};
use crate::table::{Cell, Table};

/// A plan in which nothing fails takes three seconds, each fault adds three at most; a machine
/// under load needs longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node on its way through a plan.
struct Way {
    name: String,
    cell: Option<(Cell, Fault)>,
    /// Calls that its agent had made before.
    before: usize,
    killed: bool,
}

/// Carries out `script` with the next cells of `table`; every node must end as `expected` says.
pub(crate) async fn run(
    bench: &mut Bench,
    table: &mut Table,
    script: &Script,
    word: &'static str,
    expected: impl Fn(&Node) -> Node,
) -> Result<()> {
    let mut ways = arm(bench, table);
    bench.fleet.publish(script).await?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pace = tokio::time::interval(Duration::from_millis(200));
    loop {
        pace.tick().await;
        kill(bench, &mut ways).await?;
        let why = match settled(bench, table, &ways, script.serial, word, &expected).await {
            Ok(()) => break,
            Err(why) => why,
        };
        if tokio::time::Instant::now() >= deadline {
            bail!("{why:#}\n{}", bench.fleet.logs());
        }
    }
    for way in &ways {
        if let Some((cell, _)) = way.cell.filter(|(cell, _)| table.reaches(*cell)) {
            table.ended(cell, word);
        }
        if let Some(node) = bench.nodes.get_mut(&way.name) {
            *node = expected(node);
        }
    }
    Ok(())
}

/// Gives every node but the last a cell.
fn arm(bench: &Bench, table: &mut Table) -> Vec<Way> {
    let cells = table.hand_out(bench.nodes.len() - 1);
    let cells = cells.into_iter().map(Some).chain([None]);
    let followers = bench.fleet.delegates.iter().filter(|delegate| !delegate.seat);
    let arm = |(delegate, cell): (&Delegate, Option<(Cell, Fault)>)| {
        let before = delegate.proxy.calls().len();
        if let Some((cell, fault)) = cell {
            delegate.proxy.arm(before + cell.call, fault);
        }
        Way { name: delegate.name.clone(), cell, before, killed: false }
    };
    followers.zip(cells).map(arm).collect()
}

/// Kills every agent whose fault is reached, and starts it again.
async fn kill(bench: &mut Bench, ways: &mut [Way]) -> Result<()> {
    for way in ways {
        let kills = way.cell.is_some_and(|(_, fault)| fault.kills());
        let delegate = bench.fleet.delegate(&way.name);
        if kills && !way.killed && delegate.proxy.has_tripped() {
            delegate.kill().await?;
            delegate.proxy.caller_is_dead();
            delegate.start()?;
            way.killed = true;
        }
    }
    Ok(())
}

/// Says what is still missing: the last word of every node, exactly the expected node, every
/// fault that can be reached.
async fn settled(
    bench: &mut Bench,
    table: &mut Table,
    ways: &[Way],
    serial: u64,
    word: &'static str,
    expected: &impl Fn(&Node) -> Node,
) -> Result<()> {
    let seen = bench.fleet.see().await?;
    for way in ways {
        let cell = way.cell.map(|(cell, fault)| format!("{fault:?} at call {}", cell.call));
        let at = format!("{} under {}", way.name, cell.as_deref().unwrap_or("no fault"));
        has_said(&seen, &way.name, serial, word).context(at.clone())?;
        is_exactly(bench, way, expected).await.context(at)?;
    }
    for way in ways.iter().rev() {
        let delegate = bench.fleet.delegate(&way.name);
        match way.cell {
            None => table.clean(&delegate.proxy.calls()[way.before..]),
            Some((cell, fault)) if table.reaches(cell) => {
                let reached = delegate.proxy.has_tripped();
                ensure!(reached, "{} never met {fault:?} at call {}", way.name, cell.call);
                ensure!(way.killed == fault.kills(), "{} is to be killed", way.name);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn has_said(seen: &Seen, node: &str, serial: u64, word: &'static str) -> Result<()> {
    let words = seen.words(node, serial);
    ensure!(words.last() == Some(&word), "it said {words:?} of plan {serial}");
    let finals = words.iter().filter(|said| ["done", "rolled-back"].contains(*said)).count();
    ensure!(finals == 1, "it said {words:?} of plan {serial}");
    Ok(())
}

async fn is_exactly(bench: &Bench, way: &Way, expected: &impl Fn(&Node) -> Node) -> Result<()> {
    let delegate = bench.fleet.delegates.iter().find(|delegate| delegate.name == way.name);
    let delegate = delegate.context("no such delegate")?;
    let (found, others) = Node::look(&bench.engine, delegate).await?;
    let expected = expected(&bench.nodes[&way.name]);
    ensure!(found == expected, "found {found:?}\nexpected {expected:?}");
    let strange = others.iter().find(|name| !name.contains("-before-"));
    ensure!(strange.is_none() && others.len() <= 1, "left behind: {others:?}");
    let files = left_behind(delegate)?;
    ensure!(files.is_empty(), "left behind: {files:?}");
    Ok(())
}
