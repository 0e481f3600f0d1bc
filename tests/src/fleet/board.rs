//! A controller as a process of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_proto::documents::{Digest, PublicKey};
use serde::Deserialize;
use tokio::process::Command;

use super::officers::Officers;
use super::process::{Process, binary, run};

/// Where a board is and what pins it.
#[derive(Debug, Clone)]
pub struct Address {
    /// `ip:port`.
    pub addr: String,
    /// SHA-256 of its public key.
    pub pin: Digest,
}

/// A controller: its folder, its address, and the process while it runs.
#[derive(Debug)]
pub struct Board {
    /// Its folder.
    pub dir: PathBuf,
    /// Where agents find it.
    pub address: Address,
    /// Keys for the root's snapshot and timestamp roles.
    pub publishers: (PublicKey, PublicKey),
    process: Option<Process>,
}

#[derive(Deserialize)]
struct Made {
    tls_pin: Digest,
    snapshot_key: PublicKey,
    timestamp_key: PublicKey,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Board {
    /// `muster-controller init` in `dir`, on a free port of loopback.
    ///
    /// # Errors
    /// When the program fails.
    pub async fn init(dir: &Path, network: &str) -> Result<Self> {
        // The port is free now, and the controller takes it again and again over restarts.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let addr = format!("127.0.0.1:{port}");
        let place = dir.display().to_string();
        let args = ["init", "--dir", &place, "--network", network, "--listen", &addr, "--json"];
        let said = run(&binary("muster-controller")?, &args, Path::new("/")).await?;
        ensure!(said.code == 0, "muster-controller init: {}{}", said.out, said.err);
        let made: Made = serde_json::from_str(&said.out).context("init --json")?;
        Ok(Self {
            dir: dir.into(),
            address: Address { addr, pin: made.tls_pin },
            publishers: (made.snapshot_key, made.timestamp_key),
            process: None,
        })
    }

    /// Writes root and people into its configuration, as an administrator would after the
    /// ceremony, and starts it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn found(&mut self, officers: &Officers) -> Result<()> {
        let (root, digest) = officers.first_root();
        self.pin(root, &digest)?;
        self.allow("alice", &officers.desk_key(), "watch, publish, hold")?;
        self.start().await
    }

    /// Takes the publisher's keys out of its configuration: it serves what it is given.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn serves_only(&self) -> Result<()> {
        let config = self.dir.join("controller.yaml");
        let text = std::fs::read_to_string(&config)?;
        let lines = text.lines().filter(|line| !line.starts_with("publisher:"));
        Ok(std::fs::write(&config, lines.map(|line| format!("{line}\n")).collect::<String>())?)
    }

    /// Writes the first root into its configuration; people come after it.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn pin(&self, root: &[u8], digest: &Digest) -> Result<()> {
        std::fs::write(self.dir.join("1.root.json"), root)?;
        let config = self.dir.join("controller.yaml");
        let pinned = format!("root: {{file: 1.root.json, sha256: \"{digest}\"}}\npeople:");
        let text = std::fs::read_to_string(&config)?.replace("people: []", &pinned);
        Ok(std::fs::write(&config, text)?)
    }

    /// Lets somebody else in.
    ///
    /// # Errors
    /// When the configuration cannot be written.
    pub fn allow(&self, name: &str, key: &PublicKey, rights: &str) -> Result<()> {
        let config = self.dir.join("controller.yaml");
        let mut text = std::fs::read_to_string(&config)?;
        text.push_str(&format!("  - {{name: {name}, key: \"{key}\", rights: [{rights}]}}\n"));
        Ok(std::fs::write(&config, text)?)
    }

    /// Starts the process and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(&mut self) -> Result<()> {
        let mut command = Command::new(binary("muster-controller")?);
        command.arg("run").arg("--config").arg(self.dir.join("controller.yaml"));
        command.env("RUST_LOG", "info").env("NO_COLOR", "1");
        let log = self.dir.join("controller.log");
        let _ = std::fs::remove_file(&log);
        let mut process = Process::start("muster-controller", command, &log)?;
        process.says(&self.address.addr, PATIENCE).await?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.take().context("the controller does not run")?.kill().await
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.dir.join("controller.log")).unwrap_or_default()
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(Process::pid)
    }
}
