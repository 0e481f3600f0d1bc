//! `config.yaml`: checked strictly, and what the stand-in needs of it.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::schema::{self, Kind, Refusal, Section};

/// What the stand-in needs of the file, defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// `chain.producerPrivKey`, a secret; `None` when absent: a random key is used.
    pub producer_key: Option<String>,
    /// `chain.trieDBPatchFile`; `None` when it is set to nothing.
    pub patch: Option<PathBuf>,
    /// `chain.chainDBPath`
    pub chain_db: PathBuf,
    /// `consensus.rollDPoS.consensusDBPath`
    pub consensus_db: PathBuf,
    /// `network.host`, the address that all ports are opened on.
    pub host: String,
    /// `network.port`
    pub port: u16,
    /// `network.externalHost` and `network.externalPort`, how others name this node.
    pub external: String,
    /// Host and port of each of `network.bootstrapNodes`.
    pub bootstrap: Vec<String>,
    /// `system.httpStatsPort`
    pub probe_port: u16,
    /// `system.active`
    pub active: bool,
    /// `system.httpAdminPort`; `None` when it is 0 or absent: nobody listens.
    pub admin_port: Option<u16>,
    /// `api.grpcPort`
    pub grpc_port: u16,
    /// `blockSync.interval` in seconds of the real node.
    pub sync_seconds: f64,
    /// `log.stderrRedirectFile`
    pub log_file: Option<PathBuf>,
}

/// Why a file is refused, in the real node's words.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{0}: error applying options: {1}")]
    Unread(&'static str, String),
    /// It does not fit.
    #[error("{0}: {1}")]
    Refused(&'static str, Refusal),
}

impl FileError {
    /// The file's text, or Go's words for why not.
    pub(super) fn text(path: &Path) -> Result<String, String> {
        let name = path.display();
        std::fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("open {name}: no such file or directory"),
            io::ErrorKind::IsADirectory => format!("read {name}: is a directory"),
            io::ErrorKind::PermissionDenied => format!("open {name}: permission denied"),
            other => format!("read {name}: {other}"),
        })
    }
}

/// Reads and checks.
///
/// # Errors
/// In the real node's words; it exits 1.
pub fn read(path: Option<&Path>) -> Result<Config, FileError> {
    let text = match path {
        Some(path) => FileError::text(path)
            .map_err(|error| FileError::Unread("failed to init config", error))?,
        None => String::new(),
    };
    let wrong = |refusal| match refusal {
        Refusal::Malformed(_) => FileError::Refused("failed to init config", refusal),
        Refusal::Wrong(_) => {
            FileError::Refused("failed to unmarshal YAML config to struct", refusal)
        }
    };
    schema::check(&text, &ROOT, "", &[]).map_err(wrong)?;
    let seen: Seen = serde_yaml::from_str(&text).unwrap_or_default();
    Ok(seen.into())
}

impl From<Seen> for Config {
    fn from(seen: Seen) -> Self {
        let (chain, network, system) = (seen.chain, seen.network, seen.system);
        let port = network.port.unwrap_or(4_689);
        let host = network.host.unwrap_or_else(|| "0.0.0.0".into());
        let external_host = network.external_host.unwrap_or_else(|| host.clone());
        let external_port = network.external_port.unwrap_or(port);
        let patch = chain.trie_db_patch_file;
        let patch = patch.unwrap_or_else(|| "/var/data/trie.db.patch".into());
        let sync = seen.block_sync.interval.as_deref();
        let votes = seen.consensus.roll_dpos.consensus_db_path;
        let nodes = network.bootstrap_nodes.unwrap_or_default();
        Self {
            producer_key: chain.producer_priv_key,
            patch: (!patch.is_empty()).then(|| patch.into()),
            chain_db: chain.chain_db_path.unwrap_or_else(|| "/var/data/chain.db".into()).into(),
            consensus_db: votes.unwrap_or_else(|| "/var/data/consensus.db".into()).into(),
            external: format!("{external_host}:{external_port}"),
            host,
            port,
            bootstrap: nodes.iter().filter_map(|node| host_and_port(node)).collect(),
            probe_port: system.http_stats_port.unwrap_or(8_080),
            active: system.active.unwrap_or(true),
            admin_port: system.http_admin_port.filter(|port| *port > 0),
            grpc_port: seen.api.grpc_port.or(seen.api.port).unwrap_or(14_014),
            sync_seconds: sync.and_then(schema::seconds).unwrap_or(30.0),
            log_file: seen.log.stderr_redirect_file.map(PathBuf::from),
        }
    }
}

