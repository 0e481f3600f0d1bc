//! One delegate: a node in a container, an agent as a process of its own with its own folder,
//! key and Engine proxy. Delegates share no file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_proto::documents::Digest;
use muster_proto::documents::author::Enrol;
use muster_proto::documents::roster::{Node, Role};
use tokio::process::Command;

use super::board::Address;
use super::officers::Officers;
use super::process::{Process, Said, binary, run};
use crate::faults::engine::EngineProxy;
use crate::node::host::Home;

/// Where the Engine of this machine listens.
pub const ENGINE: &str = "/var/run/docker.sock";

const PATIENCE: Duration = Duration::from_secs(10);

/// One delegate's host.
#[derive(Debug)]
pub struct Delegate {
    /// Name in the roster.
    pub name: String,
    /// Name of the container.
    pub container: String,
    /// The node's files.
    pub home: Home,
    /// The probe as others may reach it.
    pub endpoint: std::net::SocketAddr,
    /// Whether its operator address counts in consensus.
    pub seat: bool,
    /// The agent's folder.
    pub dir: PathBuf,
    /// Between the agent and the Engine.
    pub proxy: EngineProxy,
    agent: Option<Process>,
}

impl Delegate {
    /// Prepares a host whose node exists; the agent is not set up yet.
    ///
    /// # Errors
    /// When the proxy cannot listen.
    pub fn new(
        name: &str,
        container: &str,
        home: Home,
        endpoint: std::net::SocketAddr,
        dir: &Path,
    ) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let proxy = EngineProxy::start(&dir.join("engine.sock"), Path::new(ENGINE))?;
        Ok(Self {
            name: name.into(),
            container: container.into(),
            home,
            endpoint,
            seat: true,
            dir: dir.into(),
            proxy,
            agent: None,
        })
    }

    /// `muster-agent init`, with intervals that suit a test.
    ///
    /// # Errors
    /// When the program fails.
    pub async fn init(
        &self,
        network: &str,
        officers: &Officers,
        boards: &[Address],
    ) -> Result<Node> {
        let (root, digest) = officers.first_root();
        self.set_up(network, root, &digest, boards).await?;
        self.enrolled()
    }

    /// `muster-agent init` with a pinned root; its enrolment lies in its folder afterwards.
    ///
    /// # Errors
    /// When the program fails.
    pub async fn set_up(
        &self,
        network: &str,
        root: &[u8],
        digest: &Digest,
        boards: &[Address],
    ) -> Result<PathBuf> {
        let root_file = self.dir.join("pinned.root.json");
        std::fs::write(&root_file, root)?;
        let mut args: Vec<String> = [
            "init",
            "--network",
            network,
            "--name",
            &self.name,
            "--container",
            &self.container,
            "--root",
            &root_file.display().to_string(),
            "--root-sha256",
            digest.hex(),
            "--docker",
            &format!("unix://{}", self.proxy.socket().display()),
            "--operator",
            self.home.operator(),
            "--endpoint",
            &self.endpoint.to_string(),
            "--contact",
            &format!("{} on call", self.name),
        ]
        .map(str::to_owned)
        .into();
        for board in boards {
            args.extend(["--controller".into(), format!("{}={}", board.addr, board.pin.hex())]);
        }
        let said = self.cli(&args).await?;
        ensure!(said.code == 0, "muster-agent init: {}{}", said.out, said.err);
        self.quicken()?;
        Ok(self.enrolment())
    }

    /// Where its enrolment lies.
    pub fn enrolment(&self) -> PathBuf {
        self.dir.join(format!("{}.enrol", self.name))
    }

    /// Shortens what a real host does at leisure, and applies everything without asking.
    fn quicken(&self) -> Result<()> {
        let path = self.dir.join("agent.yaml");
        let mut text = std::fs::read_to_string(&path)?;
        if let Some(at) = text.find("\nintervals:") {
            text.truncate(at + 1);
        }
        text.push_str(
            "intervals: {poll: 100ms, idle: 200ms, beacon: 500ms, reconnect: 50ms, reconnect-most: 500ms, retry: 300ms, engine: 3s}\n",
        );
        std::fs::write(path, text)?;
        self.policy("apply")
    }

    /// Writes the delegate's policy: the same answer to everything.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn policy(&self, answer: &str) -> Result<()> {
        self.policy_file(&format!("muster: policy/v1\ndefault: {answer}\n"))
    }

    /// Replaces the local policy by this text.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn policy_file(&self, text: &str) -> Result<()> {
        Ok(std::fs::write(self.dir.join("policy.yaml"), text)?)
    }

    /// The roster's entry, from the enrolment that travelled out of band.
    fn enrolled(&self) -> Result<Node> {
        let enrol =
            Enrol::open(&std::fs::read(self.enrolment()).context("no enrolment was written")?)?;
        Ok(Node {
            name: enrol.name.clone(),
            operator: self.home.operator().parse()?,
            key: Some(enrol.key),
            endpoint: self.endpoint,
            contact: format!("{} on call", self.name),
            role: Role::ConsensusDelegate,
            seat: self.seat,
            labels: Default::default(),
            group: None,
            bootstrap: false,
        })
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(binary("muster-agent")?);
        command.arg("--dir").arg(&self.dir).arg("run").env("RUST_LOG", "info,muster_agent=debug");
        let log = self.dir.join("agent.log");
        self.agent = Some(Process::start(&format!("agent of {}", self.name), command, &log)?);
        Ok(())
    }

    /// SIGKILL: as a power cut would.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.agent.take().context("the agent does not run")?.kill().await
    }

    /// SIGTERM: it drains.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn drain(&mut self) -> Result<std::process::ExitStatus> {
        self.agent.take().context("the agent does not run")?.terminate(PATIENCE).await
    }

    /// Whether the agent runs.
    pub fn runs(&mut self) -> bool {
        self.agent.as_mut().is_some_and(Process::runs)
    }

    /// Process id of the agent.
    pub fn pid(&self) -> Option<u32> {
        self.agent.as_ref().and_then(Process::pid)
    }

    /// The delegate's own command line.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub async fn cli<S: AsRef<str>>(&self, args: &[S]) -> Result<Said> {
        let dir = self.dir.display().to_string();
        let mut all = vec!["--dir".to_owned(), dir];
        all.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
        run(&binary("muster-agent")?, &all, &self.dir).await
    }

    /// What the agent wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("agent.log")).unwrap_or_default()
    }
}
