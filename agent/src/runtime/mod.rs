//! The Engine: the only module that knows Docker.
//!
//! Every call has a deadline, every error says whether retrying helps and whether the effect may
//! have happened all the same. Nothing here decides anything.

mod calls;
pub mod container;
mod error;
pub mod image;
mod logs;
mod pull;
mod raw;
pub mod successor;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::OnceCell;

pub use calls::{EXITED_BY_KILL, ExitWatch};
pub use container::{Container, Mount};
pub use error::EngineError;
pub use image::Image;
pub use successor::{CreateSpec, successor};

/// Bollard's own deadline; every call has a shorter one of ours around it.
const BOLLARD_SECONDS: u64 = 24 * 3600;

/// The Engine behind one socket. Connects at the first call and again after every failure.
#[derive(Debug)]
pub struct Engine {
    socket: PathBuf,
    call: Duration,
    docker: OnceCell<Docker>,
}

impl Engine {
    /// Deadline of an ordinary call: an Engine under load answers within a few seconds.
    pub const CALL: Duration = Duration::from_secs(15);

    /// The Engine at `socket`; nothing is sent yet.
    pub fn new(socket: impl Into<PathBuf>, call: Duration) -> Self {
        Self { socket: socket.into(), call, docker: OnceCell::new() }
    }

    /// Where it is looked for.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The client, with the API version that both sides speak.
    async fn docker(&self) -> Result<&Docker, EngineError> {
        let connect = || async {
            let path = self.socket.display().to_string();
            let of = |error| EngineError::of("version", &path, error);
            let docker = Docker::connect_with_unix(&path, BOLLARD_SECONDS, API_DEFAULT_VERSION);
            let negotiated = docker.map_err(of)?.negotiate_version();
            self.within("version", negotiated).await
        };
        self.docker.get_or_try_init(connect).await
    }

    /// Runs one call of bollard's within the ordinary deadline.
    async fn within<T>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(self.call, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(EngineError::of(call, &self.socket.display().to_string(), error)),
            Err(_) => Err(EngineError::Unknown {
                call,
                text: format!("no answer within {} ms", self.call.as_millis()),
            }),
        }
    }
}
