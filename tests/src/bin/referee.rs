//! The referee of a fleet of stand-in nodes, as a program of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use muster_tests::node::timing::Timing;
use muster_tests::referee::{Referee, Setup};

#[derive(Parser)]
#[command(about = "Holds the chain of a fleet of stand-in nodes")]
struct Args {
    /// Where nodes connect
    #[arg(long, default_value = "0.0.0.0:4689")]
    listen: SocketAddr,
    /// Where questions are answered
    #[arg(long, default_value = "127.0.0.1:4690")]
    api: SocketAddr,
    /// Operator addresses of the active set, in the order of their turns
    #[arg(long, value_delimiter = ',', required = true)]
    seats: Vec<String>,
    /// Divides every duration of the real node, from 1 to 20
    #[arg(long, default_value_t = 1.0, env = "STANDIN_SCALE")]
    scale: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let timing = Timing::new(args.scale).context("--scale must be between 1 and 20")?;
    let setup = Setup { seats: args.seats, timing, p2p: args.listen, api: args.api };
    let referee = Referee::start(setup).await.context("a port is taken")?;
    println!("nodes {} questions {}", referee.p2p(), referee.api());
    referee.forever().await;
    Ok(())
}
