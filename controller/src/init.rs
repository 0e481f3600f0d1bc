//! `muster-controller init`: keys, a configuration to fill in, and what the root ceremony needs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use muster_proto::documents::{Digest, PublicKey};
use muster_proto::tls::spki_pin;
use serde::Serialize;

use crate::keys::{self, KeyFileError};

/// What was made; all of it is public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The network it was made for.
    pub network: String,
    /// The configuration to fill in.
    pub config: PathBuf,
    /// What agents and people pin: SHA-256 of the SPKI.
    pub tls_pin: Digest,
    /// The key behind it.
    pub tls_key: PublicKey,
    /// For the root's `snapshot` role.
    pub snapshot_key: PublicKey,
    /// For the root's `timestamp` role.
    pub timestamp_key: PublicKey,
}

/// Why nothing, or not everything, was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already.
    #[error("C040: {} exists; `init` never overwrites: choose another folder", .0.display())]
    Exists(PathBuf),
    /// No rights, no space.
    #[error("C041: {} cannot be written", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Not a name that can stand in paths.
    #[error("C042: {0:?} is no network: 1 to 32 lower-case letters, digits and `-`")]
    Network(String),
}

/// Makes everything in `dir` (which may exist, and must hold none of it).
///
/// # Errors
/// [`InitError`].
pub fn init(dir: &Path, network: &str, listen: &str) -> Result<Made, InitError> {
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if network.is_empty() || network.len() > 32 || !network.chars().all(named) {
        return Err(InitError::Network(network.into()));
    }
    let config = dir.join("controller.yaml");
    let [tls, snapshot, timestamp] =
        ["tls.pem", "snapshot.pem", "timestamp.pem"].map(|name| dir.join(name));
    for path in [&config, &tls, &snapshot, &timestamp] {
        if path.exists() {
            return Err(InitError::Exists(path.clone()));
        }
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InitError::Io { path, source }
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let tls_key = keys::make(&tls)?.public();
    let snapshot_key = keys::make(&snapshot)?.public();
    let timestamp_key = keys::make(&timestamp)?.public();
    let text = skeleton(network, listen);
    create(&config, text.as_bytes()).map_err(failed(&config))?;
    let (network, tls_pin) = (network.to_owned(), spki_pin(&tls_key));
    Ok(Made { network, config, tls_pin, tls_key, snapshot_key, timestamp_key })
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)
}

fn skeleton(network: &str, listen: &str) -> String {
    format!(
        "# A board of Muster. Paths are relative to this file.
muster: controller/v1
network: {network}
listen: {listen}
data: data
tls-key: tls.pem
# The newest versions a second time, so that an old copy of the data folder is noticed when it is
# put back. Without this line the file is data.mark; keep it out of the folder's copies.
# mark: data.mark

# After the root ceremony: the first root, and its SHA-256 as the officers tell it.
# root: {{file: 1.root.json, sha256: \"sha256:…\"}}

# The online keys that the root names. Leave this out on a board that serves what it is given.
publisher: {{snapshot-key: snapshot.pem, timestamp-key: timestamp.pem}}

# Who may call the desk, by the key of his TLS connection (never his signing key).
people: []
#  - {{name: alice, key: \"64 hex digits\", rights: [watch, publish, hold]}}
#  - {{name: screen, key: \"64 hex digits\", rights: [watch]}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigError};

    #[test]
    fn what_init_writes_is_a_configuration_that_lacks_only_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let made = init(dir.path(), "testnet", "127.0.0.1:0").unwrap();
        let config = Config::read(&made.config).unwrap();
        assert_eq!(spki_pin(&keys::read(&config.tls_key).unwrap().public()), made.tls_pin);
        let publisher = config.publisher.clone().unwrap();
        assert_eq!(keys::read(&publisher.snapshot_key).unwrap().public(), made.snapshot_key);
        assert_eq!(keys::read(&publisher.timestamp_key).unwrap().public(), made.timestamp_key);
        assert!(matches!(config.first_root(&made.config), Err(ConfigError::NoRoot { .. })));
    }

    #[test]
    fn init_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        init(dir.path(), "testnet", "127.0.0.1:0").unwrap();
        let before = fs::read(dir.path().join("tls.pem")).unwrap();
        let again = init(dir.path(), "testnet", "127.0.0.1:0");
        assert!(matches!(again, Err(InitError::Exists(_))));
        assert_eq!(fs::read(dir.path().join("tls.pem")).unwrap(), before);
    }

    #[test]
    fn a_network_that_cannot_stand_in_a_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for network in ["", "../x", "Main Net"] {
            let refused = init(dir.path(), network, "127.0.0.1:0");
            assert!(matches!(refused, Err(InitError::Network(_))), "{network}");
        }
    }
}
