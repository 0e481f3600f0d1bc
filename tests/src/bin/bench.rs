//! `bench`: Muster against a local program that makes the same Engine calls.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use muster_proto::documents::plan::HealthTerms;
use muster_tests::bench::floor::Floor;
use muster_tests::bench::rollout::{AtRest, Stand, behaviour};
use muster_tests::bench::table::{Fact, Row, comparison, facts, shown};
use muster_tests::bench::{Scale, costs};
use muster_tests::fleet::load;

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
    for scale in scales {
        let measured = tokio::select! {
            measured = fleet(scale) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
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

async fn fleet(scale: Scale) -> Result<String> {
    let mut stand = Stand::up(scale, health()).await?;
    let measured = measure(&mut stand, scale).await;
    let ended = stand.fleet.end().await;
    let measured = measured?;
    ended.map(|()| measured)
}

/// First the floor with all agents off, then Muster, on the same containers.
async fn measure(stand: &mut Stand, scale: Scale) -> Result<String> {
    let at_rest = stand.at_rest().await?;
    stand.agents_off().await?;
    let floor = by_floor(stand, scale).await?;
    stand.agents_on().await?;
    let muster = by_muster(stand, scale).await?;
    let row = |what: &str, floor, muster| Row {
        what: what.into(),
        floor: Some(floor),
        muster: Some(muster),
        aim: Some(AIM),
    };
    let compared = comparison(&[
        row("stop all at once", floor.at_once, muster.at_once),
        row("stop in order", floor.in_order, muster.in_order),
        row("rolling upgrade", floor.upgrade, muster.upgrade),
        Row { aim: None, ..row("container down in an upgrade", floor.down, muster.down) },
        Row { aim: None, ..row("against bare stop and start", floor.bare, muster.down) },
    ]);
    let own = muster.at_once.saturating_sub(floor.at_once);
    Ok(format!("{compared}\n\n{}", facts(&resting(&at_rest, own))))
}

/// What was measured of one side.
struct Times {
    at_once: Duration,
    in_order: Duration,
    upgrade: Duration,
    down: Duration,
    bare: Duration,
}

async fn by_floor(stand: &Stand, scale: Scale) -> Result<Times> {
    let floor = Floor::new(SOCKET, &stand.containers(), health());
    let at_once = floor.stop_at_once().await?;
    floor.start_all().await?;
    stand.at_tip().await?;
    let in_order = floor.stop_in_order().await?;
    floor.start_all().await?;
    stand.at_tip().await?;
    let fleet = &stand.fleet;
    let image = load(&fleet.docker, &behaviour("v2.4.4", scale), &fleet.run).await?;
    let mark = fleet.observer.seen().len();
    let upgrade = floor.upgrade(&image.id, "v2.4.4", 1).await?.took;
    let down = stand.down_since(mark);
    stand.at_tip().await?;
    let mark = fleet.observer.seen().len();
    floor.bare_restart().await?;
    let bare = stand.down_since(mark);
    stand.at_tip().await?;
    Ok(Times { at_once, in_order, upgrade, down, bare })
}

async fn by_muster(stand: &mut Stand, scale: Scale) -> Result<Times> {
    let at_once = stand.stop(scale.nodes).await?;
    stand.start().await?;
    let in_order = stand.stop(1).await?;
    stand.start().await?;
    let mark = stand.fleet.observer.seen().len();
    let upgrade = stand.upgrade("v2.4.5").await?;
    let down = stand.down_since(mark);
    Ok(Times { at_once, in_order, upgrade, down, bare: Duration::ZERO })
}

/// What the programs take at rest, and what Muster itself adds to a stop of all.
fn resting(at_rest: &AtRest, own: Duration) -> Vec<Fact> {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let most = at_rest.agents.iter().map(|agent| agent.resident).max().unwrap_or_default();
    let busiest = at_rest.agents.iter().map(|agent| agent.percent).fold(0.0, f64::max);
    let controller = at_rest.controller;
    let fact = |what: &str, figure: String, aim: Option<(&str, bool)>| Fact {
        what: what.into(),
        figure,
        aim: aim.map(|(aim, met)| (aim.into(), met)),
    };
    vec![
        fact("publish to the last verified receipt, work taken out", shown(Some(own)), None),
        fact("largest agent at rest", mib(most), Some(("under 20 MiB", most < 20 << 20))),
        fact(
            "busiest agent at rest",
            format!("{busiest:.2} %"),
            Some(("under 0.2 %", busiest < 0.2)),
        ),
        fact("controller with all agents attached", mib(controller.resident), None),
        fact("controller at rest", format!("{:.2} %", controller.percent), None),
    ]
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
