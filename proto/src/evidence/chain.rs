//! One agent's chain of receipts: counters without a gap, each link naming the one before.

use serde::{Deserialize, Serialize};

use super::dsse::{Envelope, EnvelopeError};
use super::receipt::Receipt;
use crate::documents::{Digest, NodeName, PublicKey};

/// The newest link of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Of the newest receipt.
    pub counter: u64,
    /// Digest of its payload.
    pub hash: Digest,
}

/// A verified prefix of one agent's chain.
#[derive(Debug, Clone)]
pub struct Chain {
    network: String,
    node: NodeName,
    key: PublicKey,
    links: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    receipt: Receipt,
    hash: Digest,
}

/// What a verified receipt did to a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is the new head.
    New,
    /// It was known.
    Known,
}

/// Why a receipt was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The envelope itself.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by the right key, but for another network or node.
    #[error("V010: a receipt of {node} on {network}, found in the chain of another")]
    Elsewhere {
        /// What the receipt says.
        node: NodeName,
        /// What the receipt says.
        network: String,
    },
    /// Links in between are missing; nothing is wrong yet.
    #[error(
        "V011: receipt {counter} of {node} came before {missing}; the ones between are missing"
    )]
    Gap {
        /// Whose.
        node: NodeName,
        /// What came.
        counter: u64,
        /// What is needed first.
        missing: u64,
    },
    /// It names another predecessor than the one we hold.
    #[error("V012: receipt {counter} of {node} does not follow the one before it")]
    Broken {
        /// Whose.
        node: NodeName,
        /// Which.
        counter: u64,
    },
    /// Two contents under one counter: that agent is not to be believed.
    #[error(
        "V013: {node} signed two receipts with counter {counter}: quarantined until a new roster gives it a new key"
    )]
    DoubleCounter {
        /// Whose.
        node: NodeName,
        /// Which.
        counter: u64,
    },
}

impl Chain {
    /// An empty chain.
    pub fn new(network: impl Into<String>, node: NodeName, key: PublicKey) -> Self {
        Self { network: network.into(), node, key, links: Vec::new() }
    }

    /// Verifies `envelope` and appends it when it is the next link.
    ///
    /// # Errors
    /// See [`ChainError`]; the chain is unchanged by every one of them.
    pub fn add(&mut self, envelope: &Envelope) -> Result<Added, ChainError> {
        let receipt: Receipt = envelope.open(&self.key)?;
        if receipt.node != self.node || receipt.network != self.network {
            return Err(ChainError::Elsewhere { node: receipt.node, network: receipt.network });
        }
        let hash = Digest::of(envelope.payload());
        let next = self.links.len() as u64 + 1;
        match receipt.counter {
            0 => Err(ChainError::Broken { node: self.node.clone(), counter: 0 }),
            known if known < next => self.compare(known, &hash),
            ahead if ahead > next => {
                Err(ChainError::Gap { node: self.node.clone(), counter: ahead, missing: next })
            }
            counter if receipt.previous.as_ref() != self.links.last().map(|link| &link.hash) => {
                Err(ChainError::Broken { node: self.node.clone(), counter })
            }
            _ => {
                self.links.push(Link { receipt, hash });
                Ok(Added::New)
            }
        }
    }

    fn compare(&self, counter: u64, hash: &Digest) -> Result<Added, ChainError> {
        if self.links[counter as usize - 1].hash == *hash {
            Ok(Added::Known)
        } else {
            Err(ChainError::DoubleCounter { node: self.node.clone(), counter })
        }
    }

    /// The newest link, if there is one.
    pub fn head(&self) -> Option<Head> {
        let newest = self.links.last()?;
        Some(Head { counter: self.links.len() as u64, hash: newest.hash.clone() })
    }

    /// The digest of link `counter`, counted from 1.
    pub fn hash(&self, counter: u64) -> Option<&Digest> {
        let at = usize::try_from(counter.checked_sub(1)?).ok()?;
        self.links.get(at).map(|link| &link.hash)
    }

    /// All receipts, oldest first.
    pub fn receipts(&self) -> impl DoubleEndedIterator<Item = &Receipt> {
        self.links.iter().map(|link| &link.receipt)
    }

    /// Whose chain it is.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The network it belongs to.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The key that signs it.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }
}
