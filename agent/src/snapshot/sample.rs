//! How fast a copy goes on this host: a little of it is made and thrown away.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::decide::pieces::PIECE_BYTES;
use super::decide::tree::{Tree, What};
use super::error::SnapshotError;
use super::lay::failed;
use super::{pump, scan};

/// No more than this is copied, and for no longer.
const MOST_BYTES: u64 = 64 << 20;
const LONGEST: Duration = Duration::from_secs(2);

/// Bytes a second from `data` to the disk under `place`, synced; none when nothing can be tried.
///
/// # Errors
/// [`SnapshotError::Read`], [`SnapshotError::Write`].
pub fn rate(data: &Path, place: &Path) -> Result<Option<u64>, SnapshotError> {
    let place = place.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("/"));
    let tree = scan::scan_live(data)?;
    let Some(path) = largest(&tree) else { return Ok(None) };
    // A file without a name: nothing of it is left, whatever happens.
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let Ok(probe) = openat(CWD, place, flags, Mode::RUSR | Mode::WUSR) else { return Ok(None) };
    let source = pump::open(&data.join(path))?;
    copy(&source, &mut File::from(probe)).map_err(failed(place))
}

fn largest(tree: &Tree) -> Option<&str> {
    let files = tree.iter().filter_map(|(path, seen)| match seen.item.what {
        What::File { bytes } if bytes > 0 => Some((bytes, path.as_str())),
        _ => None,
    });
    files.max().map(|(_, path)| path)
}

fn copy(source: &File, probe: &mut File) -> std::io::Result<Option<u64>> {
    use std::io::Read as _;
    let began = Instant::now();
    let (mut copied, mut buffer) = (0, vec![0; PIECE_BYTES]);
    let mut source = source;
    while copied < MOST_BYTES && began.elapsed() < LONGEST {
        let length = source.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        probe.write_all(&buffer[..length])?;
        copied += length as u64;
    }
    probe.sync_data()?;
    let rate = copied as f64 / began.elapsed().as_secs_f64().max(1e-6);
    Ok((copied > 0).then_some(rate as u64))
}
