//! Programs as processes of their own: the real binaries, their output kept in a file.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::{Child, Command};

/// Where the binaries of this build lie: beside the running test, demo or benchmark.
///
/// # Errors
/// When the binary was not built; says how to.
pub fn binary(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe().context("this program has no path")?;
    let found = here.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|p| p.is_file());
    found.with_context(|| {
        format!("{name} is not built: run `cargo build --release --workspace --all-targets` first")
    })
}

/// A program that runs; it is killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let out = open().with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.into(), log: log.into(), child })
    }

    /// Its output so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until its output holds `text`.
    ///
    /// # Errors
    /// When it ends before, or `patience` is over; with the end of its output.
    pub async fn says(&mut self, text: &str, patience: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while tokio::time::Instant::now() < deadline {
            if self.output().contains(text) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}) before it said {text:?}:\n{}", self.name, self.tail());
            }
            look.tick().await;
        }
        bail!("{} did not say {text:?} within {patience:?}:\n{}", self.name, self.tail())
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it has not ended after `patience`.
    pub async fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal("-TERM").await?;
        self.ends(patience).await
    }

    /// SIGINT, as Ctrl-C sends it, and waits for the end.
    ///
    /// # Errors
    /// When it has not ended after `patience`.
    pub async fn interrupt(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal("-INT").await?;
        self.ends(patience).await
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        let Some(pid) = self.child.id() else { return Ok(()) };
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status().await?;
        anyhow::ensure!(sent.success(), "cannot signal {}", self.name);
        Ok(())
    }

    /// Waits for the end without asking for it.
    ///
    /// # Errors
    /// When it has not ended after `patience`.
    pub async fn ends(&mut self, patience: Duration) -> Result<ExitStatus> {
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("{} did not end within {patience:?}:\n{}", self.name, self.tail()),
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The last lines of its output, for errors.
    pub fn tail(&self) -> String {
        const LINES: usize = 30;
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// What a program that has ended said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a program to its end, with nothing on its standard input.
///
/// # Errors
/// When it cannot be started or does not end within a minute.
pub async fn run<S: AsRef<OsStr>>(program: &Path, args: &[S], dir: &Path) -> Result<Said> {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir);
    end(command).await
}

/// As [`run`], with everything about the program in `command`.
///
/// # Errors
/// As [`run`].
pub async fn end(mut command: Command) -> Result<Said> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
    let output = ended.with_context(|| format!("{:?} does not end", command.as_std()))??;
    Ok(Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
