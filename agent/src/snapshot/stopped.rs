//! Where the node's data lies, and that nobody writes to it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::SnapshotError;
use crate::runtime::container::State;
use crate::runtime::{Container, Engine};

/// Where a node keeps its data inside its container (IOTEX.md).
pub const INSIDE: &str = "/var/data";

/// A node's data, as its container says.
#[derive(Debug, Clone)]
pub struct NodeData {
    container: Container,
    /// As the Engine knows it: perhaps by way of a link.
    mounted: PathBuf,
    data: PathBuf,
}

/// A node's data while the node is verified down. What is done with it counts only when
/// [`Stopped::still`] says afterwards that nobody started it meanwhile.
#[derive(Debug, Clone)]
pub struct Stopped {
    data: PathBuf,
    /// None where somebody vouches.
    container: Option<Watched>,
}

#[derive(Debug, Clone)]
struct Watched {
    id: String,
    name: String,
    started_at: Option<Timestamp>,
    mounted: PathBuf,
}

impl NodeData {
    /// Asks the Engine for the container and its folder of data.
    ///
    /// # Errors
    /// [`SnapshotError::NoData`], [`SnapshotError::Mounted`], [`SnapshotError::Engine`].
    pub async fn find(engine: &Engine, container: &str) -> Result<Self, SnapshotError> {
        let no = |what: String| SnapshotError::NoData { what };
        let found = engine.inspect(container).await?;
        let container = found.ok_or_else(|| no(format!("there is no container {container}")))?;
        let inside = Path::new(INSIDE);
        let mounted = container.host_path(inside).ok_or_else(|| {
            no(format!("container {} has nothing mounted at {INSIDE}", container.name))
        })?;
        let within = |mount: &&crate::runtime::Mount| {
            mount.destination != inside && mount.destination.starts_with(inside)
        };
        if let Some(mount) = container.mounts.iter().find(within) {
            return Err(SnapshotError::Mounted { path: mount.destination.clone() });
        }
        // A link is no folder that can be exchanged; what it leads to is.
        let data = std::fs::canonicalize(&mounted).unwrap_or_else(|_| mounted.clone());
        Ok(Self { container, mounted, data })
    }

    /// The folder on the host.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The container's name.
    pub fn container(&self) -> &str {
        &self.container.name
    }

    /// Where snapshots lie unless somebody says otherwise: beside the data, on the same disk.
    pub fn snapshots(&self) -> PathBuf {
        self.data.with_file_name("snapshots")
    }

    /// That the node, and everybody else who could write to its data, is verified down.
    ///
    /// # Errors
    /// [`SnapshotError::Running`], [`SnapshotError::Shared`], [`SnapshotError::Engine`].
    pub async fn stopped(&self, engine: &Engine) -> Result<Stopped, SnapshotError> {
        let stopped = Stopped {
            data: self.data.clone(),
            container: Some(Watched {
                id: self.container.id.clone(),
                name: self.container.name.clone(),
                started_at: self.container.state.started_at,
                mounted: self.mounted.clone(),
            }),
        };
        if !self.container.state.is_down() {
            let state = words(&self.container.state).into();
            return Err(SnapshotError::Running { container: self.container.name.clone(), state });
        }
        stopped.alone(engine).await?;
        Ok(stopped)
    }
}

impl Stopped {
    /// A folder of which the caller himself knows that nobody writes to it.
    pub fn vouched(data: &Path) -> Self {
        Self { data: data.into(), container: None }
    }

    /// The folder on the host.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// That the node was down all the time, and is.
    ///
    /// # Errors
    /// [`SnapshotError::Started`], [`SnapshotError::Shared`], [`SnapshotError::Engine`].
    pub async fn still(&self, engine: &Engine) -> Result<(), SnapshotError> {
        let Some(watched) = &self.container else { return Ok(()) };
        let now = engine.inspect(&watched.id).await?;
        let same = now
            .is_some_and(|now| now.state.is_down() && now.state.started_at == watched.started_at);
        if !same {
            return Err(SnapshotError::Started { container: watched.name.clone() });
        }
        self.alone(engine).await
    }

    /// No other container that can write there is up.
    async fn alone(&self, engine: &Engine) -> Result<(), SnapshotError> {
        let Some(own) = &self.container else { return Ok(()) };
        let mut writers = engine.writers(&self.data).await?;
        writers.extend(engine.writers(&own.mounted).await?);
        for id in writers.into_iter().filter(|id| *id != own.id) {
            let Some(other) = engine.inspect(&id).await? else { continue };
            if !other.state.is_down() {
                return Err(SnapshotError::Shared { container: other.name });
            }
        }
        Ok(())
    }
}

fn words(state: &State) -> &'static str {
    match state {
        State { paused: true, .. } => "paused",
        State { restarting: true, .. } => "restarting",
        _ => "running",
    }
}
