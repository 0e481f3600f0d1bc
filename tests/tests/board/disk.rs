//! A disk of a few hundred KiB that a test can fill: memory, mounted in a mount namespace of its
//! own, so that nobody else on the machine sees it and nothing of it is left.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// No disk of a test is larger, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// What fills it up.
const FILLER: &str = "filler";

/// See the module. It goes when it is dropped and the last program on it has ended.
pub(crate) struct Disk {
    place: PathBuf,
    /// Keeps the namespace; waits for an input that never comes.
    keeper: Child,
}

impl Disk {
    /// A disk of `kib` KiB at `place`, which is a folder, with all in it that the folder holds.
    pub(crate) async fn over(place: &Path, kib: usize) -> Result<Self> {
        ensure!(kib * 1024 <= LARGEST, "{kib} KiB is too large for a test");
        let mount = "mount --bind \"$0\" /mnt && mount -t tmpfs -o size=\"$1\"k tmpfs \"$0\" && \
                     cp -a /mnt/. \"$0\" && umount /mnt && echo mounted && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", mount]).arg(place).arg(kib.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut keeper = command.spawn().context("`unshare` of util-linux is needed")?;
        let said = keeper.stdout.take().context("its output")?;
        let line = BufReader::new(said).lines().next_line().await?;
        ensure!(
            line.as_deref() == Some("mounted"),
            "no disk of its own (root is needed): {line:?}"
        );
        Ok(Self { place: place.into(), keeper })
    }

    /// A program that sees the disk; it begins in `dir`.
    pub(crate) fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.pid()));
        command.arg(format!("--wdns={}", dir.display())).arg("--").arg(program);
        command
    }

    /// A file of the disk, for the test itself.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        let inside = self.place.strip_prefix("/").unwrap_or(&self.place);
        Path::new(&format!("/proc/{}/root", self.pid())).join(inside).join(name)
    }

    /// Leaves no page free.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut filler = File::create(self.file(FILLER))?;
        for _ in 0..LARGEST / 4096 {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(full) if full.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(other) => bail!("the disk cannot be filled: {other}"),
            }
        }
        bail!("the disk does not fill up")
    }

    /// Gives back what [`Disk::fill`] took.
    pub(crate) fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.file(FILLER))?)
    }

    /// Writes over a file with as many bytes: that takes no page.
    pub(crate) fn overwrite(&self, name: &str, text: &str) -> Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.file(name))?;
        ensure!(file.metadata()?.len() == text.len() as u64, "{name} has another length");
        Ok(file.write_all(text.as_bytes())?)
    }

    fn pid(&self) -> u32 {
        self.keeper.id().expect("it waits until this is dropped")
    }
}
