//! `bench`: Muster against a local program that makes the same Engine calls.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use jiff::Timestamp;
use muster_proto::documents::plan::HealthTerms;
use muster_tests::bench::floor::Floor;
use muster_tests::bench::rollout::{AtRest, Rolled, Stand, behaviour};
use muster_tests::bench::ssh::Hosts;
use muster_tests::bench::table::{Fact, Row, beside, comparison, facts, shown};
use muster_tests::bench::{Scale, costs, snapshot};
use muster_tests::fleet::load;

/// Measures Muster against a local program that makes the same Engine calls.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Eight nodes and short times: shows that everything works, and nothing more.
    #[arg(long)]
    smoke: bool,
    /// The emergency stop instead, beside the floor and beside `ssh host docker stop`.
    #[arg(long)]
    emergency: bool,
    /// Snapshots of so many GiB instead, on ext4, XFS and btrfs, beside `cp` and `rsync`.
    #[arg(long, value_name = "GIB", num_args = 0..=1, default_missing_value = "8")]
    snapshot: Option<u64>,
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
    if let Some(gib) = args.snapshot {
        println!("{}", snapshot::all(gib)?);
        return Ok(());
    }
    let scales = match (args.smoke, args.nodes.as_slice()) {
        (true, _) => vec![Scale::smoke()],
        (false, []) => vec![Scale::full(8), Scale::full(32)],
        (false, nodes) => nodes.iter().map(|nodes| Scale::full(*nodes)).collect(),
    };
    for scale in scales {
        let measured = tokio::select! {
            measured = fleet(scale, args.emergency) => measured,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        println!("{} stand-ins, times divided by {}\n{}\n", scale.nodes, scale.factor, measured?);
    }
    if !args.emergency {
        println!("{}", alone(args.smoke).await?);
    }
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

async fn fleet(scale: Scale, emergency: bool) -> Result<String> {
    let mut stand = Stand::up(scale, health()).await?;
    let measured = match emergency {
        true => halts(&mut stand, scale).await,
        false => measure(&mut stand, scale).await,
    };
    let ended = stand.fleet.end().await;
    let measured = measured?;
    ended.map(|()| measured)
}

/// Floor and Muster on the same containers: stops of all at once by turns, the longer runs once
/// each, as they are sums over all nodes.
async fn measure(stand: &mut Stand, scale: Scale) -> Result<String> {
    say(scale, "programs at rest");
    let at_rest = stand.at_rest().await?;
    let (floor, muster) = at_once(stand, scale).await?;
    let own = median(muster.iter().map(|rolled| rolled.own).collect());
    let both = (median(floor), median(muster.iter().map(|rolled| rolled.took).collect()));
    let in_order = in_order(stand, scale).await?;
    let (upgrade, down, bare) = upgrades(stand, scale).await?;
    let row = |what: &str, (floor, muster), aim| Row {
        what: what.into(),
        floor: Some(floor),
        muster: Some(muster),
        aim,
    };
    let compared = comparison(&[
        row("stop all at once", both, Some(AIM)),
        row("stop in order", in_order, Some(AIM)),
        row("rolling upgrade", upgrade, Some(AIM)),
        row("container down in an upgrade", down, None),
        row("against bare stop and start", (bare, down.1), None),
    ]);
    Ok(format!("{compared}\n\n{}", facts(&resting(&at_rest, own))))
}

/// Each side's turns of a stop of everybody at once.
async fn at_once(stand: &mut Stand, scale: Scale) -> Result<(Vec<Duration>, Vec<Rolled>)> {
    let (mut by_floor, mut by_muster) = (Vec::new(), Vec::new());
    let floor = Floor::new(SOCKET, &stand.containers(), health());
    for turn in 1..=scale.turns {
        say(scale, &format!("stop all at once, turn {turn} of {}", scale.turns));
        stand.agents_off().await?;
        by_floor.push(floor.stop_at_once().await?);
        floor.start_all().await?;
        stand.at_tip().await?;
        stand.agents_on().await?;
        by_muster.push(stand.stop(scale.nodes).await?);
        stand.start().await?;
    }
    Ok((by_floor, by_muster))
}

async fn in_order(stand: &mut Stand, scale: Scale) -> Result<(Duration, Duration)> {
    let floor = Floor::new(SOCKET, &stand.containers(), health());
    say(scale, "stop in order, floor");
    stand.agents_off().await?;
    let by_floor = floor.stop_in_order().await?;
    floor.start_all().await?;
    stand.at_tip().await?;
    stand.agents_on().await?;
    say(scale, "stop in order, Muster");
    let by_muster = stand.stop(1).await?.took;
    stand.start().await?;
    Ok((by_floor, by_muster))
}

type Both = (Duration, Duration);

/// Rolling upgrades, how long a container was down in them, and in a bare stop and start.
async fn upgrades(stand: &mut Stand, scale: Scale) -> Result<(Both, Both, Duration)> {
    let floor = Floor::new(SOCKET, &stand.containers(), health());
    say(scale, "rolling upgrade, floor");
    stand.agents_off().await?;
    let (docker, run) = (stand.fleet.docker.clone(), stand.fleet.run.clone());
    let image = load(&docker, &behaviour("v2.4.4", scale), &run).await?;
    let mark = stand.fleet.observer.seen().len();
    let by_floor = floor.upgrade(&image.id, "v2.4.4", 1).await?.took;
    let floor_down = stand.down_since(mark);
    stand.at_tip().await?;
    let mark = stand.fleet.observer.seen().len();
    floor.bare_restart().await?;
    let bare = stand.down_since(mark);
    stand.at_tip().await?;
    stand.agents_on().await?;
    say(scale, "rolling upgrade, Muster");
    let mark = stand.fleet.observer.seen().len();
    let by_muster = stand.upgrade("v2.4.5").await?.took;
    Ok(((by_floor, by_muster), (floor_down, stand.down_since(mark)), bare))
}

/// An emergency stop, all at once and one by one, by the floor, by ssh and by Muster: until the
/// Engine saw the last node leave.
async fn halts(stand: &mut Stand, scale: Scale) -> Result<String> {
    let hosts = Hosts::up(&stand.containers()).await?;
    let mut rows = Vec::new();
    for (what, schedule) in [("all at once", "at-once"), ("one by one", "{pace: 1m}")] {
        let at_once = schedule == "at-once";
        stand.agents_off().await?;
        let by_floor = halted(stand, scale, format!("{what}, floor"), async |floor| {
            if at_once { floor.halt_at_once().await } else { floor.halt_in_order().await }
        });
        let by_floor = by_floor.await?;
        let mut by_ssh = Vec::new();
        for (warm, how) in [(false, "ssh, cold"), (true, "ssh, warm")] {
            if warm {
                hosts.warm().await?;
            }
            let stops = halted(stand, scale, format!("{what}, {how}"), async |_| match at_once {
                true => hosts.stop_at_once(warm).await,
                false => hosts.stop_in_order(warm).await,
            });
            by_ssh.push((format!("{what}, {how}"), stops.await?));
        }
        hosts.cool().await?;
        stand.agents_on().await?;
        say(scale, &format!("{what}, Muster"));
        let by_muster = stand.emergency(schedule).await?;
        let row = |what: String, took: Option<_>, muster: Option<_>| Row {
            what,
            floor: took,
            muster,
            aim: None,
        };
        rows.push(row(format!("{what}, floor"), Some(by_floor), Some(by_muster)));
        rows.extend(by_ssh.into_iter().map(|(what, took)| row(what, Some(took), Some(by_muster))));
    }
    Ok(beside("without", &rows))
}

/// How long `stops` takes until the Engine saw the last node leave; then all are up again.
async fn halted(
    stand: &Stand,
    scale: Scale,
    what: String,
    stops: impl AsyncFnOnce(&Floor) -> Result<()>,
) -> Result<Duration> {
    say(scale, &what);
    let floor = Floor::new(SOCKET, &stand.containers(), health());
    let (mark, since) = (stand.fleet.observer.seen().len(), Timestamp::now());
    stops(&floor).await?;
    let took = stand.all_left(mark, since).await?;
    floor.start_all().await?;
    stand.at_tip().await?;
    Ok(took)
}

/// A long run says where it is.
fn say(scale: Scale, what: &str) {
    eprintln!("{} stand-ins: {what}", scale.nodes);
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
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
