//! What a snapshot must hold, and in what a folder differs from that.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::{Digest, NodeName, canonical::Document};
use serde::{Deserialize, Serialize};

use super::name::Name;
use super::tree::{Item, What};

/// The content of a snapshot, written as canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `snapshot/v1`.
    pub muster: String,
    /// Its own name.
    pub name: Name,
    /// Whose data it is.
    pub origin: Origin,
    /// When the node's folder had been taken in full.
    pub taken_at: Timestamp,
    /// The folder that was taken.
    pub source: String,
    /// How it was taken.
    pub how: How,
    /// What stands at each path; the folder itself is the empty path.
    pub entries: BTreeMap<String, Entry>,
}

/// Whose data a snapshot holds, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Such as `mainnet`.
    pub network: String,
    /// The node's name in the roster.
    pub node: NodeName,
    /// The plan that it was taken for, such as `hotfix/42`; none when its operator took it.
    pub plan: Option<String>,
    /// The newest block that the node told, if somebody knows.
    pub height: Option<u64>,
}

/// How files came into a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// They share their blocks with the node's until the node writes.
    Cloned,
    /// Byte by byte.
    Copied,
}

/// One path of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What stands there.
    pub item: Item,
    /// Of a file's content ([`super::pieces::Pieces::root`]); none until it is known.
    pub digest: Option<Digest>,
}

impl Document for Manifest {
    const KIND: &'static str = "snapshot/v1";
    fn kind(&self) -> &str {
        &self.muster
    }
}

impl Manifest {
    /// Length of all files.
    pub fn bytes(&self) -> u64 {
        let of = |entry: &Entry| match entry.item.what {
            What::File { bytes } => bytes,
            _ => 0,
        };
        self.entries.values().map(of).sum()
    }
}

/// One way in which a folder is not what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where.
    pub path: String,
    /// In what.
    pub fault: Fault,
}

/// See [`Difference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The manifest has it, the folder has not.
    Missing,
    /// The folder has it, the manifest has not.
    Extra,
    /// Another kind, length or link.
    Shape,
    /// Another content.
    Content,
    /// Other rights.
    Mode,
    /// Another owner or group.
    Owner,
    /// Another time of last change.
    Time,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the folder itself" } else { &self.path };
        let fault = match self.fault {
            Fault::Missing => "is missing",
            Fault::Extra => "does not belong there",
            Fault::Shape => "has another kind, length or target",
            Fault::Content => "has another content",
            Fault::Mode => "has other rights",
            Fault::Owner => "has another owner",
            Fault::Time => "has another time",
        };
        write!(f, "{path} {fault}")
    }
}

/// Every difference between what must be and what was found, one for each path, in order. A file
/// whose digest is not known to both sides counts as different.
pub fn differences(
    wanted: &BTreeMap<String, Entry>,
    found: &BTreeMap<String, Entry>,
) -> Vec<Difference> {
    let of = |path: &String, fault| Difference { path: path.clone(), fault };
    let mut all: Vec<_> = wanted
        .iter()
        .filter_map(|(path, wanted)| match found.get(path) {
            None => Some(of(path, Fault::Missing)),
            Some(found) => fault(wanted, found).map(|fault| of(path, fault)),
        })
        .collect();
    let extra = found.keys().filter(|path| !wanted.contains_key(*path));
    all.extend(extra.map(|path| of(path, Fault::Extra)));
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

fn fault(wanted: &Entry, found: &Entry) -> Option<Fault> {
    let (old, new) = (&wanted.item, &found.item);
    let is_file = matches!(old.what, What::File { .. });
    if old.what != new.what {
        Some(Fault::Shape)
    } else if is_file && (wanted.digest.is_none() || wanted.digest != found.digest) {
        Some(Fault::Content)
    } else if old.mode != new.mode {
        Some(Fault::Mode)
    } else if (old.uid, old.gid) != (new.uid, new.gid) {
        Some(Fault::Owner)
    } else {
        (old.mtime_ns != new.mtime_ns).then_some(Fault::Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64, content: &[u8]) -> Entry {
        let what = What::File { bytes };
        let item = Item { what, mode: 0o644, uid: 1, gid: 2, mtime_ns: 3 };
        Entry { item, digest: Some(Digest::of(content)) }
    }

    fn faults(change: impl FnOnce(&mut BTreeMap<String, Entry>)) -> Vec<String> {
        let wanted: BTreeMap<_, _> = ["a", "b"].map(|path| (path.into(), file(1, b"x"))).into();
        let mut found = wanted.clone();
        change(&mut found);
        differences(&wanted, &found).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_difference_is_named_once_with_its_path() {
        assert!(faults(|_| {}).is_empty());
        type Change = fn(&mut Entry);
        let changes: [(&str, Change); 6] = [
            ("a has another kind, length or target", |entry| *entry = file(2, b"x")),
            ("a has another content", |entry| *entry = file(1, b"y")),
            ("a has another content", |entry| entry.digest = None),
            ("a has other rights", |entry| entry.item.mode = 0o600),
            ("a has another owner", |entry| entry.item.gid = 7),
            ("a has another time", |entry| entry.item.mtime_ns = 7),
        ];
        for (said, change) in changes {
            assert_eq!(faults(|found| change(found.get_mut("a").unwrap())), [said]);
        }
        let both = faults(|found| {
            let entry = found.remove("b").unwrap();
            found.insert("aa".into(), entry);
        });
        assert_eq!(both, ["aa does not belong there", "b is missing"]);
    }

    #[test]
    fn what_has_no_digest_on_either_side_is_not_the_same() {
        let bare = Entry { digest: None, ..file(1, b"x") };
        let all: BTreeMap<_, _> = [("a".to_owned(), bare)].into();
        assert_eq!(differences(&all, &all).len(), 1);
    }
}
