//! A snapshot beside `cp`, `cp --reflink` and `rsync`, on the same disk in the same run, and what
//! a pre-copy takes off the time for which a node is down.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_agent::snapshot::decide::manifest::{How, Origin};
use muster_agent::snapshot::decide::name::Name;
use muster_agent::snapshot::{Snapshots, Stopped, Wanted};

use super::table::{Fact, facts, shown};
use crate::disk::{ALL, Disk, Kind};

/// The middle of so many turns counts.
const TURNS: usize = 3;
/// As long as pebble makes them.
const TABLE_BYTES: u64 = 64 << 20;
/// Pages that a node writes in place between a pre-copy and its stop.
const PAGES: u64 = 2_000;
/// The slowest that a copy may be, against the fastest of the others.
const AIM: f64 = 0.9;

/// Measures each file system with `gib` GiB of data, one after the other.
///
/// # Errors
/// When a file system, `rsync` or space is missing.
pub fn all(gib: u64) -> Result<String> {
    let mut rows = Vec::new();
    for kind in ALL {
        rows.extend(on(kind, gib)?);
    }
    Ok(format!("{gib} GiB of data, middle of {TURNS} turns, all synced\n{}", facts(&rows)))
}

struct Stand {
    disk: Disk,
    bytes: u64,
}

fn on(kind: Kind, gib: u64) -> Result<Vec<Fact>> {
    let word = format!("{kind:?}").to_lowercase();
    // Data, one copy, and what the file system itself takes.
    let disk = Disk::of(kind, gib * 2 * 1_024 + 2_048)?;
    let stand = Stand { disk, bytes: gib << 30 };
    eprintln!("{word}: {gib} GiB of data");
    stand.lay_out()?;
    let mut rows = Vec::new();
    let mut best = Duration::MAX;
    for (what, copy) in others(kind) {
        eprintln!("{word}: {what}");
        let took = median(|| stand.other(copy))?;
        let copies = what != "cp --reflink";
        if copies {
            best = best.min(took);
        }
        rows.push(stand.row(&format!("{word}, {what}"), took, None));
    }
    eprintln!("{word}: snapshot");
    let (took, sealed) = stand.snapshots(kind.how() == How::Cloned)?;
    let fast = took.as_secs_f64() * AIM <= best.as_secs_f64();
    let aim = (format!("{AIM} × the fastest copy"), fast);
    rows.push(stand.row(&format!("{word}, snapshot, node down"), took, Some(aim)));
    rows.push(stand.row(&format!("{word}, read back, node up"), sealed, None));
    if kind.how() == How::Copied {
        eprintln!("{word}: snapshot after a pre-copy");
        let (early, down) = stand.pre_copied()?;
        rows.push(stand.row(&format!("{word}, pre-copy, node up"), early, None));
        rows.push(stand.row(&format!("{word}, snapshot after it, node down"), down, None));
    }
    Ok(rows)
}

fn others(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("cp", "cp -a --reflink=never"), ("rsync", "rsync -a --whole-file")];
    if kind.how() == How::Cloned {
        all.push(("cp --reflink", "cp -a --reflink=always"));
    }
    all
}

fn median(mut turn: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let mut all = Vec::new();
    for _ in 0..TURNS {
        all.push(turn()?);
    }
    all.sort();
    Ok(all[TURNS / 2])
}

impl Stand {
    fn data(&self) -> PathBuf {
        self.disk.path("data")
    }

    /// Half of it one database that is written in place, half of it tables that never change.
    fn lay_out(&self) -> Result<()> {
        let data = self.data();
        fs::create_dir_all(data.join("trie.db"))?;
        noise(&data.join("chain.db"), self.bytes / 2, 1)?;
        for number in 0..self.bytes / 2 / TABLE_BYTES {
            noise(&data.join(format!("trie.db/{number:06}.sst")), TABLE_BYTES, number + 2)?;
        }
        self.cold()
    }

