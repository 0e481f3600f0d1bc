//! The folder of snapshots: what is in it, what is written beside the data of each.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use muster_proto::documents::canonical;
use serde::Serialize;

use super::Hook;
use super::decide::manifest::Manifest;
use super::decide::name::{Name, PARTIAL};
use super::error::SnapshotError;
use super::lay::{self, failed};

/// The data itself, in a snapshot.
pub(super) const DATA: &str = "data";
/// What it must hold.
pub(super) const MANIFEST: &str = "manifest.json";
/// The same before its content was read back.
pub(super) const CAPTURED: &str = "captured.json";
/// When it last proved to be whole.
const VERIFIED: &str = "verified";
/// Held by whoever changes anything.
const LOCK: &str = ".lock";

/// A folder of snapshots, held by one command at a time.
pub struct Snapshots {
    pub(super) folder: PathBuf,
    pub(super) hook: Hook,
    _lock: File,
}

/// One snapshot as it lies there.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// What it must hold; none where that cannot be read.
    pub manifest: Option<Manifest>,
    /// When it last proved to be whole.
    pub verified_at: Option<Timestamp>,
}

impl Snapshots {
    /// Makes the folder if need be, and holds it.
    ///
    /// # Errors
    /// [`SnapshotError::Busy`], [`SnapshotError::Write`].
    pub fn open(folder: &Path) -> Result<Self, SnapshotError> {
        Self::open_hooked(folder, Arc::new(|_| {}))
    }

    /// The same; `hook` is called before each write, with a word for what it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_hooked(folder: &Path, hook: Hook) -> Result<Self, SnapshotError> {
        // Nobody but the owner: the data holds what the node signed.
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(failed(folder))?,
        }
        let path = folder.join(LOCK);
        let mut options = File::options();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(&path).map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.into(), hook, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SnapshotError::Busy { folder: folder.into() }),
            Err(TryLockError::Error(source)) => Err(failed(&path)(source)),
        }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data of a snapshot that is whole.
    pub fn data(&self, name: &Name) -> PathBuf {
        self.folder.join(name.as_str()).join(DATA)
    }

    /// Removes what a crash left half-made. Returns the names of those that are complete and only
    /// have to be sealed.
    ///
    /// # Errors
    /// [`SnapshotError::Read`], [`SnapshotError::Write`].
    pub fn tidy(&self) -> Result<Vec<Name>, SnapshotError> {
        let mut complete = Vec::new();
        for entry in entries(&self.folder)? {
            let Some(name) = entry.strip_suffix(PARTIAL) else { continue };
            let path = self.folder.join(&entry);
            match name.parse() {
                Ok(_) if name == super::take::PRE_COPY => {}
                Ok(name) if path.join(CAPTURED).exists() => complete.push(name),
                _ => fs::remove_dir_all(&path).map_err(failed(&path))?,
            }
        }
        complete.sort();
        Ok(complete)
    }

    /// Removes a snapshot; a crash in the middle leaves nothing that looks whole.
    ///
    /// # Errors
    /// [`SnapshotError::Unknown`], [`SnapshotError::Write`].
    pub fn remove(&self, name: &Name) -> Result<(), SnapshotError> {
        let (whole, partial) = (self.whole(name)?, self.folder.join(name.partial()));
        // With it, what is half-removed would look like what only has to be sealed.
        remove_file(&whole.join(CAPTURED))?;
        fs::rename(&whole, &partial).map_err(failed(&whole))?;
        lay::sync_folder(&self.folder)?;
        fs::remove_dir_all(&partial).map_err(failed(&partial))
    }

    /// The folder of a snapshot that is whole.
    pub(super) fn whole(&self, name: &Name) -> Result<PathBuf, SnapshotError> {
        let path = self.folder.join(name.as_str());
        match path.join(MANIFEST).exists() {
            true => Ok(path),
            false => {
                Err(SnapshotError::Unknown { name: name.clone(), folder: self.folder.clone() })
            }
        }
    }

    /// Writes down when a snapshot proved to be whole, or that it did not.
    pub(super) fn note(&self, name: &Name, good: Option<Timestamp>) -> Result<(), SnapshotError> {
        let path = self.folder.join(name.as_str()).join(VERIFIED);
        match good {
            Some(at) => write(&path, format!("{at}\n").as_bytes()),
            None => remove_file(&path),
        }
    }
}

/// The snapshots in a folder, oldest first; those that cannot be read before the others. None
/// where there is no folder.
///
/// # Errors
/// [`SnapshotError::Read`].
pub fn list(folder: &Path) -> Result<Vec<Listed>, SnapshotError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for name in entries(folder)? {
        let Ok(name) = name.parse::<Name>() else { continue };
        let path = folder.join(name.as_str());
        if !path.is_dir() {
            continue;
        }
        let manifest = read_manifest(&path.join(MANIFEST)).ok();
        let verified = fs::read_to_string(path.join(VERIFIED)).ok();
        let verified_at = verified.and_then(|text| text.trim().parse().ok());
        all.push(Listed { name, manifest, verified_at });
    }
    all.sort_by_key(|listed| listed.manifest.as_ref().map(|manifest| manifest.taken_at));
    Ok(all)
}

fn entries(folder: &Path) -> Result<Vec<String>, SnapshotError> {
    let read = |source| SnapshotError::Read { path: folder.into(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        names.extend(entry.map_err(read)?.file_name().into_string());
    }
    Ok(names)
}

/// Removes a file, if it is there.
fn remove_file(path: &Path) -> Result<(), SnapshotError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

/// Reads a manifest; anything but its own canonical form is refused.
pub(super) fn read_manifest(path: &Path) -> Result<Manifest, SnapshotError> {
    let bytes =
        fs::read(path).map_err(|source| SnapshotError::Read { path: path.into(), source })?;
    canonical::from_bytes(&bytes).map_err(|error| SnapshotError::Manifest {
        path: path.into(),
        what: crate::control::said::chain(&error),
    })
}

/// Writes a manifest, synced with its folder.
pub(super) fn write_manifest(path: &Path, manifest: &Manifest) -> Result<(), SnapshotError> {
    let bytes = canonical::to_bytes(manifest)
        .map_err(|error| failed(path)(io::Error::other(error.to_string())))?;
    write(path, &bytes)
}

/// Puts a whole file at `path` in one instant, on the disk when this returns.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let new = path.with_extension("new");
    let written = || {
        let mut file =
            File::options().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(failed(path))?;
    lay::sync_folder(path.parent().unwrap_or(Path::new(".")))
}
