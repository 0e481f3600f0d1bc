//! From `main` to exit: the order of events and the exit codes of the real node.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::behaviour::{self, Behaviour, Defect};
use super::chain::Follower;
use super::cli::{self, Args};
use super::signals::Handlers;
use super::state::{Node, Phase};
use super::store::Store;
use super::{admin, config, genesis, grpc, key, p2p, probe};

/// Why the process ends, as its exit code.
type Exit = i32;

/// Runs a node; `arguments` are those after the program's name. Returns the exit code.
pub async fn run(arguments: impl IntoIterator<Item = String>) -> Exit {
    let started = Instant::now();
    let Ok(handlers) = Handlers::install(started) else {
        return 1;
    };
    let node = match prepare(arguments) {
        Ok(node) => Arc::new(node),
        Err(exit) => return exit,
    };
    let stop = handlers.heed(Arc::clone(&node));
    match start(&node, started).await {
        Ok((store, listener)) => {
            serve(&node, store, stop).await;
            listener.abort();
            slow_down(&node.behaviour.defect).await;
            0
        }
        Err(exit) => exit,
    }
}

/// Everything that fails before the logger: in plain text.
fn prepare(arguments: impl IntoIterator<Item = String>) -> Result<Node, Exit> {
    let args = cli::parse(arguments).map_err(|error| {
        eprintln!("{error}\nUsage of iotex-server:");
        2
    })?;
    let behaviour = behaviour().map_err(|error| plain(&error))?;
    let known = behaviour.known_keys();
    let genesis = genesis::read(args.genesis.as_deref(), &known)
        .map_err(|error| failed("Failed to new genesis config.", &error))?;
    let config = config::read(args.config.as_deref())
        .map_err(|error| failed("Failed to new config.", &error))?;
    let address = address(config.producer_key.as_deref())?;
    let gateway = args.gateway();
    let node = Node::new(behaviour, config, genesis, address, gateway);
    announce(&node, &args);
    patch_is_there(&node)?;
    Ok(node)
}

fn behaviour() -> Result<Behaviour, String> {
    let path = std::env::var_os(behaviour::PATH_ENV);
    let path = path.map_or_else(|| PathBuf::from(behaviour::PATH), PathBuf::from);
    let scale = match std::env::var(behaviour::SCALE_ENV) {
        Ok(text) => Some(text.parse().map_err(|_| format!("bad scale {text:?}"))?),
        Err(_) => None,
    };
    Behaviour::read(&path, scale).map_err(|error| error.to_string())
}

fn plain(message: &str) -> Exit {
    let now = jiff::Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
    eprintln!("{now} {message}");
    1
}

fn failed(what: &str, error: &config::FileError) -> Exit {
    plain(&format!("{what} {{error 26 0  {error}}}"))
}

/// A comma list names several keys; the first one is the operator's.
fn address(key: Option<&str>) -> Result<String, Exit> {
    let random = key.is_none().then(key::random_key);
    let key = key.or(random.as_deref()).unwrap_or_default();
    let first = key.split(',').next().unwrap_or_default();
    key::operator_address(first.trim()).ok_or_else(|| {
        eprintln!("panic: Error when decoding private key\n\ngoroutine 1 [running]:");
        2
    })
}

fn announce(node: &Node, args: &Args) {
    let (config, genesis) = (&node.config, &node.genesis);
    let plugins = args.plugins.join(" ");
    // The real node prints its whole configuration here, with the keys left out.
    let used = format!(
        "Config in use: {{Plugins:map[{plugins}] Network:{{Host:{} Port:{} BootstrapNodes:{:?} MasterKey:}} \
         Chain:{{ChainDBPath:{} ProducerPrivKey:}} System:{{Active:{} HTTPStatsPort:{}}}}}",
        config.host,
        config.port,
        config.bootstrap,
        config.chain_db.display(),
        config.active,
        config.probe_port,
    );
    let log = &node.log;
    log.info("server/main.go:122", &used);
    log.info("server/main.go:123", "EVM Network ID: 4689, Chain ID: 1");
    log.info("server/main.go:124", &format!("Genesis timestamp: {}", genesis.timestamp));
    log.info("server/main.go:125", &format!("Genesis hash: {}", genesis.hash));
    let suffix = &genesis.hash[genesis.hash.len() - 20..];
    let more = json!({ "topicSuffix": suffix });
    log.line("info", "p2p/agent.go:243", "p2p agent", &more);
}

