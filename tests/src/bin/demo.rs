//! `demo`: the main job on real containers, told as it goes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use muster_tests::demo::{self, Stage, stage};
use tokio::signal::unix::{SignalKind, signal};

/// Nobody looks on for longer.
const LONGEST: Duration = Duration::from_secs(180);

/// Seven delegates on real containers: a hotfix, a bad release, a tampered plan, stop and start.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    /// Leave the fleet running and say what to try next; Ctrl-C ends it
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let code = tokio::select! {
        code = show(args.keep) => code,
        () = interrupted() => {
            eprintln!("\ninterrupted: cleaning up");
            ExitCode::from(130)
        }
    };
    stage::clean_up().await;
    code
}

fn in_time(took: Duration) -> anyhow::Result<()> {
    println!("It took {} s.", took.as_secs());
    anyhow::ensure!(took <= LONGEST, "that is more than {} s", LONGEST.as_secs());
    Ok(())
}

async fn interrupted() {
    let (Ok(mut int), Ok(mut term)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
}

async fn show(keep: bool) -> ExitCode {
    let began = Instant::now();
    println!("Setting up");
    let mut stage = match Stage::up().await {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("the demo did not come up: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let played = demo::play(&mut stage).await;
    let played = played.and_then(|()| in_time(began.elapsed()));
    if let Err(error) = &played {
        eprintln!("\nthe demo failed: {error:#}\n{}", stage.logs());
    }
    if keep && played.is_ok() {
        stage.try_next();
        std::future::pending::<()>().await;
    }
    stage.down().await;
    if played.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
