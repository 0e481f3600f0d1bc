//! Why a snapshot was not taken, not believed, or not put back.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::decide::manifest::Difference;
use super::decide::name::{BadName, Name};
use super::decide::size::Size;
use crate::runtime::EngineError;

/// Why a snapshot was not taken, not believed, or not put back. Codes E400 to E419. In every case
/// the node's folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The node runs, or nobody can tell.
    #[error(
        "E400: container {container} is not verified down ({state}): stop the node first; nothing \
         was done"
    )]
    Running {
        /// Its name.
        container: String,
        /// What the Engine says of it.
        state: String,
    },
    /// Nothing says where the node's data lies.
    #[error("E401: {what}: look at `container:` in agent.yaml")]
    NoData {
        /// What is missing.
        what: String,
    },
    /// Somebody else may write.
    #[error("E402: container {container} uses the same data and is not down: stop it first")]
    Shared {
        /// Its name.
        container: String,
    },
    /// Part of the data lies elsewhere.
    #[error(
        "E403: {} is mounted into the node's data folder: a snapshot of the folder would not hold \
         it. Move it into the folder, or mount it elsewhere", .path.display()
    )]
    Mounted {
        /// Where.
        path: PathBuf,
    },
    /// Something that is no file, folder or link.
    #[error("E404: {} is {kind}: a snapshot cannot keep it. Remove it from the node's data", .path.display())]
    Special {
        /// Where.
        path: PathBuf,
        /// Such as `a socket`.
        kind: &'static str,
    },
    /// There is not enough space; known before anything was copied.
    #[error(
        "E405: not enough space in {}: {} are needed, {} are free, {} must stay free. Prune old \
         snapshots, or name another place (--to)", .path.display(), Size(*.need), Size(*.free), Size(*.leave)
    )]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// Bytes that the copy takes.
        need: u64,
        /// Bytes that are free.
        free: u64,
        /// Bytes that must stay free.
        leave: u64,
    },
    /// The copy could not be written.
    #[error("E406: cannot write {}: look at free space and rights of its folder", .path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something could not be read.
    #[error("E407: cannot read {}: look at its rights, and at the disk's own log", .path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody wrote meanwhile.
    #[error(
        "E408: {} changed while it was copied: find out who writes to the node's data. The copy is \
         thrown away", .path.display()
    )]
    Changed {
        /// Where.
        path: PathBuf,
    },
    /// The node was started meanwhile.
    #[error(
        "E409: container {container} was started meanwhile: what was made is not used. Stop it, and again"
    )]
    Started {
        /// Its name.
        container: String,
    },
    /// There is one of that name.
    #[error("E410: there is a snapshot {name}: take another name")]
    Exists {
        /// Which.
        name: Name,
    },
    /// There is none of that name.
    #[error("E411: there is no snapshot {name} in {}: `muster-agent snapshot list` shows all", .folder.display())]
    Unknown {
        /// Which.
        name: Name,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Its manifest cannot be believed.
    #[error("E412: the manifest {} is damaged: {what}. The snapshot is of no use", .path.display())]
    Manifest {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It is not what its manifest says.
    #[error("E413: {what} differs from its manifest: {}. It is not used", listed(.differences))]
    Different {
        /// Which snapshot or folder.
        what: String,
        /// In what, at least one.
        differences: Vec<Difference>,
    },
    /// Another command works there.
    #[error("E414: another command works with the snapshots in {}: wait for it", .folder.display())]
    Busy {
        /// Where.
        folder: PathBuf,
    },
    /// The folder cannot be exchanged in one instant.
    #[error(
        "E415: {} cannot be exchanged: {what}. Let the node's data be an ordinary folder of an \
         ext4, XFS or btrfs file system", .data.display()
    )]
    NoExchange {
        /// The node's folder.
        data: PathBuf,
        /// Why.
        what: String,
    },
    /// Not a name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Snapshots inside the data, or the data inside the snapshots.
    #[error("E417: {} and {} lie in one another: name another place (--to)", .data.display(), .folder.display())]
    Inside {
        /// The node's folder.
        data: PathBuf,
        /// The snapshots' folder.
        folder: PathBuf,
    },
    /// Data of somebody else.
    #[error(
        "E418: snapshot {name} holds the data of {found}, this is {expected}: a node never gets another's data"
    )]
    Elsewhere {
        /// Which.
        name: Name,
        /// Node and network of the snapshot.
        found: String,
        /// Node and network of this agent.
        expected: String,
    },
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

const SHOWN: usize = 3;

fn listed(all: &[Difference]) -> String {
    let shown: Vec<_> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

impl SnapshotError {
    pub(super) fn read(path: impl Into<PathBuf>) -> impl FnOnce(Errno) -> Self {
        let path = path.into();
        move |error| Self::Read { path, source: error.into() }
    }

    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(Errno) -> Self {
        let path = path.into();
        move |error| Self::Write { path, source: error.into() }
    }

    /// It was asked wrongly, it was refused with nothing done, or it failed.
    pub fn kind(&self) -> Kind {
        use SnapshotError as E;
        match self {
            E::NoData { .. } | E::Unknown { .. } | E::Name(_) | E::Inside { .. } => Kind::WrongUse,
            E::Write { .. } | E::Read { .. } | E::Changed { .. } | E::Started { .. } => {
                Kind::Failed
            }
            E::Engine(EngineError::Unreachable { .. }) => Kind::Unreachable,
            E::Engine(_) => Kind::Failed,
            _ => Kind::Refused,
        }
    }
}

/// What an error means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was asked wrongly.
    WrongUse,
    /// It was refused.
    Refused,
    /// It was begun and failed.
    Failed,
    /// The Engine cannot be reached.
    Unreachable,
}