/// A patch file that is missing stops the node, also when only the default names it.
fn patch_is_there(node: &Node) -> Result<(), Exit> {
    let Some(patch) = node.config.patch.as_deref().filter(|p: &&Path| !p.exists()) else {
        return Ok(());
    };
    let patch = patch.display();
    let error =
        format!("failed to open kvstore patch, {patch}: open {patch}: no such file or directory");
    let message = format!("Failed to execute state factory creation option 0x236af20: {error}");
    node.log.line("error", "factory/statedb.go:138", &message, &Value::Null);
    let error = format!("fail to create chain service: failed to create state factory: {error}");
    Err(fatal(node, "server/main.go:158", "Failed to create server.", &error))
}

fn fatal(node: &Node, caller: &str, message: &str, error: &str) -> Exit {
    node.log.line("fatal", caller, message, &json!({ "error": error }));
    1
}

/// A panic on the main goroutine is recovered, logged, and ends with 0.
fn no_data(node: &Node) -> Exit {
    let panic = "blockdao is nil";
    node.log.line("panic", "blockchain/blockchain.go:227", panic, &Value::Null);
    let crash = format!("crashlog: {panic}");
    node.log.line("error", "recovery/recovery.go:71", &crash, &Value::Null);
    let more = json!({ "stack": "goroutine 1 [running]:" });
    node.log.line("info", "recovery/recovery.go:74", "crashlog", &more);
    0
}

/// Start-up: probe, data lock, gRPC, P2P, bootstrap peers.
async fn start(
    node: &Arc<Node>,
    started: Instant,
) -> Result<(Store, tokio::task::AbortHandle), Exit> {
    let begins = started + node.behaviour.start_time();
    tokio::time::sleep_until(begins.into()).await;
    probe::open(node).await;
    let opened = Store::open(&node.config.chain_db).await;
    let (store, blocks) = opened.map_err(|_| no_data(node))?;
    let more = json!({ "height": blocks.len() });
    node.log.line("info", "factory/statedb.go:233", "State factory started", &more);
    node.view().target = blocks.len() as u64;
    node.view().blocks = blocks;
    node.enter(Phase::Opened);
    let more = json!({ "scheme": "ROLLDPOS" });
    let message = "Starting IotxConsensus scheme.";
    node.log.line("info", "consensus/consensus.go:218", message, &more);
    let port = node.config.grpc_port;
    if grpc::open(node).await.is_err() {
        let error = format!("listen tcp :{port}: bind: address already in use");
        let error = format!(
            "failed to start api server for chain 1: grpc server failed to listen: {error}"
        );
        return Err(fatal(node, "itx/server.go:340", "Failed to start server.", &error));
    }
    let more = json!({ "addr": format!("[::]:{port}") });
    node.log.line("info", "api/grpcserver.go:147", "grpc server is listening.", &more);
    let listener = p2p::listen(node).await.map_err(|error| {
        let error = format!("error when starting P2P agent: {error}");
        fatal(node, "itx/server.go:340", "Failed to start server.", &error)
    })?;
    node.log.info("go-p2p@v0.3.7/p2p.go:482", "P2p host started.");
    p2p::bootstrap(node).await;
    Ok((store, listener))
}

/// From `Server is ready.` to the end of the last round.
async fn serve(node: &Arc<Node>, store: Store, stop: watch::Receiver<bool>) {
    let never = node.behaviour.defect == Defect::NeverReady;
    if never || node.view().deaf {
        std::future::pending::<()>().await;
    }
    node.enter(Phase::Ready);
    node.log.info("itx/server.go:360", "Server is ready.");
    admin::open(node, stop.clone()).await;
    Follower::new(Arc::clone(node), store).run(stop).await;
}

async fn slow_down(defect: &Defect) {
    if let Defect::SlowToStop(milliseconds) = defect {
        tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
    }
}
