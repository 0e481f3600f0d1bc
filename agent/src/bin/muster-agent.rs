//! The daemon on a delegate's host, and the delegate's own command line.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use muster_agent::cli::args::Arguments;
use muster_agent::cli::exit::Exit;

/// One thread: at rest there is nothing to do, and every megabyte counts on a delegate's host.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let exit = match muster_agent::cli::run(arguments).await {
        Ok(printed) => match std::io::stdout().write_all(printed.text.as_bytes()) {
            Ok(()) => printed.exit,
            Err(_) => Exit::Failed,
        },
        Err(failure) => {
            eprintln!("muster-agent: {failure}");
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}
