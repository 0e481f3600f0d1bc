//! An upgrade with a new genesis file, there and back again; and one whose release is bad.

use anyhow::Result;
use muster_proto::documents::release::{GenesisChange, Release};
use muster_tests::faults::engine::Fault;
use muster_tests::fleet::OLD;
use muster_tests::node::behaviour::Defect;

use crate::bench::{Bench, version};
use crate::cells;
use crate::node::Node;
use crate::table::{KILLS, LOSSES, REFUSALS, Table};

/// The node that a release makes of `old`.
fn new_node(old: &Node, release: &Release) -> Node {
    let mut new = old.clone();
    new.image = release.images["linux/amd64"].config.clone();
    if let GenesisChange::Replaced { digest, .. } = &release.genesis {
        new.genesis = digest.clone();
    }
    new
}

fn action(release: &Release) -> String {
    format!("upgrade\nrelease: {}\ncompatibility: compatible", release.version)
}

async fn upgrades(faults: &[Fault]) -> Result<()> {
    let mut bench = Bench::up().await?;
    let releases = [bench.release(&version("v2.4.4")).await?, bench.release(&version(OLD)).await?];
    let mut table = Table::new("upgrade", faults);
    for release in releases.iter().cycle() {
        let script = bench.script(&action(release));
        let new = |old: &Node| new_node(old, release);
        cells::run(&mut bench, &mut table, &script, "done", new).await?;
        if table.is_full() {
            break;
        }
    }
    table.print();
    bench.end().await
}

/// The release says that it is another version than was signed: the test after its start fails
/// while it runs, and everything is taken back.
async fn rollbacks(faults: &[Fault]) -> Result<()> {
    let mut bench = Bench::up().await?;
    let mut table = Table::new("upgrade to a bad release", faults);
    // A release that was rolled back is not tried again: each plan has one of its own.
    for number in 4.. {
        let bad = version(&format!("v2.4.{number}"));
        let bad = bad.with(Defect::WrongVersion("v2.5.0".into()));
        let release = bench.release(&bad).await?;
        let script = bench.script(&action(&release));
        cells::run(&mut bench, &mut table, &script, "rolled-back", Node::clone).await?;
        if table.is_full() {
            break;
        }
    }
    table.print();
    bench.end().await
}

/// A test for each fault, so that none of them takes long.
macro_rules! cells {
    ($($run:ident $name:ident $fault:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() -> Result<()> {
            $run(&[$fault]).await
        })*
    };
}

cells! {
    upgrades an_agent_killed_before_any_call_of_an_upgrade_ends_with_the_new_node KILLS[0];
    upgrades an_agent_killed_after_any_call_of_an_upgrade_ends_with_the_new_node KILLS[1];
    upgrades an_engine_that_fails_at_any_call_of_an_upgrade_is_asked_again REFUSALS[0];
    upgrades an_engine_that_refuses_any_call_of_an_upgrade_is_asked_again REFUSALS[1];
    upgrades an_engine_that_is_silent_after_any_call_of_an_upgrade_is_looked_at LOSSES[0];
    upgrades an_engine_that_cuts_any_call_of_an_upgrade_is_looked_at LOSSES[1];
    rollbacks an_agent_killed_before_any_call_of_a_rollback_ends_with_the_old_node KILLS[0];
    rollbacks an_agent_killed_after_any_call_of_a_rollback_ends_with_the_old_node KILLS[1];
    rollbacks an_engine_that_fails_at_any_call_of_a_rollback_is_asked_again REFUSALS[0];
    rollbacks an_engine_that_refuses_any_call_of_a_rollback_is_asked_again REFUSALS[1];
    rollbacks an_engine_that_is_silent_after_any_call_of_a_rollback_is_looked_at LOSSES[0];
    rollbacks an_engine_that_cuts_any_call_of_a_rollback_is_looked_at LOSSES[1];
}
