//! The roster: who runs which node, with which key, and how to reach the people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{NodeName, OperatorAddress, PublicKey};

/// Every node of one network. Target `roster/<network>/roster.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Always `roster/v1`.
    pub muster: String,
    /// Such as `mainnet`.
    pub network: String,
    /// From 1 on, by one with every change.
    pub version: u64,
    /// When it was frozen.
    pub issued: Timestamp,
    /// How consensus counts.
    pub consensus: Consensus,
    /// Sorted by name; names, operator addresses outside a group, and keys are unique.
    pub nodes: Vec<Node>,
}

/// How consensus counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    /// Active producers per epoch (24 on mainnet).
    pub active: u32,
}

/// One node and the people behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Unique in the roster.
    pub name: NodeName,
    /// Who endorses.
    pub operator: OperatorAddress,
    /// The agent's key: its TLS identity and its receipts. None for a node without an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// `ip:port` of the probe, 8080 by default.
    pub endpoint: std::net::SocketAddr,
    /// Whom to call, as people write it.
    pub contact: String,
    /// What the node is for.
    pub role: Role,
    /// True for each operator address that is or may become active.
    pub seat: bool,
    /// Anything a plan's `select` may ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Nodes of one group share one seat (one key active, the rest standing by).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Listed in everybody's `network.bootstrapNodes`.
    #[serde(default)]
    pub bootstrap: bool,
}

impl Node {
    /// A node is managed when it has an agent, that is a key.
    pub fn managed(&self) -> bool {
        self.key.is_some()
    }
}

/// What a node is for; release notes give priorities by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// In the top 36: may be drawn as an active producer.
    ConsensusDelegate,
    /// A delegate outside the top 36.
    Delegate,
    /// A candidate that is no delegate yet.
    Candidate,
    /// Follows the chain.
    FullNode,
    /// Serves gRPC and JSON-RPC (gateway).
    Api,
    /// Keeps all state.
    Archive,
}

impl Roster {
    /// The node of that name.
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        let at = self.nodes.binary_search_by(|node| node.name.cmp(name));
        at.ok().map(|at| &self.nodes[at])
    }
}
