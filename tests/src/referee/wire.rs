//! What nodes and referee say to each other: one JSON object a line, over TCP.
//!
//! Whoever listens on a P2P port greets first, so that a dialler knows whom it reached.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The hash before block 1.
pub const GENESIS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Longest line that either side accepts, in bytes: a full sync answer of 200 blocks is about 60 kB.
pub const MAX_LINE: u64 = 1 << 20;

/// First line of whoever listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greeting {
    /// A node: counts as a reachable bootstrap peer, and no more.
    Node,
    /// The referee: holds the chain.
    Referee,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Height, from 1.
    pub height: u64,
    /// Lower-case hex.
    pub hash: String,
    /// Hash of the block before it.
    pub previous: String,
    /// Operator address of the proposer, `io1…`.
    pub producer: String,
    /// When its round ended, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The forks in force when it was made, as its proposer knows them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rules: String,
}

impl Block {
    /// The block that follows `previous`, before any fork. Equal chains have equal hashes whatever the clock said.
    pub fn after(previous: Option<&Block>, producer: &str, time_ms: u64) -> Self {
        Self::under("", previous, producer, time_ms)
    }

    /// The same under these rules, which are in its hash.
    pub fn under(rules: &str, previous: Option<&Block>, producer: &str, time_ms: u64) -> Self {
        let height = previous.map_or(0, |b| b.height) + 1;
        let previous = previous.map_or(GENESIS_HASH, |b| &b.hash).to_owned();
        let hash = hex::encode(Sha256::digest(format!("{previous}/{height}/{producer}/{rules}")));
        let (producer, rules) = (producer.to_owned(), rules.to_owned());
        Self { height, hash, previous, producer, time_ms, rules }
    }

    /// The same made for the `n`th time: it has a hash of its own. 0 leaves it as it is.
    pub fn again(self, n: u64) -> Self {
        if n == 0 {
            return self;
        }
        let hash = hex::encode(Sha256::digest(format!("{}/{n}", self.hash)));
        Self { hash, ..self }
    }

    /// What it is built on.
    pub fn basis(&self) -> Basis {
        Basis { previous: self.previous.clone(), rules: self.rules.clone() }
    }
}

/// Whether a node takes part in consensus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// It may propose and endorse; otherwise it stands by, and follows.
    pub active: bool,
    /// Its height stands still, and others get nothing from it.
    pub paused: bool,
}

impl Mode {
    /// Whether its seat counts.
    pub fn takes_part(self) -> bool {
        self.active && !self.paused
    }
}

/// What a block is built on, as a node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Hash of the node's tip.
    pub previous: String,
    /// The forks in force for the node at the block's height.
    pub rules: String,
}

/// Who a node is: its first line to the referee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Operator address, `io1…`.
    pub address: String,
    /// The version it says it runs.
    pub version: String,
    /// Its tip.
    pub height: u64,
    /// The hash of its tip.
    pub hash: String,
    /// Whether it takes part.
    pub mode: Mode,
}

/// From a node to the referee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToReferee {
    /// I am here.
    Hello(Hello),
    /// From now on I take part, or do not.
    Mode(Mode),
    /// I proposed the block of this round, whose proposer I am.
    Propose {
        /// Height of the round.
        height: u64,
        /// Number of the round.
        round: u64,
        /// What it is built on.
        basis: Basis,
    },
    /// I endorse the block of this round.
    Endorse {
        /// Height of the round.
        height: u64,
        /// Number of the round.
        round: u64,
        /// What I would build on: a block of another basis has not my endorsement.
        basis: Basis,
    },
    /// My tip is now this.
    Committed {
        /// The new tip.
        height: u64,
        /// Its hash.
        hash: String,
    },
    /// Give me the blocks from this height on.
    Sync {
        /// First height wanted.
        from: u64,
    },
    /// Answer to `Give`, oldest first.
    Have(Vec<Block>),
    /// What others show as `iotex_node_info_height_gauge`.
    Info {
        /// My tip.
        height: u64,
    },
    /// Still here.
    Ping,
}

/// One round of consensus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Height that it is about.
    pub height: u64,
    /// 0 when the first proposer of the height is asked.
    pub number: u64,
    /// Whose turn it is.
    pub proposer: String,
    /// Length of a round in milliseconds.
    pub interval_ms: u64,
    /// How many others are connected.
    pub peers: u64,
}

/// From the referee to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToNode {
    /// A round begins now.
    Round(Round),
    /// This round's block was proposed.
    Proposal {
        /// Height of the round.
        height: u64,
        /// Number of the round.
        round: u64,
        /// What it is built on.
        basis: Basis,
    },
    /// Quorum: this block commits when the round ends, with or without you on the line.
    Locked {
        /// The block.
        block: Block,
        /// Milliseconds until the round ends.
        ends_in_ms: u64,
    },
    /// This block is committed.
    Block(Block),
    /// Answer to `Sync`, oldest first, at most 200.
    Blocks(Vec<Block>),
    /// You have blocks that I have not: give me those from this height on.
    Give {
        /// First height wanted.
        from: u64,
    },
    /// What another node says of itself.
    Info {
        /// Its operator address.
        address: String,
        /// Its version.
        version: String,
        /// Its tip.
        height: u64,
    },
}
