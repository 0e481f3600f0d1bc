//! Looks at a folder and all in it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::decide::tree::{Item, Mark, Seen, Tree, What};
use super::error::SnapshotError;

/// Blocks of `stat` are of this size whatever the file system's are.
const STAT_BLOCK_BYTES: u64 = 512;

/// What stands in `root`, links not followed.
///
/// # Errors
/// [`SnapshotError::Special`], [`SnapshotError::Mounted`], [`SnapshotError::Read`].
pub fn scan(root: &Path) -> Result<Tree, SnapshotError> {
    look(root, false)
}

/// The same of a folder in which somebody works: what goes away meanwhile is left out.
///
/// # Errors
/// As [`scan`].
pub(super) fn scan_live(root: &Path) -> Result<Tree, SnapshotError> {
    look(root, true)
}

fn look(root: &Path, live: bool) -> Result<Tree, SnapshotError> {
    let about = fs::symlink_metadata(root).map_err(read(root))?;
    if !about.is_dir() {
        let path = root.into();
        return Err(SnapshotError::Special { path, kind: "no folder" });
    }
    let device = about.dev();
    let mut tree = Tree::from([(String::new(), seen(root, &about)?)]);
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        let Some(names) = gone_is_fine(live, names(&root.join(&folder)))? else { continue };
        for name in names {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let full = root.join(&path);
            let about = fs::symlink_metadata(&full).map_err(read(&full));
            let Some(about) = gone_is_fine(live, about)? else { continue };
            if about.dev() != device {
                return Err(SnapshotError::Mounted { path: full });
            }
            let Some(seen) = gone_is_fine(live, seen(&full, &about))? else { continue };
            if seen.item.what == What::Folder {
                open.push(path.clone());
            }
            tree.insert(path, seen);
        }
    }
    Ok(tree)
}

fn gone_is_fine<T>(
    live: bool,
    result: Result<T, SnapshotError>,
) -> Result<Option<T>, SnapshotError> {
    match result {
        Err(SnapshotError::Read { source, .. })
            if live && source.kind() == io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        other => other.map(Some),
    }
}

fn names(folder: &Path) -> Result<Vec<String>, SnapshotError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(read(folder))? {
        let name = entry.map_err(read(folder))?.file_name();
        let odd = |name| SnapshotError::Special { path: folder.join(name), kind: "not UTF-8" };
        names.push(name.into_string().map_err(odd)?);
    }
    Ok(names)
}

/// What one path leads to.
pub(super) fn seen(path: &Path, about: &Metadata) -> Result<Seen, SnapshotError> {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
    let item = Item {
        what: what(path, about)?,
        mode: about.mode() & 0o7777,
        uid: about.uid(),
        gid: about.gid(),
        mtime_ns: nanos(about.mtime(), about.mtime_nsec()),
    };
    let changed_ns = nanos(about.ctime(), about.ctime_nsec());
    let mark = Mark { inode: about.ino(), changed_ns };
    Ok(Seen { item, disk: about.blocks() * STAT_BLOCK_BYTES, mark })
}

fn what(path: &Path, about: &Metadata) -> Result<What, SnapshotError> {
    let kind = about.file_type();
    let special = |kind| Err(SnapshotError::Special { path: path.into(), kind });
    match kind {
        _ if kind.is_dir() => Ok(What::Folder),
        _ if kind.is_file() => Ok(What::File { bytes: about.len() }),
        _ if kind.is_symlink() => {
            let target = fs::read_link(path).map_err(read(path))?;
            match target.into_os_string().into_string() {
                Ok(target) => Ok(What::Link { target }),
                Err(_) => special("a link that is not UTF-8"),
            }
        }
        _ if kind.is_socket() => special("a socket"),
        _ if kind.is_fifo() => special("a pipe"),
        _ => special("a device"),
    }
}

fn read(path: &Path) -> impl Fn(io::Error) -> SnapshotError + use<> {
    let path = PathBuf::from(path);
    move |source| SnapshotError::Read { path: path.clone(), source }
}
