//! A folder as it is looked at: what stands at each path, and how to tell that it is still the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a path leads to, as a snapshot keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its kind.
    pub what: What,
    /// The twelve bits of its rights.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// When its content was last changed, in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// The kinds that a snapshot keeps; all others are refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its length.
        bytes: u64,
    },
    /// A symbolic link, kept as a link.
    Link {
        /// What it says.
        target: String,
    },
}

/// By what a later look tells that nobody wrote: the kernel sets the time at every change of
/// content or rights, and no program can set it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its number on the file system.
    pub inode: u64,
    /// Its `ctime`, in nanoseconds since 1970.
    pub changed_ns: i64,
}

/// What was seen at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub item: Item,
    /// Bytes that it takes on the disk; less than its length where it has holes.
    pub disk: u64,
    /// See [`Mark`].
    pub mark: Mark,
}

/// A folder and all in it, by path from it; the folder itself is the empty path.
pub type Tree = BTreeMap<String, Seen>;

/// The first path at which two looks at one folder differ.
pub fn first_change<'a>(before: &'a Tree, after: &'a Tree) -> Option<&'a str> {
    let gone = before.iter().find(|(path, seen)| after.get(*path) != Some(seen));
    let come = after.keys().find(|path| !before.contains_key(*path));
    gone.map(|(path, _)| path).into_iter().chain(come).next().map(String::as_str)
}

/// Length and place on the disk of all files, in bytes, and their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    /// How many.
    pub files: u64,
    /// Their lengths.
    pub bytes: u64,
    /// What they take on the disk.
    pub disk: u64,
}

/// Sums up the files of a folder.
pub fn sum(tree: &Tree) -> Sum {
    tree.values().fold(Sum::default(), |sum, seen| match seen.item.what {
        What::File { bytes } => {
            Sum { files: sum.files + 1, bytes: sum.bytes + bytes, disk: sum.disk + seen.disk }
        }
        _ => sum,
    })
}
