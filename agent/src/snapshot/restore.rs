//! A snapshot is put back: a copy beside the node's folder, compared with the manifest, then one
//! exchange of names. At every moment one whole folder stands at the path.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::decide::manifest::{Entry, How, Manifest};
use super::decide::name::Name;
use super::decide::tree::{Tree, sum};
use super::decide::work::{self, Record, Terms};
use super::error::SnapshotError;
use super::lay::{self, Lay, failed};
use super::pace::{Pace, Phase, Tell};
use super::stopped::Stopped;
use super::store::Snapshots;
use super::take::{Wanted, clones, discard, enough};
use super::{scan, verify};

/// A verified copy of a snapshot, beside the node's folder and not yet in its place.
#[derive(Debug)]
#[must_use = "the node's folder is as it was before `Snapshots::exchange`"]
pub struct Staged {
    data: PathBuf,
    staging: PathBuf,
    /// How it was made.
    pub how: How,
    /// Length of all files.
    pub bytes: u64,
}

/// Whose data may be put back.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Such as `mainnet`.
    pub network: &'a str,
    /// The node's name in the roster.
    pub node: &'a NodeName,
}

impl Snapshots {
    /// What a snapshot must hold, if it is of this node.
    ///
    /// # Errors
    /// [`SnapshotError::Elsewhere`], and as [`Snapshots::manifest`].
    pub fn belonging(&self, name: &Name, owner: Owner<'_>) -> Result<Manifest, SnapshotError> {
        let manifest = self.manifest(name)?;
        belongs(&manifest, owner)?;
        Ok(manifest)
    }

    /// Takes the copy away again.
    pub fn unstage(&self, staged: Staged) {
        discard(&staged.staging);
    }

