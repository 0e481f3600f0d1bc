//! What has to be copied, and how long that may take.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pieces::Pieces;
use super::tree::{Mark, Seen, Tree, What};

/// What is to be done for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// Shares the blocks.
    Clone,
    /// Copies all of it.
    Whole,
    /// Reads all of it, copies the pieces that are not as they were copied before.
    Difference,
    /// Nothing: it was copied before, and nobody has written since.
    Keep,
}

/// What a pre-copy noted of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Its length then.
    pub bytes: u64,
    /// Its mark before its first byte was read.
    pub mark: Mark,
    /// When its first byte was read, in nanoseconds since 1970.
    pub read_ns: i64,
    /// What was copied.
    pub pieces: Pieces,
}

/// What a pre-copy noted, by path.
pub type Record = BTreeMap<String, Before>;

/// The kernel dates changes by a clock that ticks a hundred times a second. A file that was
/// changed less than this before it was read may have been changed again within one tick.
const TICK_NS: i64 = 1_000_000_000;

/// How a copy is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The file system clones.
    pub clones: bool,
    /// Read and compare also what nobody has written since it was copied.
    pub thorough: bool,
}

/// How each file gets into the snapshot.
pub fn work<'a>(tree: &'a Tree, record: &Record, terms: Terms) -> BTreeMap<&'a str, Copy> {
    let files = tree.iter().filter(|(_, seen)| matches!(seen.item.what, What::File { .. }));
    files.map(|(path, seen)| (path.as_str(), copy(seen, record.get(path), terms))).collect()
}

fn copy(seen: &Seen, before: Option<&Before>, terms: Terms) -> Copy {
    match before {
        _ if terms.clones => Copy::Clone,
        None => Copy::Whole,
        Some(before) if !terms.thorough && is_same(seen, before) => Copy::Keep,
        Some(_) => Copy::Difference,
    }
}

fn is_same(seen: &Seen, before: &Before) -> bool {
    let settled = before.mark.changed_ns.saturating_add(TICK_NS) < before.read_ns;
    settled && seen.mark == before.mark && seen.item.what == What::File { bytes: before.bytes }
}

/// Bytes to read and bytes to write at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Load {
    /// From the node's folder.
    pub read: u64,
    /// To the snapshot.
    pub write: u64,
}

/// What `work` moves, at most.
pub fn load(tree: &Tree, work: &BTreeMap<&str, Copy>) -> Load {
    let mut load = Load::default();
    for (path, copy) in work {
        let Some(seen) = tree.get(*path) else { continue };
        let What::File { bytes } = seen.item.what else { continue };
        // Holes are neither read nor written.
        let bytes = bytes.min(seen.disk);
        match copy {
            Copy::Clone | Copy::Keep => {}
            Copy::Whole | Copy::Difference => {
                load.read += bytes;
                load.write += bytes;
            }
        }
    }
    load
}

/// Bytes that `work` still takes of the disk: what lies there already is written over.
pub fn need(tree: &Tree, work: &BTreeMap<&str, Copy>, record: &Record) -> u64 {
    let of = |(path, copy): (&&str, &Copy)| {
        let one = load(tree, &BTreeMap::from([(*path, *copy)])).write;
        one.saturating_sub(record.get(*path).map_or(0, |before| before.bytes))
    };
    work.iter().map(of).sum()
}

/// How long a copy of `load` takes at `rate` bytes a second, measured or allowed, whichever is less.
pub fn duration(load: Load, measured: u64, allowed: Option<u64>) -> Duration {
    let rate = allowed.map_or(measured, |allowed| allowed.min(measured)).max(1);
    Duration::from_secs_f64(load.read.max(load.write) as f64 / rate as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tree::Item;
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn seen(bytes: u64, changed_ns: i64) -> Seen {
        let what = What::File { bytes };
        let item = Item { what, mode: 0o644, uid: 0, gid: 0, mtime_ns: 0 };
        Seen { item, disk: bytes, mark: Mark { inode: 7, changed_ns } }
    }

    fn before(seen: &Seen, read_ns: i64) -> Before {
        let What::File { bytes } = seen.item.what else { panic!("a file") };
        Before { bytes, mark: seen.mark, read_ns, pieces: Pieces::default() }
    }

    fn decided(seen: Seen, before: Before, clones: bool, thorough: bool) -> Copy {
        let tree = Tree::from([("a".to_owned(), seen)]);
        let record = Record::from([("a".to_owned(), before)]);
        work(&tree, &record, Terms { clones, thorough })["a"]
    }

    #[test]
    fn only_what_nobody_can_have_written_since_is_kept() {
        let old = seen(10, 5 * SECOND);
        let note = before(&old, 60 * SECOND);
        assert_eq!(decided(old.clone(), note.clone(), false, false), Copy::Keep);
        assert_eq!(decided(old.clone(), note.clone(), false, true), Copy::Difference);
        assert_eq!(decided(old.clone(), note.clone(), true, false), Copy::Clone);
        assert_eq!(decided(seen(10, 61 * SECOND), note.clone(), false, false), Copy::Difference);
        assert_eq!(decided(seen(11, 5 * SECOND), note.clone(), false, false), Copy::Difference);
        let other = Seen { mark: Mark { inode: 8, ..old.mark }, ..old.clone() };
        assert_eq!(decided(other, note, false, false), Copy::Difference);
        // Changed within the same tick as it was read: its time may not tell of the next change.
        let racy = before(&old, 5 * SECOND + SECOND / 2);
        assert_eq!(decided(old, racy, false, false), Copy::Difference);
    }

    #[test]
    fn what_is_copied_is_summed_up_and_timed() {
        let holes = Seen { disk: 100, ..seen(1_000, 0) };
        let tree = Tree::from([("a".to_owned(), seen(900, 0)), ("b".to_owned(), holes)]);
        let terms = |clones| Terms { clones, thorough: false };
        let plain = load(&tree, &work(&tree, &Record::new(), terms(false)));
        assert_eq!(plain, Load { read: 1_000, write: 1_000 });
        assert_eq!(duration(plain, 500, None), Duration::from_secs(2));
        assert_eq!(duration(plain, 500, Some(100)), Duration::from_secs(10));
        assert_eq!(duration(plain, 500, Some(1_000)), Duration::from_secs(2));
        let cloned = load(&tree, &work(&tree, &Record::new(), terms(true)));
        assert_eq!(duration(cloned, 500, None), Duration::ZERO);
    }
}
