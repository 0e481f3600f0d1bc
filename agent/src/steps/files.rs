//! Files that are on the disk before anything relies on them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

/// Writes `bytes` to `path` with rights and owner of `like`, synced with its folder.
pub(super) fn write_like(path: &Path, bytes: &[u8], like: &Path) -> std::io::Result<()> {
    let about = fs::metadata(like)?;
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(about.permissions())?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (about.uid(), about.gid()) {
        chown(path, Some(about.uid()), Some(about.gid()))?;
    }
    file.sync_all()?;
    sync_folder(path)
}

/// Gives the file at `from` a second name, replacing what bears it.
pub(super) fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    remove(to)?;
    fs::hard_link(from, to)?;
    sync_folder(to)
}

/// Puts the file at `from` in the place of the one at `to`, in one instant.
pub(super) fn replace(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(path),
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
