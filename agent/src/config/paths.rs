//! Where the agent keeps its things. One folder, one agent.

use std::path::{Path, PathBuf};

use muster_proto::documents::NodeName;

/// The agent's folder.
#[derive(Debug, Clone)]
pub struct Paths {
    dir: PathBuf,
}

impl Paths {
    /// The files under `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the agent is.
    pub fn config(&self) -> PathBuf {
        self.dir.join("agent.yaml")
    }

    /// What is applied without asking.
    pub fn policy(&self) -> PathBuf {
        self.dir.join("policy.yaml")
    }

    /// The one key for TLS and receipts, readable by its owner alone.
    pub fn key(&self) -> PathBuf {
        self.dir.join("agent.key")
    }

    /// Verified metadata and the ledger.
    pub fn trust(&self) -> PathBuf {
        self.dir.join("trust.state")
    }

    /// Intents, facts, receipts.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.db")
    }

    /// Where the command line reaches the daemon.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// Held by the one daemon of this folder.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// What travels to whoever keeps the roster.
    pub fn enrolment(&self, name: &NodeName) -> PathBuf {
        self.dir.join(format!("{name}.enrol"))
    }
}
