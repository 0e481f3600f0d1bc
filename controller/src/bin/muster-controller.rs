//! The bulletin board's own command line: `init`, `check`, `run`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use muster_controller::config::Config;
use muster_controller::serve::{self, Running, ServeError};
use muster_controller::{init, report};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The bulletin board of a fleet: it can delay, it can never forge, reorder or weaken.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Answers and logs as JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make keys and a configuration, and print what the root ceremony needs.
    Init {
        /// Folder for all of it.
        #[arg(long)]
        dir: PathBuf,
        /// The one network that this board serves.
        #[arg(long)]
        network: String,
        /// Where it will listen; port 0 lets the system choose.
        #[arg(long, default_value = "0.0.0.0:7443")]
        listen: String,
    },
    /// Look at configuration, keys and store, and say what is wrong; changes no document.
    Check {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Serve until SIGTERM or Ctrl-C.
    Run {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Sign a timestamp this often, instead of what the configuration says; for tests.
        #[arg(long)]
        publisher_every: Option<jiff::SignedDuration>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json;
    let done = match args.command {
        Command::Init { dir, network, listen } => make(&dir, &network, &listen, json),
        Command::Check { config } => runtime().block_on(check(config, json)),
        Command::Run { config, publisher_every } => {
            log(json);
            runtime().block_on(run(config, publisher_every, json))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", report::chain(error.as_ref()));
            ExitCode::from(report::exit_code(error.as_ref()))
        }
    }
}

type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system gives threads and a poller")
}

fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.with_target(false).init() }
}

fn make(dir: &std::path::Path, network: &str, listen: &str, json: bool) -> Done {
    let made = init::init(dir, network, listen)?;
    if json {
        println!("{}", serde_json::to_string(&made)?);
        return Ok(());
    }
    println!(
        "Made a board for {network} in {}.

  agents and people pin   {}
  root, snapshot key      {}
  root, timestamp key     {}

Next: hold the root ceremony with the two keys above, put 1.root.json beside
{}, fill in `root` and `people`, then
  muster-controller check --config {}",
        dir.display(),
        made.tls_pin,
        made.snapshot_key,
        made.timestamp_key,
        made.config.display(),
        made.config.display(),
    );
    Ok(())
}

async fn check(path: PathBuf, json: bool) -> Done {
    let config = Config::read(&path)?;
    let (keeper, _, store) = serve::open(&config, &path).await?;
    let status = keeper.status(jiff::Timestamp::now());
    store.close().await;
    if json {
        println!("{}", serde_json::to_string(&status)?);
    } else {
        print!("{status}");
    }
    Ok(())
}

async fn run(path: PathBuf, every: Option<jiff::SignedDuration>, json: bool) -> Done {
    let mut config = Config::read(&path)?;
    if let (Some(every), Some(publisher)) = (every, &mut config.publisher) {
        publisher.every = every;
    }
    let board = Running::start(config, &path).await?;
    if json {
        println!("{}", serde_json::json!({"listening": board.addr().to_string()}));
    } else {
        println!("listening on {}", board.addr());
    }
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let mut term = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
    };
    board.until(stop).await.map_err(|error: ServeError| error.into())
}