/// `/ip4/10.0.0.7/tcp/4689/p2p/12D3…` → `10.0.0.7:4689`.
fn host_and_port(multiaddr: &str) -> Option<String> {
    let parts: Vec<&str> = multiaddr.split('/').collect();
    match parts[..] {
        ["", "ip4" | "dns4", host, "tcp", port, ..] => Some(format!("{host}:{port}")),
        _ => None,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Seen {
    chain: Chain,
    network: Network,
    system: System,
    api: Api,
    block_sync: BlockSync,
    consensus: Consensus,
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Consensus {
    #[serde(rename = "rollDPoS")]
    roll_dpos: RollDpos,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RollDpos {
    #[serde(rename = "consensusDBPath")]
    consensus_db_path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chain {
    #[serde(rename = "producerPrivKey")]
    producer_priv_key: Option<String>,
    #[serde(rename = "trieDBPatchFile")]
    trie_db_patch_file: Option<String>,
    #[serde(rename = "chainDBPath")]
    chain_db_path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Network {
    host: Option<String>,
    port: Option<u16>,
    external_host: Option<String>,
    external_port: Option<u16>,
    bootstrap_nodes: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct System {
    http_stats_port: Option<u16>,
    http_admin_port: Option<u16>,
    active: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Api {
    grpc_port: Option<u16>,
    port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BlockSync {
    interval: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Log {
    stderr_redirect_file: Option<String>,
}

static ROOT: Section = Section {
    name: "config.Config",
    fields: &[
        ("plugins", Kind::Any),
        ("network", Kind::Section(&NETWORK)),
        ("chain", Kind::Section(&CHAIN)),
        ("actPool", Kind::Section(&ACT_POOL)),
        ("consensus", Kind::Section(&CONSENSUS)),
        ("dardanellesUpgrade", Kind::Any),
        ("wakeUpgrade", Kind::Any),
        ("blockSync", Kind::Section(&BLOCK_SYNC)),
        ("dispatcher", Kind::Any),
        ("api", Kind::Section(&API)),
        ("system", Kind::Section(&SYSTEM)),
        ("db", Kind::Any),
        ("indexer", Kind::Any),
        ("log", Kind::Section(&LOG)),
        ("subLogs", Kind::Any),
        ("genesis", Kind::Any),
    ],
};

static NETWORK: Section = Section {
    name: "p2p.Config",
    fields: &[
        ("host", Kind::Text),
        ("port", Kind::Int),
        ("externalHost", Kind::Text),
        ("externalPort", Kind::Int),
        ("bootstrapNodes", Kind::Texts),
        ("masterKey", Kind::Text),
        ("relayType", Kind::Text),
        ("reconnectInterval", Kind::Duration),
        ("rateLimit", Kind::Any),
        ("enableRateLimit", Kind::Bool),
        ("privateNetworkPSK", Kind::Text),
        ("maxPeers", Kind::Int),
        ("maxMessageSize", Kind::Int),
        ("rpcMsgCacheSize", Kind::Int),
        ("rpcDedupCacheSize", Kind::Int),
    ],
};

static CHAIN: Section = Section {
    name: "blockchain.Config",
    fields: &[
        ("chainDBPath", Kind::Text),
        ("trieDBPatchFile", Kind::Text),
        ("trieDBPath", Kind::Text),
        ("stakingPatchDir", Kind::Text),
        ("indexDBPath", Kind::Text),
        ("bloomfilterIndexDBPath", Kind::Text),
        ("candidateIndexDBPath", Kind::Text),
        ("stakingIndexDBPath", Kind::Text),
        ("sgdIndexDBPath", Kind::Text),
        ("contractStakingIndexDBPath", Kind::Text),
        ("blobStoreDBPath", Kind::Text),
        ("blobStoreRetentionDays", Kind::Int),
        ("patchReceiptIndexPath", Kind::Text),
        ("patchReceiptIndexEndHeight", Kind::Int),
        ("patchTransactionLogPath", Kind::Text),
        ("historyIndexPath", Kind::Text),
        ("historyBlockRetention", Kind::Int),
        ("id", Kind::Int),
        ("evmNetworkID", Kind::Int),
        ("address", Kind::Text),
        ("producerPrivKey", Kind::Text),
        ("producerPrivKeySchema", Kind::Text),
        ("producerPrivKeyRange", Kind::Text),
        ("signatureScheme", Kind::Texts),
        ("emptyGenesis", Kind::Bool),
        ("gravityChainDB", Kind::Any),
        ("committee", Kind::Any),
        ("enableTrielessStateDB", Kind::Bool),
        ("enableStateDBCaching", Kind::Bool),
        ("enableArchiveMode", Kind::Bool),
        ("versionedNamespaces", Kind::Texts),
        ("versionedMetadata", Kind::Text),
        ("enableAsyncIndexWrite", Kind::Bool),
        ("enableSystemLog", Kind::Bool),
        ("enableStakingProtocol", Kind::Bool),
        ("enableStakingIndexer", Kind::Bool),
        ("allowedBlockGasResidue", Kind::Int),
        ("maxCacheSize", Kind::Int),
        ("pollInitialCandidatesInterval", Kind::Duration),
        ("stateDBCacheSize", Kind::Int),
        ("workingSetCacheSize", Kind::Int),
        ("streamingBlockBufferSize", Kind::Int),
        ("persistStakingPatchBlock", Kind::Int),
        ("fixAliasForNonStopHeight", Kind::Int),
        ("factoryDBType", Kind::Text),
    ],
};

static ACT_POOL: Section = Section {
    name: "actpool.Config",
    fields: &[
        ("maxNumActsPerPool", Kind::Int),
        ("maxGasLimitPerPool", Kind::Int),
        ("maxNumActsPerAcct", Kind::Int),
        ("workerBufferSize", Kind::Int),
        ("actionExpiry", Kind::Duration),
        ("minGasPrice", Kind::Text),
        ("blackList", Kind::Texts),
        ("store", Kind::Any),
        ("maxNumBlobsPerAcct", Kind::Int),
    ],
};

static CONSENSUS: Section = Section {
    name: "consensus.Config",
    fields: &[("scheme", Kind::Text), ("rollDPoS", Kind::Section(&ROLL_DPOS))],
};

static ROLL_DPOS: Section = Section {
    name: "rolldpos.Config",
    fields: &[
        ("fsm", Kind::Section(&FSM)),
        ("toleratedOvertime", Kind::Duration),
        ("delay", Kind::Duration),
        ("consensusDBPath", Kind::Text),
    ],
};

static FSM: Section = Section {
    name: "consensusfsm.ConsensusTiming",
    fields: &[
        ("eventChanSize", Kind::Int),
        ("unmatchedEventTTL", Kind::Duration),
        ("unmatchedEventInterval", Kind::Duration),
        ("acceptBlockTTL", Kind::Duration),
        ("acceptProposalEndorsementTTL", Kind::Duration),
        ("acceptLockEndorsementTTL", Kind::Duration),
        ("commitTTL", Kind::Duration),
    ],
};

static BLOCK_SYNC: Section = Section {
    name: "blocksync.Config",
    fields: &[
        ("interval", Kind::Duration),
        ("processSyncRequestTTL", Kind::Duration),
        ("bufferSize", Kind::Int),
        ("intervalSize", Kind::Int),
        ("maxRepeat", Kind::Int),
        ("repeatDecayStep", Kind::Int),
    ],
};

static API: Section = Section {
    name: "api.Config",
    fields: &[
        ("useRDS", Kind::Bool),
        // The key has had both names.
        ("grpcPort", Kind::Int),
        ("port", Kind::Int),
        ("httpPort", Kind::Int),
        ("web3port", Kind::Int),
        ("webSocketPort", Kind::Int),
        ("redisCacheURL", Kind::Text),
        ("tpsWindow", Kind::Int),
        ("gasStation", Kind::Any),
        ("rangeQueryLimit", Kind::Int),
        ("tracer", Kind::Any),
        ("batchRequestLimit", Kind::Int),
        ("websocketRateLimit", Kind::Int),
        ("listenerLimit", Kind::Int),
        ("readyDuration", Kind::Duration),
    ],
};

static SYSTEM: Section = Section {
    name: "config.System",
    fields: &[
        ("active", Kind::Bool),
        ("heartbeatInterval", Kind::Duration),
        ("httpAdminPort", Kind::Int),
        ("httpStatsPort", Kind::Int),
        ("startSubChainInterval", Kind::Duration),
        ("systemLogDBPath", Kind::Text),
        ("mptrieLogPath", Kind::Text),
    ],
};

static LOG: Section = Section {
    name: "log.GlobalConfig",
    fields: &[
        ("zap", Kind::Any),
        ("stderrRedirectFile", Kind::Text),
        ("stdLogRedirect", Kind::Bool),
        ("ecsIntegration", Kind::Bool),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_nodes_are_multiaddresses() {
        let ip =
            "/ip4/10.77.0.14/tcp/4689/p2p/12D3KooWJwW6pUpTkxPTMv84RPLPMQVEAjZ6fvJuX4oZrvW5DAGQ";
        assert_eq!(host_and_port(ip).as_deref(), Some("10.77.0.14:4689"));
        let name = "/dns4/bootnode-0.mainnet.iotex.one/tcp/4689/ipfs/12D3Koo";
        assert_eq!(host_and_port(name).as_deref(), Some("bootnode-0.mainnet.iotex.one:4689"));
        assert_eq!(host_and_port("10.77.0.14:4689"), None);
    }

    #[test]
    fn defaults_are_the_real_node_s() {
        let config = Config::from(Seen::default());
        assert_eq!((config.port, config.probe_port, config.grpc_port), (4_689, 8_080, 14_014));
        assert_eq!(config.patch.as_deref(), Some("/var/data/trie.db.patch".as_ref()));
        assert_eq!(config.sync_seconds, 30.0);
        assert!(config.active && config.producer_key.is_none() && config.admin_port.is_none());
    }
}
