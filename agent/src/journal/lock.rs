//! One agent per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::JournalError;

/// Held for the life of the daemon; the kernel lets go of it when the process ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes `agent.lock` in `dir`.
    ///
    /// # Errors
    /// [`JournalError::Locked`], [`JournalError::Files`].
    pub fn take(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join("agent.lock");
        let files = |source| JournalError::Files { path: path.clone(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(files)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(files(source)),
        }
    }
}
