//! The genesis file as mounted: its path on the host and its digest.

use std::path::{Path, PathBuf};

use muster_proto::documents::Digest;

use crate::journal::record::Genesis;
use crate::runtime::Container;

/// The node's flag that names the file inside the container.
const FLAG: &str = "genesis-path";

/// A genesis file has some 20 kB; a release may bring one of 1 MiB at most.
const GENESIS_BYTES: u64 = 4 * 1024 * 1024;

/// Where the container's genesis file lies on the host; none when the command line names none
/// or it is not mounted.
pub fn host_path(container: &Container) -> Option<PathBuf> {
    container.host_path(Path::new(container.flag(FLAG)?))
}

/// The container's genesis file and its digest; none when there is none.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn mounted(container: &Container) -> std::io::Result<Option<Genesis>> {
    let Some(path) = host_path(container) else { return Ok(None) };
    Ok(digest(&path)?.map(|digest| Genesis { path, digest }))
}

/// Digest of a file; none when it does not exist.
///
/// # Errors
/// When it cannot be read, or is larger than any genesis file.
pub fn digest(path: &Path) -> std::io::Result<Option<Digest>> {
    let length = match std::fs::metadata(path) {
        Ok(about) => about.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > GENESIS_BYTES {
        return Err(std::io::Error::other(format!("{length} bytes are too many for a genesis")));
    }
    std::fs::read(path).map(|bytes| Some(Digest::of(&bytes)))
}
