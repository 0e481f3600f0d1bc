//! Lays a folder out at another place: folders, links and files first with their space reserved,
//! then the content, then rights, owners and times.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid, chmodat, chownat, syncfs, utimensat,
};

use super::Hook;
use super::decide::pieces::Pieces;
use super::decide::tree::{Item, Tree, What};
use super::decide::work::{Copy, Record};
use super::error::SnapshotError;
use super::pace::Pace;
use super::pump::{self, Target};
use super::{scan, space};

/// From where to where, and what.
pub(super) struct Lay<'a> {
    /// The folder that is read.
    pub(super) from: &'a Path,
    /// The folder that is made.
    pub(super) to: &'a Path,
    /// What was seen in the first.
    pub(super) tree: &'a Tree,
    /// How each file comes over.
    pub(super) work: &'a BTreeMap<&'a str, Copy>,
    /// What the second holds already.
    pub(super) record: &'a Record,
    /// Is called before each write.
    pub(super) hook: &'a Hook,
}

impl Lay<'_> {
    /// Folders, links and files, empty, with the space for all that will be written to them.
    pub(super) fn prepare(&self) -> Result<(), SnapshotError> {
        self.clear()?;
        for (path, seen) in self.tree {
            let full = self.full(path);
            match &seen.item.what {
                What::Folder => self.folder(&full)?,
                What::Link { target } => self.link(&full, target)?,
                What::File { bytes } => self.file(path, &full, *bytes)?,
            }
        }
        Ok(())
    }

    /// Takes away what stands there already and is not wanted.
    fn clear(&self) -> Result<(), SnapshotError> {
        if !self.to.exists() {
            return Ok(());
        }
        // Deepest first, so that folders are empty.
        for (path, old) in scan::scan(self.to)?.iter().rev() {
            let wanted = self.tree.get(path).is_some_and(|seen| {
                std::mem::discriminant(&seen.item.what) == std::mem::discriminant(&old.item.what)
            });
            let is_file = matches!(old.item.what, What::File { .. });
            if wanted && (!is_file || self.record.contains_key(path)) {
                continue;
            }
            (self.hook)("clear");
            let full = self.full(path);
            let removed = match old.item.what {
                What::Folder => fs::remove_dir(&full),
                _ => fs::remove_file(&full),
            };
            removed.map_err(failed(&full))?;
        }
        Ok(())
    }

    fn folder(&self, full: &Path) -> Result<(), SnapshotError> {
        (self.hook)("folder");
        match fs::DirBuilder::new().mode(0o700).create(full) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(failed(full)),
        }
    }

    fn link(&self, full: &Path, target: &str) -> Result<(), SnapshotError> {
        (self.hook)("link");
        match fs::remove_file(full) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink(target, full),
        }
        .map_err(failed(full))
    }

    fn file(&self, path: &str, full: &Path, bytes: u64) -> Result<(), SnapshotError> {
        (self.hook)("file");
        let made = pump::make(full)?;
        let copy = self.work.get(path).copied().unwrap_or(Copy::Whole);
        // What is cloned keeps its tail where it was longer before.
        made.set_len(if copy == Copy::Clone { 0 } else { bytes }).map_err(failed(full))?;
        if matches!(copy, Copy::Clone | Copy::Keep) {
            return Ok(());
        }
        let Some(source) = self.source(path)? else { return Ok(()) };
        let parts = space::extents(&source, bytes).map_err(SnapshotError::read(full))?;
        (self.hook)("reserve");
        space::reserve(&made, &parts).map_err(SnapshotError::write(full))
    }

    /// A file of the first folder; none when it went away meanwhile.
    fn source(&self, path: &str) -> Result<Option<File>, SnapshotError> {
        match pump::open(&self.from.join(path)) {
            Err(SnapshotError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// The content of all files; the digests of those that were read.
    pub(super) fn fill(
        &self,
        pace: &mut Pace<'_, '_>,
    ) -> Result<BTreeMap<String, Pieces>, SnapshotError> {
        let mut read = BTreeMap::new();
        for (path, copy) in self.work {
            let Some(What::File { bytes }) = self.tree.get(*path).map(|seen| &seen.item.what)
            else {
                continue;
            };
            if let Some(pieces) = self.content(path, *bytes, *copy, pace)? {
                read.insert((*path).to_owned(), pieces);
            }
        }
        Ok(read)
    }

    /// The content of one file.
    pub(super) fn content(
        &self,
        path: &str,
        bytes: u64,
        copy: Copy,
        pace: &mut Pace<'_, '_>,
    ) -> Result<Option<Pieces>, SnapshotError> {
        if copy == Copy::Keep {
            return Ok(self.record.get(path).map(|before| before.pieces.clone()));
        }
        let (from, full) = (self.from.join(path), self.full(path));
        let source = pump::open(&from)?;
        let file = pump::make(&full)?;
        if copy == Copy::Clone {
            (self.hook)("clone");
            if pump::clone(&source, &file).map_err(SnapshotError::write(&full))? {
                return Ok(None);
            }
            // One file may refuse what others do: on btrfs one without copy on write.
            file.set_len(bytes).map_err(failed(&full))?;
        }
        let before = match copy {
            Copy::Difference => self.record.get(path).map(|before| &before.pieces),
            _ => None,
        };
        let parts = space::extents(&source, bytes).map_err(SnapshotError::read(&from))?;
        let target = Target { file: &file, path: &full, before, parts: &parts, hook: self.hook };
        pump::pump((&source, &from), bytes, Some(&target), pace).map(Some)
    }

    /// Rights, owners and times, folders after what is in them; then everything to the disk.
    pub(super) fn finish(&self) -> Result<(), SnapshotError> {
        for (path, seen) in self.tree.iter().rev() {
            (self.hook)("dress");
            let full = self.full(path);
            dress(&full, &seen.item).map_err(SnapshotError::write(&full))?;
        }
        (self.hook)("sync");
        sync(self.to)
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.to.into() } else { self.to.join(path) }
    }
}

fn dress(full: &Path, item: &Item) -> rustix::io::Result<()> {
    let (owner, group) = (Uid::from_raw(item.uid), Gid::from_raw(item.gid));
    chownat(CWD, full, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    if !matches!(item.what, What::Link { .. }) {
        chmodat(CWD, full, Mode::from_raw_mode(item.mode), AtFlags::empty())?;
    }
    let at = Timespec {
        tv_sec: item.mtime_ns.div_euclid(1_000_000_000),
        tv_nsec: item.mtime_ns.rem_euclid(1_000_000_000),
    };
    let times = Timestamps { last_access: at, last_modification: at };
    utimensat(CWD, full, &times, AtFlags::SYMLINK_NOFOLLOW)
}

/// Everything that was written to the file system of `path` so far is on the disk.
pub(super) fn sync(path: &Path) -> Result<(), SnapshotError> {
    let folder = File::open(path).map_err(failed(path))?;
    syncfs(&folder).map_err(SnapshotError::write(path))
}

/// The names in a folder are on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), SnapshotError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed(path))
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + use<> {
    let path = path.to_path_buf();
    move |source| SnapshotError::Write { path, source }
}
