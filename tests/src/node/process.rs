//! A stand-in node as a plain process on a loopback address of its own, with the real ports:
//! fast, without Docker.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_proto::wire::iotexapi as api;
use tokio::process::Command;
use tonic::transport::Channel;

use super::behaviour::{self, Behaviour};
use super::host::Home;
use super::http;
use crate::fleet::process;

/// Between two looks of [`Process::until`].
const POLL: Duration = Duration::from_millis(10);

/// A loopback address of this process alone: node `last` of its fleet `fleet` (0 to 15).
pub fn loopback(fleet: u8, last: u8) -> Ipv4Addr {
    // Processes that run side by side have numbers that are near each other.
    let place = std::process::id() % 4_000 * 16 + u32::from(fleet % 16);
    // From 127.1.0.0 on: 127.0.0.1 is everybody's.
    let [_, _, high, low] = (place + 256).to_be_bytes();
    Ipv4Addr::new(127, high, low, last)
}

/// A running node; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    inner: process::Process,
    ip: Ipv4Addr,
}

impl Process {
    /// Starts a node of this home, whose configuration names `ip`.
    ///
    /// # Errors
    /// When the program is not built or cannot be started.
    pub fn start(home: &Home, behaviour: &Behaviour, ip: Ipv4Addr) -> Result<Self> {
        let arguments = [
            format!("-config-path={}", home.config().display()),
            format!("-genesis-path={}", home.genesis().display()),
        ];
        Self::start_with(home, behaviour, ip, &arguments)
    }

    /// The same with arguments of the caller's choice.
    ///
    /// # Errors
    /// When the program is not built or cannot be started.
    pub fn start_with(
        home: &Home,
        behaviour: &Behaviour,
        ip: Ipv4Addr,
        arguments: &[String],
    ) -> Result<Self> {
        let file = behaviour_file(home.root());
        std::fs::write(&file, behaviour.to_yaml()).context("cannot write the behaviour file")?;
        let mut command = Command::new(process::binary("iotex-server")?);
        command.args(arguments).env(behaviour::PATH_ENV, file);
        command.env_remove(behaviour::SCALE_ENV);
        let output = home.root().join("output.txt");
        let inner = process::Process::start("iotex-server", command, &output)?;
        Ok(Self { inner, ip })
    }

    /// Sends a signal such as `TERM`.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.inner.pid().context("it has ended")?.to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().await?;
        anyhow::ensure!(sent.success(), "cannot signal {pid}");
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn exit(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.inner.ends(deadline).await
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn stop(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.inner.terminate(deadline).await
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        self.inner.kill().await
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.inner.runs()
    }

    /// Everything that it and its predecessors of the same home printed.
    pub fn output(&self) -> String {
        self.inner.output()
    }

    /// Status and body of a path of its probe server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        http::get(SocketAddr::from((self.ip, 8_080)), path).await
    }

    /// Status and body of a path of its admin port, which is on its own loopback address here.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn admin(&self, path: &str) -> std::io::Result<(u16, String)> {
        http::get(SocketAddr::from((self.ip, 9_009)), path).await
    }

    /// Status of a path of its probe server; 0 when it does not answer.
    pub async fn status(&self, path: &str) -> u16 {
        self.get(path).await.map_or(0, |(status, _)| status)
    }

    /// Its height over gRPC; `None` when it does not answer.
    pub async fn height(&self) -> Option<u64> {
        height((self.ip, 14_014).into()).await
    }

    /// Looks until `wanted` is so.
    ///
    /// # Errors
    /// When it is not within the deadline; with what the node printed.
    pub async fn until(
        &self,
        deadline: Duration,
        wanted: impl AsyncFn(&Self) -> bool,
    ) -> Result<()> {
        let looking = async {
            let mut pace = tokio::time::interval(POLL);
            while !wanted(self).await {
                pace.tick().await;
            }
        };
        let looked = tokio::time::timeout(deadline, looking).await;
        looked.ok().with_context(|| format!("it never came to that:\n{}", self.inner.tail()))
    }
}

fn behaviour_file(root: &Path) -> PathBuf {
    root.join("behaviour.yaml")
}

/// A client of a node's gRPC port.
pub type Client = api::api_service_client::ApiServiceClient<Channel>;

/// Connects to a node's gRPC port.
///
/// # Errors
/// When nobody listens.
pub async fn client(place: SocketAddr) -> Result<Client, tonic::transport::Error> {
    Client::connect(format!("http://{place}")).await
}

/// A node's height over gRPC; `None` when it does not answer.
pub async fn height(place: SocketAddr) -> Option<u64> {
    let mut client = client(place).await.ok()?;
    let answer = client.get_chain_meta(api::GetChainMetaRequest {}).await.ok()?;
    Some(answer.into_inner().chain_meta?.height)
}