    /// Nothing of it is in memory, nothing of it is unwritten.
    fn cold(&self) -> Result<()> {
        sync(&self.data())?;
        Ok(fs::write("/proc/sys/vm/drop_caches", "3")?)
    }

    fn other(&self, copy: &str) -> Result<Duration> {
        self.cold()?;
        let begin = Instant::now();
        self.disk.run(&format!("{copy} data other && sync -f other"))?;
        let took = begin.elapsed();
        fs::remove_dir_all(self.disk.path("other"))?;
        Ok(took)
    }

    /// While the node is down, and afterwards.
    fn snapshots(&self, clone: bool) -> Result<(Duration, Duration)> {
        let mut seals = Vec::new();
        let down = median(|| {
            self.cold()?;
            let snapshots = Snapshots::open(&self.disk.path("snapshots"))?;
            let down = self.capture(&snapshots, clone)?;
            let begin = Instant::now();
            snapshots.seal(&name()?, None, &mut |_| {})?;
            seals.push(begin.elapsed());
            snapshots.remove(&name()?)?;
            Ok(down)
        })?;
        seals.sort();
        Ok((down, seals[TURNS / 2]))
    }

    fn capture(&self, snapshots: &Snapshots, clone: bool) -> Result<Duration> {
        let stopped = Stopped::vouched(&self.data());
        let (name, origin) = (name()?, origin()?);
        let begin = Instant::now();
        let captured =
            snapshots.capture(&stopped, (&name, &origin), &wanted(clone), &mut |_| {})?;
        snapshots.keep(&captured)?;
        Ok(begin.elapsed())
    }

    /// The pre-copy, and the rest while the node is down.
    fn pre_copied(&self) -> Result<(Duration, Duration)> {
        let mut early = Duration::ZERO;
        let down = median(|| {
            self.cold()?;
            let snapshots = Snapshots::open(&self.disk.path("snapshots"))?;
            let begin = Instant::now();
            snapshots.pre_copy(&self.data(), &wanted(false), &mut |_| {})?;
            early = begin.elapsed();
            self.node_works()?;
            self.cold()?;
            let down = self.capture(&snapshots, false)?;
            snapshots.seal(&name()?, None, &mut |_| {})?;
            snapshots.remove(&name()?)?;
            Ok(down)
        })?;
        Ok((early, down))
    }

    /// Pages of the database all over the file, and a new table.
    fn node_works(&self) -> Result<()> {
        let chain = File::options().write(true).open(self.data().join("chain.db"))?;
        let step = self.bytes / 2 / PAGES;
        for page in 0..PAGES {
            chain.write_all_at(&[7; 4_096], page * step / 4_096 * 4_096)?;
        }
        noise(&self.data().join("trie.db/new.sst"), TABLE_BYTES, 77)
    }

    fn row(&self, what: &str, took: Duration, aim: Option<(String, bool)>) -> Fact {
        let rate = self.bytes as f64 / took.as_secs_f64().max(1e-9) / f64::from(1 << 20);
        Fact { what: what.into(), figure: format!("{}, {rate:.0} MiB/s", shown(Some(took))), aim }
    }
}

fn name() -> Result<Name> {
    Ok("bench".parse()?)
}

fn origin() -> Result<Origin> {
    Ok(Origin { network: "bench".into(), node: "node-1".parse()?, plan: None, height: None })
}

fn wanted(clone: bool) -> Wanted {
    Wanted { rate: None, leave: 0, clone, thorough: false }
}

fn sync(path: &Path) -> Result<()> {
    let status = Command::new("sync").arg("-f").arg(path).status()?;
    ensure!(status.success(), "sync: {status}");
    Ok(())
}

/// A file of bytes that nothing compresses.
fn noise(path: &Path, bytes: u64, seed: u64) -> Result<()> {
    let mut file = File::create(path)?;
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        for word in buffer.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&buffer)?;
    }
    Ok(())
}
