//! A board's address and the key it must show: `ADDR=SPKI-SHA256`.

use std::fmt;
use std::str::FromStr;

use muster_proto::documents::Digest;
use serde::{Deserialize, Serialize};

/// Where a board listens, and the SHA-256 of the public key (SPKI) it must prove.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BoardAddress {
    /// `host:port`.
    pub address: String,
    /// Of the DER of the key's SubjectPublicKeyInfo.
    pub pin: Digest,
}

/// Not `ADDR=SPKI-SHA256`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no board: `ADDR=SPKI-SHA256`, that is host:port and 64 hex digits of its key")]
pub struct BadBoard(String);

impl FromStr for BoardAddress {
    type Err = BadBoard;
    fn from_str(text: &str) -> Result<Self, BadBoard> {
        let bad = || BadBoard(text.into());
        let (address, pin) = text.split_once('=').ok_or_else(bad)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(bad());
        }
        let hex = pin.strip_prefix("sha256:").unwrap_or(pin);
        let pin = format!("sha256:{hex}").parse().map_err(|_| bad())?;
        Ok(Self { address: address.into(), pin })
    }
}

impl TryFrom<String> for BoardAddress {
    type Error = BadBoard;
    fn try_from(text: String) -> Result<Self, BadBoard> {
        text.parse()
    }
}

impl From<BoardAddress> for String {
    fn from(board: BoardAddress) -> String {
        board.to_string()
    }
}

impl fmt::Display for BoardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.address, self.pin)
    }
}
