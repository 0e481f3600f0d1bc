//! A snapshot is taken: a copy beforehand if one is wanted, the capture while the node is down,
//! the seal when what was captured has been read back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::decide::manifest::{Entry, How, Manifest, Origin};
use super::decide::name::Name;
use super::decide::pieces::Pieces;
use super::decide::tree::{self, Tree, What};
use super::decide::work::{self, Before, Copy, Load, Record, Terms};
use super::error::SnapshotError;
use super::lay::{Lay, failed};
use super::pace::{Pace, Phase, Tell, counted};
use super::stopped::Stopped;
use super::store::{CAPTURED, DATA, MANIFEST, Snapshots, write, write_manifest};
use super::{lay, pump, scan, space};

/// The name of what is copied while the node runs, until it has one.
pub(super) const PRE_COPY: &str = "pre-copy";
/// What was copied before, in a pre-copy.
const RECORD: &str = "record.json";

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Bytes a second at most.
    pub rate: Option<u64>,
    /// Bytes of the file system that must stay free.
    pub leave: u64,
    /// Share blocks where that can be done.
    pub clone: bool,
    /// Read and compare also what nobody has written since the pre-copy.
    pub thorough: bool,
}

/// What is known before anything is copied.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    /// The node's folder.
    pub sum: tree::Sum,
    /// How it would be taken.
    pub how: How,
    /// What would be moved, at most.
    pub load: Load,
    /// Bytes that it still takes of the disk.
    pub need: u64,
    /// Bytes that are free where it would go.
    pub free: u64,
}

impl Ahead {
    /// Refuses where it would not fit.
    ///
    /// # Errors
    /// [`SnapshotError::NoSpace`]
    pub fn enough(&self, folder: &Path, leave: u64) -> Result<(), SnapshotError> {
        let (need, free) = (self.need, self.free);
        match free >= need.saturating_add(leave) {
            true => Ok(()),
            false => Err(SnapshotError::NoSpace { path: folder.into(), need, free, leave }),
        }
    }
}

/// A snapshot that is complete and not yet believed.
#[derive(Debug)]
#[must_use = "nothing is kept before `Snapshots::keep`"]
pub struct Captured {
    manifest: Manifest,
    /// What was moved.
    pub load: Load,
}

impl Captured {
    /// How it was taken.
    pub fn how(&self) -> How {
        self.manifest.how
    }
}

/// Looks at what a snapshot of `data` in `folder` would take. Changes nothing.
///
/// # Errors
/// [`SnapshotError`]
pub fn ahead(data: &Path, folder: &Path, wanted: &Wanted) -> Result<Ahead, SnapshotError> {
    apart(data, folder)?;
    let place = folder.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("/"));
    let tree = scan::scan_live(data)?;
    let clones = wanted.clone && clones(data, &tree, place)?;
    let record = record(&folder.join(format!("{PRE_COPY}.partial"))).unwrap_or_default();
    let terms = Terms { clones, thorough: wanted.thorough };
    let work = work::work(&tree, &record, terms);
    let (load, need) = (work::load(&tree, &work), work::need(&tree, &work, &record));
    let how = if clones { How::Cloned } else { How::Copied };
    Ok(Ahead { sum: tree::sum(&tree), how, load, need, free: space::free(place)? })
}

/// Whether the file system lets a file in `place` share the blocks of one in `data`: tried with a
/// file that has no name, so that nothing is left.
pub(super) fn clones(data: &Path, tree: &Tree, place: &Path) -> Result<bool, SnapshotError> {
    let largest = tree.iter().filter_map(|(path, seen)| match seen.item.what {
        What::File { bytes } if bytes > 0 => Some((bytes, path)),
        _ => None,
    });
    let Some((_, path)) = largest.max() else { return Ok(false) };
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let Ok(probe) = openat(CWD, place, flags, Mode::RUSR | Mode::WUSR) else { return Ok(false) };
    let source = pump::open(&data.join(path))?;
    pump::clone(&source, &File::from(probe)).map_err(SnapshotError::write(place))
}

/// Neither lies in the other.
fn apart(data: &Path, folder: &Path) -> Result<(), SnapshotError> {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let (one, other) = (real(data), real(folder));
    match one.starts_with(&other) || other.starts_with(&one) {
        true => Err(SnapshotError::Inside { data: data.into(), folder: folder.into() }),
        false => Ok(()),
    }
}

/// What a finished pre-copy noted.
fn record(partial: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(partial.join(RECORD)).ok()?).ok()
}

pub(super) fn enough(place: &Path, need: u64, leave: u64) -> Result<(), SnapshotError> {
    let free = space::free(place)?;
    match free >= need.saturating_add(leave) {
        true => Ok(()),
        false => Err(SnapshotError::NoSpace { path: place.into(), need, free, leave }),
    }
}

