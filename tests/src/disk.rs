//! A real file system on a loop device, mounted in a mount namespace of its own: nobody else on
//! the machine sees it, and nothing of it is left when its keeper ends. Root is needed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use muster_agent::snapshot::decide::manifest::How;
use tempfile::TempDir;

/// What fills it up.
const FILLER: &str = "filler";

/// The file systems that delegates have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Copies every byte.
    Ext4,
    /// Shares blocks.
    Xfs,
    /// Shares blocks.
    Btrfs,
}

/// Each of them.
pub const ALL: [Kind; 3] = [Kind::Ext4, Kind::Xfs, Kind::Btrfs];

impl Kind {
    /// How a snapshot comes about on it.
    pub fn how(self) -> How {
        match self {
            Kind::Ext4 => How::Copied,
            Kind::Xfs | Kind::Btrfs => How::Cloned,
        }
    }

    fn make(self) -> [&'static str; 4] {
        match self {
            Kind::Ext4 => ["mkfs.ext4", "-q", "-m", "0"],
            Kind::Xfs => ["mkfs.xfs", "-q", "-m", "reflink=1"],
            Kind::Btrfs => ["mkfs.btrfs", "-q", "-m", "single"],
        }
    }

    /// The least that its `mkfs` makes comfortably; the image has holes.
    fn mib(self) -> u64 {
        match self {
            Kind::Ext4 => 128,
            Kind::Xfs => 320,
            Kind::Btrfs => 256,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Disk {
    keeper: Child,
    /// The file system, as this process reaches it.
    root: PathBuf,
    _place: TempDir,
}

impl Disk {
    /// As small as it can comfortably be.
    ///
    /// # Errors
    /// When it cannot be made or mounted: says what is missing.
    pub fn new(kind: Kind) -> Result<Self> {
        Self::of(kind, kind.mib())
    }

    /// One of so many MiB; its image has holes.
    ///
    /// # Errors
    /// As [`Disk::new`].
    pub fn of(kind: Kind, mib: u64) -> Result<Self> {
        let place = tempfile::tempdir()?;
        let (image, mount) = (place.path().join("image"), place.path().join("mount"));
        File::create(&image)?.set_len(mib << 20)?;
        std::fs::create_dir(&mount)?;
        let [program, args @ ..] = kind.make();
        let made = Command::new(program).args(args).arg(&image).output();
        let made = made.with_context(|| format!("{program} is missing: see tests/run"))?;
        ensure!(made.status.success(), "{program}: {}", String::from_utf8_lossy(&made.stderr));
        let script = "mount -o loop \"$0\" \"$1\" && echo mounted && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script]).arg(&image).arg(&mount);
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().context("its output")?).read_line(&mut line)?;
        ensure!(line == "mounted\n", "{kind:?} cannot be mounted here (root and loop devices)");
        let inside = mount.strip_prefix("/")?;
        let root = Path::new(&format!("/proc/{}/root", keeper.id())).join(inside);
        Ok(Self { keeper, root, _place: place })
    }

    /// A path in it, as this process reaches it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Leaves no block free.
    ///
    /// # Errors
    /// When something else than a full disk stops it.
    pub fn fill(&self) -> Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.path(FILLER))?;
        for length in [1 << 20, 64 << 10, 4 << 10] {
            let zeros = vec![0; length];
            loop {
                match filler.write_all(&zeros).and_then(|()| filler.sync_data()) {
                    Ok(()) => {}
                    Err(full) if full.kind() == ErrorKind::StorageFull => break,
                    Err(other) => bail!("the disk cannot be filled: {other}"),
                }
            }
        }
        Ok(())
    }

    /// Gives back what [`Disk::fill`] took.
    ///
    /// # Errors
    /// When it was not filled.
    pub fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path(FILLER))?)
    }

    /// Runs a script that sees it at its ordinary path, in its root.
    ///
    /// # Errors
    /// When the script fails.
    pub fn run(&self, script: &str) -> Result<()> {
        let mut command = Command::new("nsenter");
        let inside = self.root.components().skip(4).collect::<PathBuf>();
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.keeper.id()));
        command.arg(format!("--wdns=/{}", inside.display())).args(["sh", "-ec", script]);
        ensure!(command.status()?.success(), "{script}");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
