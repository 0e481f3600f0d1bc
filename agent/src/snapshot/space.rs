//! Free space: asked for, and reserved before it is used.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek, statvfs};
use rustix::io::Errno;

use super::error::SnapshotError;

/// Bytes that are free for everybody in the file system of `path`.
///
/// # Errors
/// [`SnapshotError::Read`].
pub fn free(path: &Path) -> Result<u64, SnapshotError> {
    let about = statvfs(path).map_err(SnapshotError::read(path))?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

/// The parts of a file that are no holes.
pub(super) fn extents(file: &File, bytes: u64) -> Result<Vec<Range<u64>>, Errno> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes {
        let begin = match seek(file, SeekFrom::Data(at)) {
            Ok(begin) => begin,
            // Nothing but a hole from here on.
            Err(Errno::NXIO) => break,
            // The file system knows no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            Err(error) => return Err(error),
        };
        let end = match seek(file, SeekFrom::Hole(begin)) {
            Ok(end) => end.min(bytes),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => bytes,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error),
        };
        if begin < end {
            all.push(begin..end);
        }
        at = end.max(begin + 1);
    }
    Ok(all)
}

/// Makes sure that these parts of a file can be written, whatever else fills the disk.
pub(super) fn reserve(file: &File, parts: &[Range<u64>]) -> Result<(), Errno> {
    for part in parts {
        match fallocate(file, FallocateFlags::KEEP_SIZE, part.start, part.end - part.start) {
            // It cannot promise anything: the disk may be full in the middle.
            Err(Errno::OPNOTSUPP) => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}