impl Snapshots {
    /// Copies while the node runs. What is copied is not consistent, and only saves work later:
    /// [`Snapshots::capture`] compares and copies the difference. May be repeated. False where the
    /// file system clones and there is nothing to save.
    ///
    /// # Errors
    /// [`SnapshotError`]; what was copied is removed.
    pub fn pre_copy(
        &self,
        data: &Path,
        wanted: &Wanted,
        tell: Tell<'_>,
    ) -> Result<bool, SnapshotError> {
        apart(data, &self.folder)?;
        let tree = scan::scan_live(data)?;
        if wanted.clone && clones(data, &tree, &self.folder)? {
            return Ok(false);
        }
        let partial = self.folder.join(format!("{PRE_COPY}.partial"));
        let before = self.begin(&partial)?;
        let copied = self.copy_running(data, &tree, &partial, (&before, wanted), tell);
        copied.inspect_err(|_| discard(&partial)).map(|()| true)
    }

    /// Makes the folder of a copy, or goes on with that of a pre-copy, whose note is void from now.
    fn begin(&self, partial: &Path) -> Result<Record, SnapshotError> {
        let before = record(partial);
        if before.is_none() && partial.exists() {
            fs::remove_dir_all(partial).map_err(failed(partial))?;
        }
        if before.is_some() {
            let note = partial.join(RECORD);
            fs::remove_file(&note).map_err(failed(&note))?;
        } else {
            (self.hook)("folder");
            fs::create_dir(partial).map_err(failed(partial))?;
        }
        lay::sync_folder(partial)?;
        Ok(before.unwrap_or_default())
    }

