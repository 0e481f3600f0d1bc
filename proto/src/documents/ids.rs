//! Names, keys and digests. Each is checked where it is parsed and never again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name, key or digest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Not a node name.
    #[error(
        "{0:?} is no node name: 1 to 32 lower-case letters, digits and `-`, beginning with a letter"
    )]
    NodeName(String),
    /// Not an operator address.
    #[error(
        "{0:?} is no operator address: `io1` and 38 characters of bech32 with a right checksum"
    )]
    Operator(String),
    /// Not a digest.
    #[error("{0:?} is no digest: `sha256:` and 64 lower-case hex digits")]
    Digest(String),
    /// Not a public key.
    #[error("{0:?} is no ed25519 public key: 64 lower-case hex digits that name a point")]
    PublicKey(String),
    /// Not a class of plan.
    #[error("{0:?} is no class of plan: `hotfix`, `drill` or `emergency`")]
    Class(String),
}

/// Makes a checked string newtype that serializes as its string.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as it stands in documents.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

checked_string! {
    /// A node's name in the roster: 1 to 32 of `[a-z0-9-]`, beginning with a letter.
    NodeName
}

impl FromStr for NodeName {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let body = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fine = (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(body);
        if fine { Ok(Self(text.into())) } else { Err(BadId::NodeName(text.into())) }
    }
}

checked_string! {
    /// The address that endorses in consensus: bech32 `io1…` over 20 bytes.
    OperatorAddress
}

impl FromStr for OperatorAddress {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId::Operator(text.into());
        let (hrp, data) = bech32::decode(text).map_err(|_| bad())?;
        let fine =
            hrp.as_str() == "io" && data.len() == 20 && !text.chars().any(char::is_uppercase);
        if fine { Ok(Self(text.into())) } else { Err(bad()) }
    }
}

checked_string! {
    /// `sha256:` and 64 lower-case hex digits, as the Engine and registries write it.
    Digest
}

impl FromStr for Digest {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        if is_lower_hex(hex, 64) { Ok(Self(text.into())) } else { Err(BadId::Digest(text.into())) }
    }
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes))))
    }

    /// The 64 hex digits without the algorithm.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    /// The first four and the last four digits, for tables.
    pub fn short(&self) -> String {
        let hex = self.hex();
        format!("{}…{}", &hex[..4], &hex[60..])
    }
}

/// An ed25519 public key: 32 bytes, lower-case hex in documents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks `signature` (64 bytes) over `message` strictly: no weak keys, no malleability.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        ed25519_dalek::VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl TryFrom<[u8; 32]> for PublicKey {
    type Error = BadId;
    fn try_from(bytes: [u8; 32]) -> Result<Self, BadId> {
        match ed25519_dalek::VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(bytes)),
            _ => Err(BadId::PublicKey(hex::encode(bytes))),
        }
    }
}

impl FromStr for PublicKey {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let mut bytes = [0; 32];
        let hex = is_lower_hex(text, 64) && hex::decode_to_slice(text, &mut bytes).is_ok();
        if hex { Self::try_from(bytes) } else { Err(BadId::PublicKey(text.into())) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What kind of plan: selects the signing role, the serial counter and the policy rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Ordinary change, routine or urgent.
    Hotfix,
    /// A rehearsal that does the real thing under keys of its own.
    Drill,
    /// Can stop and pause; can never carry an image.
    Emergency,
}

/// Whose serials are counted together: `emergency` alone, `hotfix` with `drill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counter {
    /// Shared by hotfix and drill.
    Ordinary,
    /// Emergency's own.
    Emergency,
}

impl Class {
    /// Every class, in the order people read them.
    pub const ALL: [Class; 3] = [Class::Hotfix, Class::Drill, Class::Emergency];

    /// The delegated role that signs plans of this class; also their directory.
    pub fn role(self) -> &'static str {
        match self {
            Class::Hotfix => "hotfix",
            Class::Drill => "drill",
            Class::Emergency => "emergency",
        }
    }

    /// The counter that its serials belong to.
    pub fn counter(self) -> Counter {
        match self {
            Class::Hotfix | Class::Drill => Counter::Ordinary,
            Class::Emergency => Counter::Emergency,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.role())
    }
}

impl FromStr for Class {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let found = Class::ALL.into_iter().find(|class| class.role() == text);
        found.ok_or_else(|| BadId::Class(text.into()))
    }
}

/// One very plan: two plans with one serial and other bytes are two plans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanId {
    /// Selects the counter.
    pub class: Class,
    /// From 1 on.
    pub serial: u64,
    /// Of the plan's canonical JSON.
    pub digest: Digest,
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class, self.serial)
    }
}

fn is_lower_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
