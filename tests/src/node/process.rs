//! A stand-in node as a plain process on a loopback address of its own, with the real ports: fast, without Docker.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use muster_proto::wire::iotexapi as api;
use tokio::process::{Child, Command};

use super::behaviour::{self, Behaviour};
use super::host::Home;
use super::http;

/// Between two looks of [`Process::until`].
const POLL: Duration = Duration::from_millis(10);

/// A loopback address that no other process of a test run uses: node `last` of fleet `fleet` of this process.
pub fn loopback(fleet: u8, last: u8) -> Ipv4Addr {
    let own = std::process::id();
    // Sixteen fleets of a process, and processes whose numbers are near each other, stay apart.
    let [high, low] = ((own % 4_096) as u16 * 16 + u16::from(fleet % 16)).to_be_bytes();
    // 127.0.0.1 itself is out of reach.
    Ipv4Addr::new(127, high.max(1), low, last)
}

/// A running node; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    ip: Ipv4Addr,
    output: PathBuf,
}

impl Process {
    /// Starts a node of this home, whose configuration names `ip`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(
        program: &Path,
        home: &Home,
        behaviour: &Behaviour,
        ip: Ipv4Addr,
    ) -> io::Result<Self> {
        let arguments = [
            format!("-config-path={}", home.config().display()),
            format!("-genesis-path={}", home.genesis().display()),
        ];
        Self::start_with(program, home, behaviour, ip, &arguments)
    }

    /// The same with arguments of the caller's choice.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start_with(
        program: &Path,
        home: &Home,
        behaviour: &Behaviour,
        ip: Ipv4Addr,
        arguments: &[String],
    ) -> io::Result<Self> {
        let file = home.root().join("behaviour.yaml");
        std::fs::write(&file, behaviour.to_yaml())?;
        let output = home.root().join("output.txt");
        let both = File::create(&output)?;
        let child = Command::new(program)
            .args(arguments)
            .env(behaviour::PATH_ENV, file)
            .stdin(Stdio::null())
            .stdout(both.try_clone()?)
            .stderr(both)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, ip, output })
    }

    /// The process id.
    ///
    /// # Panics
    /// When it has already been waited for.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("a process that runs")
    }

    /// Sends a signal such as `TERM`.
    ///
    /// # Errors
    /// When the process is gone.
    pub async fn signal(&self, name: &str) -> io::Result<()> {
        let command = format!("kill -{name} {}", self.pid());
        let sent = Command::new("sh").args(["-c", &command]).status().await?;
        let gone = || io::Error::other("no such process");
        sent.success().then_some(()).ok_or_else(gone)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs at the deadline.
    pub async fn exit(&mut self, deadline: Duration) -> io::Result<ExitStatus> {
        let waited = tokio::time::timeout(deadline, self.child.wait()).await;
        waited.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it still runs")))
    }

    /// Everything that it printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Status and body of a path of its probe server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> io::Result<(u16, String)> {
        http::get(SocketAddr::from((self.ip, 8_080)), path).await
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
    /// When it is not within the deadline.
    pub async fn until(
        &self,
        deadline: Duration,
        wanted: impl AsyncFn(&Self) -> bool,
    ) -> io::Result<()> {
        let looking = async {
            let mut pace = tokio::time::interval(POLL);
            while !wanted(self).await {
                pace.tick().await;
            }
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it never came to that");
        tokio::time::timeout(deadline, looking).await.map_err(late)
    }
}

/// A client of a node's gRPC port.
///
/// # Errors
/// When nobody listens.
pub async fn client(
    place: SocketAddr,
) -> Result<api::api_service_client::ApiServiceClient<tonic::transport::Channel>, tonic::transport::Error>
{
    api::api_service_client::ApiServiceClient::connect(format!("http://{place}")).await
}

/// A node's height over gRPC; `None` when it does not answer.
pub async fn height(place: SocketAddr) -> Option<u64> {
    let mut client = client(place).await.ok()?;
    let answer = client.get_chain_meta(api::GetChainMetaRequest {}).await.ok()?;
    Some(answer.into_inner().chain_meta?.height)
}