    /// Verifies a snapshot and copies it beside the node's folder.
    ///
    /// # Errors
    /// [`SnapshotError`]; the node's folder is as it was.
    pub fn stage(
        &self,
        stopped: &Stopped,
        (name, owner): (&Name, Owner<'_>),
        wanted: &Wanted,
        tell: Tell<'_>,
    ) -> Result<Staged, SnapshotError> {
        let data = stopped.data();
        let parent = parent(data)?;
        let manifest = self.belonging(name, owner)?;
        let staging = beside(data, "restoring");
        if staging.exists() {
            // Never the node's own: that one is moved under another name.
            fs::remove_dir_all(&staging).map_err(failed(&staging))?;
        }
        let from = self.data(name);
        let tree = scan::scan(&from)?;
        let clones = wanted.clone && clones(&from, &tree, parent)?;
        let how = if clones { How::Cloned } else { How::Copied };
        let staged = match clones {
            // What is cloned is not read on the way.
            true => self.verify(name, wanted.rate, tell).and_then(|_| {
                self.lay_out((&from, &staging), (&tree, &manifest), (true, wanted), tell)
            }),
            false => self.lay_out((&from, &staging), (&tree, &manifest), (false, wanted), tell),
        };
        staged.inspect_err(|_| discard(&staging))?;
        Ok(Staged { data: data.into(), staging, how, bytes: sum(&tree).bytes })
    }

    fn lay_out(
        &self,
        (from, to): (&Path, &Path),
        (tree, manifest): (&Tree, &Manifest),
        (clones, wanted): (bool, &Wanted),
        tell: Tell<'_>,
    ) -> Result<(), SnapshotError> {
        let record = Record::new();
        let work = work::work(tree, &record, Terms { clones, thorough: false });
        let load = work::load(tree, &work);
        enough(parent(to)?, load.write, wanted.leave)?;
        let lay = Lay { from, to, tree, work: &work, record: &record, hook: &self.hook };
        lay.prepare()?;
        let all = if clones { 0 } else { sum(tree).bytes };
        let mut pace = Pace::new(Phase::Copy, all, wanted.rate, tell);
        let read = lay.fill(&mut pace)?;
        lay.finish()?;
        let mut found = verify::bare(&scan::scan(to)?);
        for (path, entry) in &mut found {
            let digest = read.get(path).map(super::decide::pieces::Pieces::root);
            entry.digest = digest.or_else(|| clones.then(|| known(manifest, path)).flatten());
        }
        verify::same(to.display().to_string(), &manifest.entries, &found)
    }

    /// Puts the copy in the place of the node's folder in one instant. Returns where the old one
    /// is now; none when there was none.
    ///
    /// # Errors
    /// [`SnapshotError::NoExchange`], [`SnapshotError::Write`]; the node's folder is as it was.
    pub fn exchange(&self, staged: Staged) -> Result<Option<PathBuf>, SnapshotError> {
        let Staged { data, staging, .. } = staged;
        let exchanged = self.exchange_with(&data, &staging);
        exchanged.inspect_err(|_| discard(&staging))
    }

    fn exchange_with(&self, data: &Path, staging: &Path) -> Result<Option<PathBuf>, SnapshotError> {
        let parent = parent(data)?;
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
        // From here on it bears the name that the old folder will have, so that nobody clears
        // away the node's data whenever a crash comes.
        let old = beside(data, &format!("before-{now}"));
        renameat_with(CWD, staging, CWD, &old, RenameFlags::NOREPLACE)
            .map_err(SnapshotError::write(&old))?;
        lay::sync_folder(parent)?;
        (self.hook)("exchange");
        let there = data.exists();
        let flags = if there { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        match renameat_with(CWD, &old, CWD, data, flags) {
            Ok(()) => {}
            Err(error) => {
                discard(&old);
                return Err(not_exchanged(data, error));
            }
        }
        lay::sync_folder(parent)?;
        Ok(there.then_some(old))
    }
}

/// Removes the folder that [`Snapshots::exchange`] returned.
///
/// # Errors
/// [`SnapshotError::Write`]
pub fn remove_old(old: &Path) -> Result<(), SnapshotError> {
    fs::remove_dir_all(old).map_err(failed(old))
}

/// What earlier restores left beside a node's folder.
///
/// # Errors
/// [`SnapshotError`]
pub fn left_beside(data: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let before = beside(data, "before-");
    let before = before.display().to_string();
    let parent = parent(data)?;
    let read = |source| SnapshotError::Read { path: parent.into(), source };
    let mut all = Vec::new();
    for entry in fs::read_dir(parent).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.display().to_string().starts_with(&before) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

fn known(manifest: &Manifest, path: &str) -> Option<muster_proto::documents::Digest> {
    let entries: &BTreeMap<String, Entry> = &manifest.entries;
    entries.get(path)?.digest.clone()
}

fn belongs(manifest: &Manifest, owner: Owner<'_>) -> Result<(), SnapshotError> {
    let origin = &manifest.origin;
    if (origin.network.as_str(), &origin.node) == (owner.network, owner.node) {
        return Ok(());
    }
    Err(SnapshotError::Elsewhere {
        name: manifest.name.clone(),
        found: format!("{} of {}", origin.node, origin.network),
        expected: format!("{} of {}", owner.node, owner.network),
    })
}

/// `data.word`, beside `data`.
fn beside(data: &Path, word: &str) -> PathBuf {
    let name = data.file_name().unwrap_or_default().to_string_lossy();
    data.with_file_name(format!("{name}.{word}"))
}

/// The folder above, on the same file system: only there can a name be exchanged.
fn parent(data: &Path) -> Result<&Path, SnapshotError> {
    let no = |what: &str| SnapshotError::NoExchange { data: data.into(), what: what.into() };
    let parent = data.parent().ok_or_else(|| no("it is the root of everything"))?;
    let device = |path: &Path| fs::symlink_metadata(path).map(|about| about.dev());
    match (device(data), device(parent)) {
        (Ok(own), Ok(above)) if own != above => Err(no("a file system of its own begins there")),
        _ => Ok(parent),
    }
}

fn not_exchanged(data: &Path, error: Errno) -> SnapshotError {
    let data = data.to_path_buf();
    match error {
        Errno::INVAL | Errno::XDEV | Errno::BUSY | Errno::NOSYS => {
            SnapshotError::NoExchange { data, what: error.to_string() }
        }
        error => SnapshotError::Write { path: data, source: error.into() },
    }
}
