//! `bench`: Muster against a local program that makes the same Engine calls.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use muster_proto::documents::plan::HealthTerms;
use muster_tests::bench::floor::Floor;
use muster_tests::bench::stand::Stand;
use muster_tests::bench::table::{Fact, Row, comparison, facts, shown};
use muster_tests::bench::{Scale, costs};
use muster_tests::image;

/// Measures Muster against a local program that makes the same Engine calls.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Eight nodes and short times: shows that everything works, and nothing more.
    #[arg(long)]
    smoke: bool,
    /// Stand-ins; 8 and then 32 without it.
    #[arg(long)]
    nodes: Vec<u8>,
}

const SOCKET: &str = "/var/run/docker.sock";

/// More than this at once, and Muster would be allowed to be slower.
const AIM: f64 = 1.15;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    let scales = match (args.smoke, args.nodes.as_slice()) {
        (true, _) => vec![Scale::smoke()],
        (false, []) => vec![Scale::full(8), Scale::full(32)],
        (false, nodes) => nodes.iter().map(|nodes| Scale::full(*nodes)).collect(),
    };
    let docker = image::engine().await?;
    for scale in scales {
        let run = format!("bench-{}-{}", std::process::id(), scale.nodes);
        let measured = tokio::select! {
            measured = fleet(&docker, &run, scale) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        image::clean_up(&docker, &run).await?;
        println!("{} stand-ins, times divided by {}\n{}\n", scale.nodes, scale.factor, measured?);
    }
    println!("{}", alone(args.smoke).await?);
    Ok(())
}

/// Short enough to be waited for, long enough to be shown by a chain of one block a second.
fn health() -> HealthTerms {
    HealthTerms {
        boot_ms: 30_000,
        ready_ms: 60_000,
        advance_blocks: 2,
        lag_blocks: 2,
        peers: 1,
        hold_ms: 1_000,
    }
}

async fn fleet(docker: &bollard::Docker, run: &str, scale: Scale) -> Result<String> {
    let stand = Stand::up(docker, run, scale, "v2.4.3").await?;
    let floor = Floor::new(SOCKET, &stand.names, health());
    let at_once = floor.stop_at_once().await?;
    floor.start_all().await?;
    stand.at_tip().await?;
    let in_order = floor.stop_in_order().await?;
    floor.start_all().await?;
    stand.at_tip().await?;
    let new = stand.image("v2.4.4").await?;
    let upgraded = floor.upgrade(&new.id, "v2.4.4", 1).await?;
    stand.at_tip().await?;
    let bare = floor.bare_restart().await?;
    let row = |what: &str, floor| Row {
        what: what.into(),
        floor: Some(floor),
        muster: None,
        aim: Some(AIM),
    };
    let away = median(upgraded.away);
    Ok(comparison(&[
        row("stop all at once", at_once),
        row("stop in order", in_order),
        row("rolling upgrade", upgraded.took),
        Row { aim: None, ..row("node away in an upgrade", away) },
        Row { aim: None, ..row("bare stop and start", bare) },
    ]))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What needs no fleet.
async fn alone(smoke: bool) -> Result<String> {
    let count = if smoke { 50 } else { 1_000 };
    let dir = tempfile::tempdir()?;
    let journal = costs::journal(dir.path(), count)?;
    let receipt = costs::receipt(count)?;
    let bulletin = costs::bulletin(if smoke { 8 } else { 32 }, count / 10).await?;
    let fact = |what: &str, time| Fact { what: what.into(), figure: shown(Some(time)), aim: None };
    Ok(facts(&[
        fact("a durable write of this disk", journal.disk),
        fact("a journal record", journal.record),
        fact("a journal record with its receipt", journal.with_receipt),
        fact("verification of a receipt", receipt),
        fact(
            &format!("verification of a whole bulletin ({} bytes)", bulletin.bytes),
            bulletin.verification,
        ),
    ]))
}
