//! The client of the public tuf-conformance suite, over the driver in `muster-proto`.
//!
//! `tuf-client --metadata-dir DIR init ROOT`, `… --metadata-url URL refresh`,
//! `… --target-name PATH --target-base-url URL --target-dir DIR download`. Exit 0 or 1.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use muster_tests::tuf::client::{Client, init};

#[derive(Parser)]
struct Args {
    /// Where trusted metadata lies.
    #[arg(long)]
    metadata_dir: PathBuf,
    /// Where metadata is fetched from.
    #[arg(long)]
    metadata_url: Option<String>,
    /// What to download; may be given several times.
    #[arg(long)]
    target_name: Vec<String>,
    /// Where targets are fetched from.
    #[arg(long)]
    target_base_url: Option<String>,
    /// Where downloaded targets go.
    #[arg(long)]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trusts this root.
    Init {
        /// The root's file.
        root: PathBuf,
    },
    /// Brings top-level metadata up to date.
    Refresh,
    /// The same, then fetches targets.
    Download,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tuf-client: {error:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(args: Args) -> Result<()> {
    if let Command::Init { root } = &args.command {
        return init(&args.metadata_dir, root);
    }
    let url = args.metadata_url.as_deref().context("--metadata-url is missing")?;
    let mut client = Client::open(&args.metadata_dir, url, Timestamp::now())?;
    client.refresh().await?;
    if let Command::Download = args.command {
        let base = args.target_base_url.as_deref().context("--target-base-url is missing")?;
        let into = args.target_dir.as_deref().context("--target-dir is missing")?;
        for target in &args.target_name {
            client.download(target, base, into).await?;
        }
    }
    Ok(())
}
