//! A node as the Engine and the disk show it, as far as it must be exactly the old or the new one.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use muster_agent::runtime::{Container, Engine};
use muster_proto::documents::Digest;
use muster_tests::fleet::delegate::Delegate;
use serde_json::Value;

/// What a delegate would recognize his node by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Image id.
    pub(crate) image: Digest,
    /// The container runs.
    pub(crate) running: bool,
    /// Restart policy.
    pub(crate) policy: String,
    /// What else stays as it is, whatever runs: binds, environment, command line, network, address.
    pub(crate) keeps: Vec<Value>,
    /// The genesis file.
    pub(crate) genesis: Digest,
}

/// What a successor has of its predecessor.
const KEPT: [&str; 6] = [
    "/HostConfig/Binds",
    "/HostConfig/NetworkMode",
    "/HostConfig/LogConfig",
    "/Config/Env",
    "/Config/Cmd",
    "/Config/User",
];

impl Node {
    /// The container of the delegate's own name, and everything else that has its data.
    pub(crate) async fn look(engine: &Engine, delegate: &Delegate) -> Result<(Self, Vec<String>)> {
        let found = engine.inspect(&delegate.container).await?;
        let found = found.with_context(|| format!("there is no {}", delegate.container))?;
        let mut others = Vec::new();
        for id in engine.writers(&delegate.home.data()).await? {
            if id != found.id {
                // It may be gone since it was listed.
                others.extend(engine.inspect(&id).await?);
            }
        }
        for other in &others {
            ensure!(other.state.is_down(), "{} runs too", other.name);
            ensure!(other.policy.is_no(), "{} may be started by the Engine", other.name);
        }
        let genesis = Digest::of(&std::fs::read(delegate.home.genesis())?);
        let names = others.into_iter().map(|other| other.name).collect();
        Ok((Self::of(found, genesis), names))
    }

    fn of(found: Container, genesis: Digest) -> Self {
        let mut keeps: Vec<_> =
            KEPT.iter().map(|at| found.raw.pointer(at).cloned().unwrap_or_default()).collect();
        let networks = found.raw.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
        for (name, network) in networks.into_iter().flatten() {
            let address = network.pointer("/IPAMConfig/IPv4Address").cloned();
            keeps.push(serde_json::json!([name, address]));
        }
        let policy = match found.policy.is_no() {
            true => "no".into(),
            false => found.policy.name,
        };
        Self { image: found.image, running: found.state.running, policy, keeps, genesis }
    }
}

/// Files beside config and genesis, but for the genesis that is kept with the old container.
pub(crate) fn left_behind(delegate: &Delegate) -> Result<Vec<String>> {
    let folder = delegate.home.genesis();
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let mut left = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        let known = ["config.yaml", "genesis.yaml"].contains(&name.as_str());
        if !known && !name.ends_with(".before") {
            left.push(name);
        }
    }
    Ok(left)
}
