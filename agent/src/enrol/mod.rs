//! `muster-agent init`: one key, the pinned root, the configuration, and the file to send.
//!
//! Nothing is trusted on first use: root and boards are named with their digests, which come by
//! another way than the files. Nothing that exists is ever overwritten.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use muster_proto::documents::author::Enrol;
use muster_proto::documents::{Digest, OperatorAddress};
use muster_proto::trust::{KeyError, Ledger, SecretKey, StateError, StateFile, Trust, TrustError};

use crate::config::{Config, Paths};

/// What the operator said at `init`.
#[derive(Debug, Clone)]
pub struct Application {
    /// What goes into `agent.yaml`.
    pub config: Config,
    /// The first root's file.
    pub root: PathBuf,
    /// Its digest, by another way.
    pub root_sha256: Digest,
    /// The node's operator address.
    pub operator: Option<OperatorAddress>,
    /// The probe as others may reach it.
    pub endpoint: Option<SocketAddr>,
    /// Whom to call.
    pub contact: Option<String>,
}

/// What `init` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The enrolment's content.
    pub enrol: Enrol,
    /// Where it lies.
    pub file: PathBuf,
    /// Version of the pinned root.
    pub root: u64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The folder is in use; a key is never overwritten.
    #[error(
        "A010: {} exists: this folder belongs to an agent already. Give the new one a folder of \
         its own; to enrol anew, move the old folder away first",
        .path.display()
    )]
    Exists {
        /// What was found.
        path: PathBuf,
    },
    /// A file or folder could not be read or made.
    #[error("A011: cannot {action} {}", .path.display())]
    Files {
        /// Read or write.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The root of trust is not the one that was named, or no root at all.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The first state could not be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The key could not be made or read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Others could read the key.
    #[error(
        "A012: {} can be read by others (mode {mode:o}): chmod 600 it, and enrol anew if anybody \
         may have copied it",
        .path.display()
    )]
    Open {
        /// The key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Whom to call, where nobody said.
pub const NOBODY: &str = "unknown";

/// Where the probe is, where nobody said.
pub const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);

/// Makes a new agent in the folder.
///
/// # Errors
/// [`EnrolError`]; a folder that was in use is untouched.
pub fn init(paths: &Paths, application: &Application) -> Result<Made, EnrolError> {
    refuse_existing(paths)?;
    let bytes = std::fs::read(&application.root).map_err(files("read", &application.root))?;
    let config = &application.config;
    let trust = Trust::pin(&bytes, &application.root_sha256, &config.network)?;
    let key = SecretKey::generate();
    let enrol = Enrol {
        muster: Enrol::KIND.into(),
        network: config.network.clone(),
        name: config.name.clone(),
        key: key.public(),
        operator: application.operator.clone(),
        endpoint: application.endpoint.unwrap_or(NOWHERE),
        contact: application.contact.clone().unwrap_or_else(|| NOBODY.into()),
    };
    make_folder(paths.dir())?;
    // The key first: while it is there, nothing here is ever overwritten.
    create(&paths.key(), 0o600, key.to_pem(None)?.as_bytes())?;
    StateFile::new(paths.trust()).save(&trust, &Ledger::default())?;
    create(&paths.config(), 0o644, config.to_text().as_bytes())?;
    let file = paths.enrolment(&config.name);
    create(&file, 0o644, &enrol.sign(key.signing_key()))?;
    Ok(Made { enrol, file, root: trust.versions().root })
}

/// Reads the agent's key, and insists that nobody else can.
///
/// # Errors
/// [`EnrolError::Files`], [`EnrolError::Open`], [`EnrolError::Key`].
pub fn load_key(paths: &Paths) -> Result<SecretKey, EnrolError> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = paths.key();
    let metadata = std::fs::metadata(&path).map_err(files("read", &path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(EnrolError::Open { path, mode });
    }
    let pem = std::fs::read_to_string(&path).map_err(files("read", &path))?;
    Ok(SecretKey::from_pem(&zeroize::Zeroizing::new(pem), None)?)
}

fn refuse_existing(paths: &Paths) -> Result<(), EnrolError> {
    let all = [paths.key(), paths.config(), paths.trust(), paths.journal()];
    match all.into_iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(EnrolError::Exists { path }),
        None => Ok(()),
    }
}

fn make_folder(dir: &Path) -> Result<(), EnrolError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(files("make", dir))
}

fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), EnrolError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => EnrolError::Exists { path: path.into() },
        _ => EnrolError::Files { action: "write", path: path.into(), source },
    })
}

fn files<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> EnrolError + 'a {
    move |source| EnrolError::Files { action, path: path.into(), source }
}
