//! A node's data as a delegate has it, small, and what a test asks of a snapshot.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use muster_agent::snapshot::decide::manifest::{Manifest, Origin};
use muster_agent::snapshot::decide::name::Name;
use muster_agent::snapshot::decide::tree::{Item, What};
use muster_agent::snapshot::{Hook, SnapshotError, Snapshots, Stopped, Wanted, scan};
use muster_proto::documents::Digest;

/// Three pieces, the last of them short.
pub(crate) const CHAIN_BYTES: usize = 9 * 1024 * 1024 + 77;

pub(crate) const NETWORK: &str = "testnet";

/// Makes `data` with what a node's folder has, and what it may have.
pub(crate) fn lay_out(data: &Path) -> Result<()> {
    lay_out_with(data, CHAIN_BYTES)
}

/// The same with less to copy, in memory: for tests that take many.
pub(crate) fn small() -> Result<(tempfile::TempDir, PathBuf, PathBuf)> {
    let place = tempfile::tempdir_in("/dev/shm")?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out_with(&data, 4 * 1024 * 1024 + 77)?;
    Ok((place, data, folder))
}

fn lay_out_with(data: &Path, chain: usize) -> Result<()> {
    fs::create_dir_all(data.join("trie.db"))?;
    fs::create_dir(data.join("actpool.cache"))?;
    fs::write(data.join("chain.db"), noise(chain, 1))?;
    for number in 1..4 {
        fs::write(data.join(format!("trie.db/00000{number}.sst")), noise(40_000, number))?;
    }
    fs::write(data.join("trie.db.patch"), "")?;
    let blob = File::create(data.join("blob.db"))?;
    blob.set_len(16 << 20)?;
    blob.write_all_at(&noise(4_096, 9), 8 << 20)?;
    symlink("trie.db/000001.sst", data.join("latest"))?;
    symlink("/nowhere/at/all", data.join("dangling"))?;
    fs::write(data.join("consensus.db"), "votes")?;
    chown(data.join("consensus.db"), Some(1_000), Some(1_001))?;
    fs::set_permissions(data.join("consensus.db"), PermissionsExt::from_mode(0o4640))?;
    fs::set_permissions(data.join("actpool.cache"), PermissionsExt::from_mode(0o1750))?;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789);
    for old in ["consensus.db", "trie.db", "actpool.cache"] {
        File::open(data.join(old))?.set_times(FileTimes::new().set_modified(long_ago))?;
    }
    Ok(())
}

/// Bytes that no file system compresses or shares.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(word).take(length / 8 + 1).flatten().collect();
    bytes.truncate(length);
    bytes
}

/// By path, what stands there and what is in it.
pub(crate) type Content = BTreeMap<String, (Item, Option<Digest>)>;

/// Everything that a snapshot has to keep of a folder.
pub(crate) fn content(folder: &Path) -> Result<Content> {
    let mut all = BTreeMap::new();
    for (path, seen) in scan(folder)? {
        let full = folder.join(&path);
        let digest = match seen.item.what {
            What::File { .. } => Some(Digest::of(&fs::read(full)?)),
            _ => None,
        };
        all.insert(path, (seen.item, digest));
    }
    Ok(all)
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(crate) fn origin() -> Origin {
    Origin {
        network: NETWORK.into(),
        node: "bob-1".parse().expect("a name"),
        plan: Some("hotfix/42".into()),
        height: Some(1_000),
    }
}

pub(crate) fn wanted() -> Wanted {
    Wanted { rate: None, leave: 0, clone: true, thorough: false }
}

/// Without sharing blocks.
pub(crate) fn plain() -> Wanted {
    Wanted { clone: false, ..wanted() }
}

/// Takes a snapshot to its end.
pub(crate) fn take(
    snapshots: &Snapshots,
    data: &Path,
    text: &str,
    wanted: &Wanted,
) -> Result<Manifest, SnapshotError> {
    let stopped = Stopped::vouched(data);
    let name = name(text);
    let captured = snapshots.capture(&stopped, (&name, &origin()), wanted, &mut |_| {})?;
    snapshots.keep(&captured)?;
    snapshots.seal(&name, None, &mut |_| {})
}

/// What a folder of snapshots holds, by name.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).filter(|name| name != ".lock").collect();
    names.sort();
    names
}

/// No file of the two folders is one and the same.
pub(crate) fn no_hard_link(one: &Path, other: &Path) -> Result<()> {
    for (path, seen) in scan(one)? {
        let (a, b) =
            (fs::symlink_metadata(one.join(&path))?, fs::symlink_metadata(other.join(&path))?);
        assert_ne!((a.dev(), a.ino()), (b.dev(), b.ino()), "{path}");
        if matches!(seen.item.what, What::File { .. }) {
            assert_eq!((a.nlink(), b.nlink()), (1, 1), "{path}");
        }
    }
    Ok(())
}

/// A hook that does something at its `nth` point, counted from 0, and how many points there were.
pub(crate) fn at(nth: usize, what: impl Fn() + Send + Sync + 'static) -> (Hook, Arc<AtomicUsize>) {
    let points = Arc::new(AtomicUsize::new(0));
    let passed = points.clone();
    let hook = Arc::new(move |_: &'static str| {
        if passed.fetch_add(1, Ordering::SeqCst) == nth {
            what();
        }
    });
    (hook, points)
}

/// A hook that notes the words of all points.
pub(crate) fn noting() -> (Hook, Arc<Mutex<Vec<&'static str>>>) {
    let words = Arc::new(Mutex::new(Vec::new()));
    let noted = words.clone();
    let hook = Arc::new(move |word: &'static str| noted.lock().expect("no panic").push(word));
    (hook, words)
}
