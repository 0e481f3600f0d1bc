//! The way without Muster: `ssh host docker stop node`, with an sshd for each host on loopback.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Debian's place for it.
const SSHD: &str = "/usr/sbin/sshd";
/// Until an sshd answers, and until a command ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// One sshd for each container.
#[derive(Debug)]
pub struct Hosts {
    folder: TempDir,
    hosts: Vec<Host>,
}

#[derive(Debug)]
struct Host {
    port: u16,
    container: String,
    /// Ends with this value.
    _daemon: Child,
}

impl Hosts {
    /// Keys, configurations and daemons for these containers.
    ///
    /// # Errors
    /// When sshd is missing (Debian: `apt-get install openssh-server`) or does not come up.
    pub async fn up(containers: &[String]) -> Result<Self> {
        ensure!(Path::new(SSHD).exists(), "{SSHD} is missing: apt-get install openssh-server");
        // Its place for dropping rights; a package's own unit would make it.
        fs::create_dir_all("/run/sshd")?;
        let folder = tempfile::tempdir()?;
        for key in ["host", "own"] {
            let path = folder.path().join(key);
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
            ensure!(keygen.status().await?.success(), "ssh-keygen failed");
        }
        let own = folder.path().join("own.pub");
        let allowed = folder.path().join("allowed");
        fs::copy(own, &allowed)?;
        fs::set_permissions(&allowed, fs::Permissions::from_mode(0o600))?;
        let mut hosts = Vec::new();
        for container in containers {
            hosts.push(host(folder.path(), container.clone()).await?);
        }
        Ok(Self { folder, hosts })
    }

    /// Opens a connection to each host that later commands use.
    ///
    /// # Errors
    /// When one cannot be reached.
    pub async fn warm(&self) -> Result<()> {
        for host in &self.hosts {
            self.run(host, &["true"], true).await?;
        }
        Ok(())
    }

    /// Closes them.
    ///
    /// # Errors
    /// When ssh does not start.
    pub async fn cool(&self) -> Result<()> {
        for host in &self.hosts {
            let mut command = self.command(host, true);
            command.args(["-O", "exit", "127.0.0.1"]);
            command.stderr(Stdio::null()).status().await?;
        }
        Ok(())
    }

    /// All at the same time.
    ///
    /// # Errors
    /// When one command fails.
    pub async fn stop_at_once(&self, warm: bool) -> Result<()> {
        try_join_all(self.hosts.iter().map(|host| self.stop(host, warm))).await.map(drop)
    }

    /// One after the other.
    ///
    /// # Errors
    /// When one command fails.
    pub async fn stop_in_order(&self, warm: bool) -> Result<()> {
        for host in &self.hosts {
            self.stop(host, warm).await?;
        }
        Ok(())
    }

    async fn stop(&self, host: &Host, warm: bool) -> Result<()> {
        self.run(host, &["docker", "stop", "-t", "60", &host.container], warm).await
    }

    async fn run(&self, host: &Host, what: &[&str], warm: bool) -> Result<()> {
        let mut command = self.command(host, warm);
        command.arg("127.0.0.1").args(what).stdout(Stdio::null());
        let ended = tokio::time::timeout(PATIENCE, command.status()).await;
        let status = ended.context("ssh does not end")??;
        ensure!(status.success(), "ssh to port {}: {status}", host.port);
        Ok(())
    }

    fn command(&self, host: &Host, warm: bool) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("ssh");
        command.kill_on_drop(true).stdin(Stdio::null()).arg("-p").arg(host.port.to_string());
        command.arg("-i").arg(path("own"));
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
        command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
        if warm {
            command.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60"]);
            command.arg("-o").arg(format!("ControlPath={}", path("%p").display()));
        }
        command
    }
}

/// Starts an sshd on a free port of loopback and waits until it answers.
async fn host(folder: &Path, container: String) -> Result<Host> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let config: PathBuf = folder.join(format!("sshd-{port}"));
    let key = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
         StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n\
         PermitRootLogin prohibit-password\n",
        key("host"),
        key("allowed")
    );
    fs::write(&config, text)?;
    let mut command = Command::new(SSHD);
    command.args(["-D", "-f"]).arg(&config).kill_on_drop(true);
    let daemon = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        ensure!(Instant::now() < deadline, "sshd on port {port} does not answer");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(Host { port, container, _daemon: daemon })
}