    fn copy_running(
        &self,
        data: &Path,
        tree: &Tree,
        partial: &Path,
        (before, wanted): (&Record, &Wanted),
        tell: Tell<'_>,
    ) -> Result<(), SnapshotError> {
        let work = work::work(tree, before, Terms { clones: false, thorough: wanted.thorough });
        enough(&self.folder, work::need(tree, &work, before), wanted.leave)?;
        let to = partial.join(DATA);
        let lay = Lay { from: data, to: &to, tree, work: &work, record: before, hook: &self.hook };
        lay.prepare()?;
        let mut pace = Pace::new(Phase::PreCopy, total(tree, &work), wanted.rate, tell);
        let mut noted = Record::new();
        for (path, copy) in &work {
            match running(&lay, path, *copy, &mut pace) {
                Ok(note) => noted.extend(note.map(|note| ((*path).to_owned(), note))),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        lay::sync(&to)?;
        (self.hook)("record");
        let note = serde_json::to_vec(&noted).map_err(|error| failed(partial)(error.into()))?;
        write(&partial.join(RECORD), &note)
    }

    /// Takes the node's data while it is down. Nothing of it is kept before [`Snapshots::keep`].
    ///
    /// # Errors
    /// [`SnapshotError`]; what was made is removed.
    pub fn capture(
        &self,
        stopped: &Stopped,
        (name, origin): (&Name, &Origin),
        wanted: &Wanted,
        tell: Tell<'_>,
    ) -> Result<Captured, SnapshotError> {
        let data = stopped.data();
        apart(data, &self.folder)?;
        let (whole, partial) = (self.folder.join(name.as_str()), self.folder.join(name.partial()));
        if whole.exists() || partial.exists() {
            return Err(SnapshotError::Exists { name: name.clone() });
        }
        let tree = scan::scan(data)?;
        let clones = wanted.clone && clones(data, &tree, &self.folder)?;
        let early = self.folder.join(format!("{PRE_COPY}.partial"));
        if early.exists() {
            fs::rename(&early, &partial).map_err(failed(&partial))?;
        }
        let captured = self.copy_stopped(data, &tree, &partial, clones, wanted, tell);
        let (entries, load) = captured.inspect_err(|_| discard(&partial))?;
        let manifest = Manifest {
            muster: "snapshot/v1".into(),
            name: name.clone(),
            origin: origin.clone(),
            taken_at: Timestamp::now(),
            source: data.display().to_string(),
            how: if clones { How::Cloned } else { How::Copied },
            entries,
        };
        Ok(Captured { manifest, load })
    }

    fn copy_stopped(
        &self,
        data: &Path,
        tree: &Tree,
        partial: &Path,
        clones: bool,
        wanted: &Wanted,
        tell: Tell<'_>,
    ) -> Result<(BTreeMap<String, Entry>, Load), SnapshotError> {
        let record = self.begin(partial)?;
        let work = work::work(tree, &record, Terms { clones, thorough: wanted.thorough });
        enough(&self.folder, work::need(tree, &work, &record), wanted.leave)?;
        let to = partial.join(DATA);
        let lay = Lay { from: data, to: &to, tree, work: &work, record: &record, hook: &self.hook };
        lay.prepare()?;
        let mut pace = Pace::new(Phase::Copy, total(tree, &work), wanted.rate, tell);
        let read = lay.fill(&mut pace)?;
        lay.finish()?;
        if let Some(path) = tree::first_change(tree, &scan::scan(data)?) {
            return Err(SnapshotError::Changed { path: data.join(path) });
        }
        Ok((entries(tree, &read), work::load(tree, &work)))
    }

    /// Keeps what was captured: from now on a crash loses nothing but the seal.
    ///
    /// # Errors
    /// [`SnapshotError::Write`]; what was captured is removed.
    pub fn keep(&self, captured: &Captured) -> Result<(), SnapshotError> {
        let partial = self.folder.join(captured.manifest.name.partial());
        (self.hook)("keep");
        let kept = write_manifest(&partial.join(CAPTURED), &captured.manifest);
        kept.inspect_err(|_| discard(&partial))
    }

    /// Throws away what was captured.
    pub fn discard(&self, captured: Captured) {
        discard(&self.folder.join(captured.manifest.name.partial()));
    }

    /// Reads back all that was captured, completes its manifest, and gives it its name. The node
    /// may run again meanwhile.
    ///
    /// # Errors
    /// [`SnapshotError::Different`], [`SnapshotError::Read`], [`SnapshotError::Write`]; it may be
    /// tried again.
    pub fn seal(
        &self,
        name: &Name,
        rate: Option<u64>,
        tell: Tell<'_>,
    ) -> Result<Manifest, SnapshotError> {
        let partial = self.folder.join(name.partial());
        let mut manifest = super::store::read_manifest(&partial.join(CAPTURED))?;
        let found = super::verify::entries(&partial.join(DATA), rate, tell)?;
        for (path, entry) in &mut manifest.entries {
            // A clone is read here for the first time; nobody can write to it.
            if entry.digest.is_none() {
                entry.digest = found.get(path).and_then(|found| found.digest.clone());
            }
        }
        super::verify::same(format!("snapshot {name}"), &manifest.entries, &found)?;
        (self.hook)("manifest");
        write_manifest(&partial.join(MANIFEST), &manifest)?;
        (self.hook)("rename");
        let whole = self.folder.join(name.as_str());
        fs::rename(&partial, &whole).map_err(failed(&whole))?;
        lay::sync_folder(&self.folder)?;
        (self.hook)("note");
        self.note(name, Some(Timestamp::now()))?;
        // Only tidiness: with a manifest beside it nobody reads it.
        let _ = fs::remove_file(whole.join(CAPTURED));
        Ok(manifest)
    }
}

/// Copies one file of a node that runs; none when there is nothing to note of it.
fn running(
    lay: &Lay<'_>,
    path: &str,
    copy: Copy,
    pace: &mut Pace<'_, '_>,
) -> Result<Option<Before>, SnapshotError> {
    if copy == Copy::Keep {
        return Ok(lay.record.get(path).cloned());
    }
    let full: PathBuf = lay.from.join(path);
    let file = pump::open(&full)?;
    let read = |source| SnapshotError::Read { path: full.clone(), source };
    // What was written through memory is dated only when it goes to the disk.
    file.sync_data().map_err(read)?;
    let seen = scan::seen(&full, &file.metadata().map_err(read)?)?;
    let What::File { bytes } = seen.item.what else { return Ok(None) };
    let read_ns = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default();
    let pieces = lay.content(path, bytes, copy, pace)?.unwrap_or_default();
    Ok(Some(Before { bytes, mark: seen.mark, read_ns, pieces }))
}

fn is_gone(error: &SnapshotError) -> bool {
    matches!(error, SnapshotError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

fn total(tree: &Tree, work: &BTreeMap<&str, Copy>) -> u64 {
    let of = |(path, copy): (&&str, &Copy)| match tree.get(*path).map(|seen| &seen.item.what) {
        Some(What::File { bytes }) => counted(*copy, *bytes),
        _ => 0,
    };
    work.iter().map(of).sum()
}

fn entries(tree: &Tree, read: &BTreeMap<String, Pieces>) -> BTreeMap<String, Entry> {
    let entry = |(path, seen): (&String, &tree::Seen)| {
        let digest = read.get(path).map(Pieces::root);
        (path.clone(), Entry { item: seen.item.clone(), digest })
    };
    tree.iter().map(entry).collect()
}

/// Best effort: what stays is removed by the next command.
pub(super) fn discard(partial: &Path) {
    if let Err(error) = fs::remove_dir_all(partial)
        && partial.exists()
    {
        tracing::warn!(path = %partial.display(), %error, "left behind, for the next command");
    }
}
