//! Key files of a daemon: they lie open, because it must start by itself; so nobody else may read
//! them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use muster_proto::tls::{Identity, IdentityError};
use muster_proto::trust::keys::{KeyError, SecretKey};
use zeroize::Zeroizing;

/// Why a key file cannot be used. Never says what is in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not there, no rights, no space.
    #[error("C030: the key file {} cannot be read or written", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error(
        "C031: the key file {0} may be read by others (mode {mode:o}); treat the key as stolen, or \
         `chmod 600 {0}` when you know that nobody did",
        .path.display()
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No key in it.
    #[error("C032: {} holds no key that can be used here", .path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// TLS cannot use it.
    #[error("C033: {} cannot be used for TLS", .path.display())]
    Identity {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: IdentityError,
    },
}

/// Reads an open key file that nobody else may read.
///
/// # Errors
/// [`KeyFileError`].
pub fn read(path: &Path) -> Result<SecretKey, KeyFileError> {
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path.to_owned(), mode });
    }
    let pem = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    SecretKey::from_pem(&pem, None)
        .map_err(|source| KeyFileError::Key { path: path.to_owned(), source })
}

/// Reads the key of the TLS connections.
///
/// # Errors
/// [`KeyFileError`].
pub fn identity(path: &Path) -> Result<Identity, KeyFileError> {
    let key = read(path)?;
    Identity::from_key(&key)
        .map_err(|source| KeyFileError::Identity { path: path.to_owned(), source })
}

/// Makes a new key and writes it to `path`, which must not exist.
///
/// # Errors
/// [`KeyFileError::Io`], [`KeyFileError::Key`].
pub fn make(path: &Path) -> Result<SecretKey, KeyFileError> {
    let key = SecretKey::generate();
    let unusable = |source| KeyFileError::Key { path: path.to_owned(), source };
    let pem = key.to_pem(None).map_err(unusable)?;
    write(path, pem.as_bytes())
        .map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
    Ok(key)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_again_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tls.pem");
        let made = make(&path).unwrap();
        assert_eq!(read(&path).unwrap().public(), made.public());
        assert!(matches!(make(&path), Err(KeyFileError::Io { .. })));
        assert_eq!(read(&path).unwrap().public(), made.public());
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tls.pem");
        make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(KeyFileError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn a_file_without_a_key_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tls.pem");
        write(&path, b"hunter2").unwrap();
        let refused = read(&path).unwrap_err();
        assert!(matches!(refused, KeyFileError::Key { .. }));
        assert!(!format!("{refused:?} {refused}").contains("hunter2"));
    }
}
