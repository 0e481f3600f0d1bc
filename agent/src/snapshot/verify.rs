//! Reads a folder in full and compares it with its manifest.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{Advice, fadvise};

use super::decide::manifest::{Entry, Manifest, differences};
use super::decide::name::Name;
use super::decide::tree::{Tree, What, sum};
use super::error::SnapshotError;
use super::pace::{Pace, Phase, Tell};
use super::store::{DATA, MANIFEST, Snapshots, read_manifest};
use super::{pump, scan};

impl Snapshots {
    /// Reads all of a snapshot and compares it with its manifest; notes how that ended.
    ///
    /// # Errors
    /// [`SnapshotError::Unknown`], [`SnapshotError::Manifest`], [`SnapshotError::Different`],
    /// [`SnapshotError::Read`], [`SnapshotError::Write`].
    pub fn verify(
        &self,
        name: &Name,
        rate: Option<u64>,
        tell: Tell<'_>,
    ) -> Result<Manifest, SnapshotError> {
        let folder = self.whole(name)?;
        let verified = self.manifest(name).and_then(|manifest| {
            let found = entries(&folder.join(DATA), rate, tell)?;
            same(format!("snapshot {name}"), &manifest.entries, &found)?;
            Ok(manifest)
        });
        self.note(name, verified.is_ok().then(Timestamp::now))?;
        verified
    }

    /// What a snapshot must hold.
    ///
    /// # Errors
    /// [`SnapshotError::Unknown`], [`SnapshotError::Manifest`], [`SnapshotError::Read`].
    pub fn manifest(&self, name: &Name) -> Result<Manifest, SnapshotError> {
        let path = self.whole(name)?.join(MANIFEST);
        let manifest = read_manifest(&path)?;
        match manifest.name == *name {
            true => Ok(manifest),
            false => {
                let what = format!("it says that it is of {}", manifest.name);
                Err(SnapshotError::Manifest { path, what })
            }
        }
    }
}

/// What stands in a folder, with the digest of every file, read from the disk.
pub(super) fn entries(
    root: &Path,
    rate: Option<u64>,
    tell: Tell<'_>,
) -> Result<BTreeMap<String, Entry>, SnapshotError> {
    let tree = scan::scan(root)?;
    let mut pace = Pace::new(Phase::Verify, sum(&tree).bytes, rate, tell);
    let mut all = bare(&tree);
    for (path, entry) in &mut all {
        let What::File { bytes } = entry.item.what else { continue };
        let full = root.join(path);
        let file = pump::open(&full)?;
        // Not what memory holds of it.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        let pieces = pump::pump((&file, &full), bytes, None, &mut pace)?;
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        entry.digest = Some(pieces.root());
    }
    Ok(all)
}

/// What stands in a folder, without digests.
pub(super) fn bare(tree: &Tree) -> BTreeMap<String, Entry> {
    let entry = |item| Entry { item, digest: None };
    tree.iter().map(|(path, seen)| (path.clone(), entry(seen.item.clone()))).collect()
}

/// Refuses what differs.
pub(super) fn same(
    what: String,
    wanted: &BTreeMap<String, Entry>,
    found: &BTreeMap<String, Entry>,
) -> Result<(), SnapshotError> {
    let differences = differences(wanted, found);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(SnapshotError::Different { what, differences }),
    }
}
