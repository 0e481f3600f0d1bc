//! The controller's configuration: one YAML file, read once at start.

mod read;

use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_proto::documents::{Digest, PublicKey};
use serde::Deserialize;

pub use read::ConfigError;

/// All that a controller is told. Paths are relative to the file's own folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Always `controller/v1`.
    pub muster: String,
    /// Such as `mainnet`.
    pub network: String,
    /// `ip:port`; port 0 lets the system choose one, which is then printed.
    pub listen: std::net::SocketAddr,
    /// Folder of the store.
    pub data: PathBuf,
    /// File with the newest versions a second time; without it, beside `data` under its name with
    /// `.mark`. Never inside `data`: who restores that folder from an old copy would restore the
    /// mark with it, and nothing would tell.
    #[serde(default)]
    pub mark: Option<PathBuf>,
    /// PEM file with the key that agents and people pin.
    pub tls_key: PathBuf,
    /// The first root that this board believes; missing until the root ceremony was held.
    #[serde(default)]
    pub root: Option<RootPin>,
    /// The online keys; without them the board serves what it is given.
    #[serde(default)]
    pub publisher: Option<PublisherConfig>,
    /// Officers and watchers, by the key of their TLS connection.
    #[serde(default)]
    pub people: Vec<Person>,
    /// How much may come in.
    #[serde(default)]
    pub limits: Limits,
}

/// The first root, pinned.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RootPin {
    /// Such as `1.root.json`.
    pub file: PathBuf,
    /// Of the file's bytes.
    pub sha256: Digest,
}

/// The online keys and their pace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PublisherConfig {
    /// PEM file of the snapshot key.
    pub snapshot_key: PathBuf,
    /// PEM file of the timestamp key.
    pub timestamp_key: PathBuf,
    /// A timestamp is signed this often.
    #[serde(default = "minute")]
    pub every: jiff::SignedDuration,
}

/// Somebody who may call the desk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Person {
    /// As shown to others.
    pub name: String,
    /// Of his TLS connection; never his signing key.
    pub key: PublicKey,
    /// What he may do.
    pub rights: Vec<Right>,
}

/// What somebody may do at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// See everything.
    Watch,
    /// Hand in signed documents.
    Publish,
    /// Ask agents to begin nothing of a plan for a while, and take that back.
    Hold,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Right::Watch => "watch",
            Right::Publish => "publish",
            Right::Hold => "hold",
        })
    }
}

/// How much may come in. The defaults carry 10,000 agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Open connections of listed keys.
    pub connections: usize,
    /// Open connections of other keys: enough to tell them that they are not enrolled.
    pub strangers: usize,
    /// Receipts of one agent per second, in the long run.
    pub receipts_per_second: u32,
    /// Receipts of one agent at once: a chain that is sent again after a board lost it.
    pub receipts_at_once: u32,
    /// Attachments of one key per minute.
    pub attachments_per_minute: u32,
    /// A reader who takes nothing for so long is cut off.
    pub slow: jiff::SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 12_000,
            strangers: 64,
            receipts_per_second: 5,
            receipts_at_once: 2_000,
            attachments_per_minute: 60,
            slow: jiff::SignedDuration::from_secs(30),
        }
    }
}

impl Config {
    /// Where the store is.
    pub fn store(&self) -> PathBuf {
        self.data.join("board.db")
    }

    /// Where the newest versions are written a second time.
    pub fn mark(&self) -> PathBuf {
        let beside = || {
            let mut name = self.data.components().as_path().as_os_str().to_owned();
            name.push(".mark");
            name.into()
        };
        self.mark.clone().unwrap_or_else(beside)
    }

    /// The person with that key.
    pub fn person(&self, key: &PublicKey) -> Option<&Person> {
        self.people.iter().find(|person| person.key == *key)
    }

    /// Makes paths absolute, relative to `folder`.
    fn rooted(mut self, folder: &Path) -> Self {
        let root = |path: &mut PathBuf| *path = folder.join(&*path);
        root(&mut self.data);
        root(&mut self.tls_key);
        self.mark.iter_mut().for_each(root);
        if let Some(pin) = &mut self.root {
            root(&mut pin.file);
        }
        if let Some(publisher) = &mut self.publisher {
            root(&mut publisher.snapshot_key);
            root(&mut publisher.timestamp_key);
        }
        self
    }
}

impl PublisherConfig {
    /// The pace as the runtime wants it.
    pub fn pace(&self) -> Duration {
        self.every.unsigned_abs()
    }
}

fn minute() -> jiff::SignedDuration {
    muster_proto::trust::publisher::STAMP_EVERY
}
