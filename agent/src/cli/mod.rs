//! The delegate's command line: from arguments to an exit code.

pub mod args;
mod ask;
pub mod exit;
mod init;
mod offline;
pub mod screen;
pub mod snapshot;

use std::io::IsTerminal as _;

use args::{Arguments, Command, Run};
use exit::{Exit, Failure};

use crate::config::Paths;
use crate::daemon;

/// What a command prints on standard output, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Complete, with its last newline.
    pub text: String,
    /// The exit code.
    pub exit: Exit,
}

impl Printed {
    fn done(text: String) -> Self {
        Self { text, exit: Exit::Done }
    }
}

/// Runs one command to its end.
///
/// # Errors
/// [`Failure`], with the exit code and the words for standard error.
pub async fn run(arguments: Arguments) -> Result<Printed, Failure> {
    let paths = Paths::new(arguments.dir);
    match arguments.command {
        Command::Init(arguments) => init::run(&paths, arguments),
        Command::Run(run) => run_daemon(&paths, &run).await,
        Command::Status(output) => ask::status(&paths, output).await,
        Command::Log(log) => ask::log(&paths, &log).await,
        Command::Pending(output) => ask::pending(&paths, output).await,
        Command::Explain(explain) => ask::explain(&paths, &explain).await,
        Command::Approve(approve) => ask::approve(&paths, &approve).await,
        Command::Decline(decline) => ask::decline(&paths, &decline).await,
        Command::Snapshot(snapshot) => snapshot::run(&paths, snapshot).await,
    }
}

async fn run_daemon(paths: &Paths, run: &Run) -> Result<Printed, Failure> {
    log_to_stderr(run.log_json);
    match daemon::run(paths).await {
        Ok(()) => Ok(Printed::done(String::new())),
        Err(error) => Err(Failure::new(Exit::Failed, &error)),
    }
}

/// The level is set by `RUST_LOG`; colour only where a person looks.
fn log_to_stderr(json: bool) {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(level);
    if json {
        registry.with(lines.json()).init();
    } else {
        registry.with(lines.with_target(false).with_ansi(std::io::stderr().is_terminal())).init();
    }
}
