//! Secrets that every node of a fleet has besides its key, where delegates have theirs: nothing
//! that Muster writes may hold one of them. None looks like a key, so that nothing but its place
//! tells what it is.

/// In the container's environment.
pub const TOKEN: &str = "planted-token-9d1f6c";
/// `network.masterKey`, which the node's P2P identity comes from.
pub const MASTER: &str = "planted-master-q7v2";
/// `network.privateNetworkPSK`.
pub const SHARED: &str = "planted-psk-u3n8";
/// A delegate's own key in a URL of `chain.committee.gravityChainAPIs`.
pub const GRAVITY: &str = "planted-gravity-w5y1z";
/// The password in `api.redisCacheURL`.
pub const CACHE: &str = "planted-cache-k4t9";
/// The password in the URL of `api.tracer`.
pub const TRACER: &str = "planted-tracer-h6r2";

/// All of them.
pub const ALL: [&str; 6] = [TOKEN, MASTER, SHARED, GRAVITY, CACHE, TRACER];

/// A variable of the container's environment.
pub fn environment() -> String {
    format!("NODE_TOKEN={TOKEN}")
}

/// A delegate's `config.yaml` with his secrets in it.
pub fn plant(config: &str) -> String {
    let network = format!("network:\n  masterKey: {MASTER}\n  privateNetworkPSK: \"{SHARED}\"\n");
    let chain = format!(
        "chain:\n  committee:\n    gravityChainAPIs:\n      \
         - https://mainnet.infura.io/v3/{GRAVITY}\n"
    );
    let api = format!(
        "api:\n  redisCacheURL: redis://:{CACHE}@cache.example:6379\n  \
         tracer: {{endpoint: \"https://ann:{TRACER}@traces.example/v1\"}}\n"
    );
    config.replace("network:\n", &network).replace("\nchain:\n", &format!("\n{chain}")) + &api
}

/// The same after a slip: each secret of the file stands in a line that wants a number too, so that
/// the node quotes it when it refuses the file.
pub fn slipped(config: &str) -> String {
    let fields = ["maxNumActsPerPool", "maxGasLimitPerPool", "maxNumActsPerAcct"];
    let fields = fields.into_iter().chain(["workerBufferSize", "maxNumBlobsPerAcct"]);
    let lines = fields.zip(&ALL[1..]).map(|(field, secret)| format!("  {field}: {secret}\n"));
    format!("{config}actPool:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config;

    #[test]
    fn the_node_takes_what_is_planted_and_quotes_what_slipped() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.yaml");
        let config = plant("network:\n  host: 0.0.0.0\n\nchain:\n  evmNetworkID: 4690\n");
        std::fs::write(&file, &config).expect("written");
        config::read(Some(&file)).expect("keys that the node knows");
        std::fs::write(&file, slipped(&config)).expect("written");
        let refused = config::read(Some(&file)).expect_err("no numbers").to_string();
        assert!(ALL[1..].iter().all(|secret| refused.contains(secret)), "{refused}");
    }
}
