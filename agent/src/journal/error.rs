//! Why the journal refused.

use std::path::PathBuf;

use super::fold::Illegal;

/// Why the journal could not be opened, read or written. Codes E101 to E109.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Present, and not to be believed: never started over.
    #[error(
        "E101: the journal {} is damaged: {what}. Nothing is done with this node. Restore the \
         file, or move it away and enrol this agent anew",
        .path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Written by a later version of the agent.
    #[error(
        "E102: the journal {} has form {found}, this agent knows {known}: install the newer agent again",
        .path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its form.
        found: i64,
        /// The newest form known here.
        known: i64,
    },
    /// Another agent works on this folder.
    #[error(
        "E103: another agent works with {}: stop it first; two agents never share a node",
        .path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The folder or the file cannot be used.
    #[error("E104: cannot use {}: check its owner, its rights and the free space", .path.display())]
    Files {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The database refused.
    #[error("E105: the journal could not be read or written")]
    Database(#[from] rusqlite::Error),
    /// A record that cannot follow; a fault of this program, nothing was written.
    #[error("E106: a record out of order was refused: {0}")]
    Illegal(#[from] Illegal),
    /// The journal belongs to another node, network or key.
    #[error(
        "E107: the journal {} belongs to {found}, this agent is {expected}: give each node a data \
         folder of its own",
        .path.display()
    )]
    Elsewhere {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who asks.
        expected: String,
    },
    /// A plan that was never opened here.
    #[error("E108: plan {0} is not in the journal")]
    UnknownPlan(String),
    /// A receipt could not be signed.
    #[error("E109: the receipt could not be signed")]
    Seal(#[source] Box<dyn std::error::Error + Send + Sync>),
}
