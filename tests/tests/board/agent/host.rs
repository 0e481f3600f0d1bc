//! A delegate's host with an agent on it: the real binary, its own folder and key.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use muster_agent::control::view::{BoardState, PlanView, Status};
use muster_proto::documents::{Digest, PlanId};
use muster_tests::fleet::process::{Process, Said, binary, end};
use tokio::process::Command;
use tokio::time::{Instant, interval};

use crate::disk::Disk;
use crate::world::{NETWORK, PATIENCE, World, key};

/// Looks and retries come fast here, so that tests wait for conditions and not for clocks.
const INTERVALS: &str = "intervals: {poll: 50ms, idle: 200ms, beacon: 500ms, reconnect: 50ms, \
                         reconnect-most: 400ms, retry: 300ms}\n";

/// One host.
pub(crate) struct Host {
    pub(crate) dir: tempfile::TempDir,
    name: String,
    process: Option<Process>,
    /// What its folder lies on, when not on the machine's own disk.
    disk: Option<Disk>,
}

impl Host {
    /// An agent made by `init`, with the key of `seed` in the place of its random one.
    pub(crate) async fn new(
        world: &World,
        name: &str,
        seed: u8,
        boards: &[(SocketAddr, Digest)],
    ) -> Result<Self> {
        let host = Self { dir: tempfile::tempdir()?, name: name.into(), process: None, disk: None };
        let root = world.dir.path().join("1.root.json");
        let sha256 = Digest::of(&std::fs::read(&root)?);
        let mut args = vec!["--network".to_owned(), NETWORK.into(), "--name".into(), name.into()];
        args.extend(["--root".into(), root.display().to_string()]);
        args.extend(["--root-sha256".into(), sha256.hex().into()]);
        args.extend(["--docker".into(), "unix:///nowhere/docker.sock".into()]);
        for (addr, pin) in boards {
            args.extend(["--controller".into(), format!("{addr}={pin}")]);
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let said = host.ask("init", &args).await?;
        ensure!(said.code == 0, "init: {}", said.err);
        std::fs::write(host.file("agent.key"), key(seed).to_pem(None)?.as_bytes())?;
        let config = std::fs::read_to_string(host.file("agent.yaml"))?;
        std::fs::write(host.file("agent.yaml"), config + INTERVALS)?;
        host.policy("default: apply");
        Ok(host)
    }

    /// Puts its folder on a disk of so many KiB.
    pub(crate) async fn on_small_disk(&mut self, kib: usize) -> Result<&Disk> {
        let disk = Disk::over(&self.file(""), kib).await?;
        Ok(self.disk.insert(disk))
    }

    /// The disk that it was put on.
    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("a host on a small disk")
    }

    /// Other intervals than a host of the tests has, as `agent.yaml` names them.
    pub(crate) fn interval(&self, from: &str, to: &str) -> Result<()> {
        let text = std::fs::read_to_string(self.file("agent.yaml"))?;
        ensure!(text.contains(from), "{from} in {text}");
        Ok(std::fs::write(self.file("agent.yaml"), text.replace(from, to))?)
    }

    /// A file of the agent's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        match &self.disk {
            Some(disk) => disk.file(name),
            None => self.dir.path().join("agent").join(name),
        }
    }

    /// The real program, in this host's folder.
    fn program(&self) -> Result<Command> {
        let (program, dir) = (binary("muster-agent")?, self.dir.path());
        let mut command = match &self.disk {
            Some(disk) => disk.command(&program, dir),
            None => Command::new(program),
        };
        command.args(["--dir", "agent"]).current_dir(dir);
        Ok(command)
    }

    /// Writes the policy file.
    pub(crate) fn policy(&self, text: &str) {
        let text = format!("muster: policy/v1\n{text}\n");
        std::fs::write(self.file("policy.yaml"), text).expect("a policy file");
    }

    /// Runs one command of the delegate's to its end.
    pub(crate) async fn ask(&self, command: &str, args: &[&str]) -> Result<Said> {
        let mut program = self.program()?;
        program.arg(command).args(args);
        end(program).await
    }

    /// Starts the daemon.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    /// Starts the daemon with more in its environment.
    pub(crate) fn start_with(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        let mut command = self.program()?;
        command.arg("run").env("RUST_LOG", "info").envs(environment.iter().copied());
        self.process = Some(Process::start(&self.name, command, &self.dir.path().join("log"))?);
        Ok(())
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn stop(&mut self) -> Result<ExitStatus> {
        self.process.take().expect("a daemon that runs").terminate(PATIENCE).await
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// `status --json`
    pub(crate) async fn status(&self) -> Result<Status> {
        let said = self.ask("status", &["--json"]).await?;
        ensure!(said.code == 0 || said.code == 5, "status: {} {}", said.code, said.err);
        Ok(serde_json::from_str(&said.out)?)
    }

    /// Waits until the daemon's status is as wanted; returns it.
    pub(crate) async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Result<Status> {
        let deadline = Instant::now() + PATIENCE;
        let mut look = interval(Duration::from_millis(50));
        loop {
            look.tick().await;
            let status = self.status().await?;
            if status.daemon.is_some() && wanted(&status) {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} never came there: {status:#?}\n{}", self.name, self.log());
            }
        }
    }

    /// Waits until it is attached to its first board.
    pub(crate) async fn attached(&self) -> Result<Status> {
        self.until(|status| status.boards[0].state == BoardState::Attached).await
    }

    /// Waits until a plan is as wanted.
    pub(crate) async fn plan(
        &self,
        id: &PlanId,
        wanted: impl Fn(&PlanView) -> bool,
    ) -> Result<PlanView> {
        let find = |status: &Status| status.plans.iter().find(|view| view.plan == *id).cloned();
        let status = self.until(|status| find(status).is_some_and(|view| wanted(&view))).await?;
        Ok(find(&status).expect("it was there"))
    }
}
