//! The calls of the Engine, one function each.

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use bollard::models::{
    ContainerUpdateBody, EndpointSettings, EventMessage, MountPoint, NetworkConnectRequest,
    RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    EventsOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StartContainerOptions,
};
use futures::{Stream, StreamExt as _};
use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::container::Container;
use super::image::Image;
use super::raw::RawCall;
use super::successor::CreateSpec;
use super::{Engine, EngineError};
use crate::journal::Policy;

/// Exit code of a process that was killed: 128 + SIGKILL.
pub const EXITED_BY_KILL: i64 = 137;

/// Between two looks at a container that is expected to exit, should its event be lost.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Engine {
    /// `os/architecture` of the host, such as `linux/amd64`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub async fn platform(&self) -> Result<String, EngineError> {
        let docker = self.docker().await?;
        let version = self.within("version", docker.version()).await?;
        match (version.os, version.arch) {
            (Some(os), Some(arch)) => Ok(format!("{os}/{arch}")),
            _ => Err(EngineError::Odd { call: "version", text: "no os or arch".into() }),
        }
    }

    /// The container of that id or name; none when there is none.
    ///
    /// # Errors
    /// [`EngineError`], never [`EngineError::NotFound`].
    pub async fn inspect(&self, id: &str) -> Result<Option<Container>, EngineError> {
        let path = format!("/containers/{}/json", escape(id));
        match self.raw("inspect", Method::GET, path, None).await {
            Ok(raw) => Container::read(raw).map(Some),
            Err(EngineError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The image of that id or reference; none when the Engine has none.
    ///
    /// # Errors
    /// [`EngineError`], never [`EngineError::NotFound`].
    pub async fn image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        let path = format!("/images/{}/json", escape(reference));
        match self.raw("image", Method::GET, path, None).await {
            Ok(raw) => Image::read(&raw).map(Some),
            Err(EngineError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a container, not started; returns its id.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn create(&self, name: &str, spec: &CreateSpec) -> Result<String, EngineError> {
        let path = format!("/containers/create?name={}", escape(name));
        let answer = self.raw("create", Method::POST, path, Some(&spec.body)).await?;
        let id = answer.get("Id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| EngineError::Odd { call: "create", text: "an answer without id".into() })
    }

    /// Attaches a container to one more network.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn join(&self, id: &str, network: &str, end: &Value) -> Result<(), EngineError> {
        let end: EndpointSettings = serde_json::from_value(end.clone())
            .map_err(|error| EngineError::Odd { call: "connect", text: error.to_string() })?;
        let request = NetworkConnectRequest { container: id.into(), endpoint_config: Some(end) };
        let docker = self.docker().await?;
        self.within("connect", docker.connect_network(network, request)).await
    }

    /// Starts a container. One that runs already is fine.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn start(&self, id: &str) -> Result<(), EngineError> {
        let docker = self.docker().await?;
        let started = docker.start_container(id, None::<StartContainerOptions>);
        unchanged_is_fine(self.within("start", started).await)
    }

    /// Sends a signal to a container's first process.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn signal(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let docker = self.docker().await?;
        self.within("kill", docker.kill_container(id, Some(options))).await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        let docker = self.docker().await?;
        self.within("rename", docker.rename_container(id, options)).await
    }

    /// Sets a container's restart policy.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn set_policy(&self, id: &str, policy: &Policy) -> Result<(), EngineError> {
        let name = match policy.name.as_str() {
            "" | "no" => RestartPolicyNameEnum::NO,
            "always" => RestartPolicyNameEnum::ALWAYS,
            "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
            "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
            other => {
                let text = format!("unknown restart policy {other:?}");
                return Err(EngineError::Odd { call: "update", text });
            }
        };
        let restart = RestartPolicy { name: Some(name), maximum_retry_count: Some(policy.retries) };
        let body = ContainerUpdateBody { restart_policy: Some(restart), ..Default::default() };
        let docker = self.docker().await?;
        self.within("update", docker.update_container(id, body)).await
    }

    /// Removes a container that is down; its volumes stay.
    ///
    /// # Errors
    /// [`EngineError`]; one that is gone already is fine.
    pub async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(false).v(false).build();
        let docker = self.docker().await?;
        match self.within("remove", docker.remove_container(id, Some(options))).await {
            Err(EngineError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Ids of all containers, running or not, that bear every one of these labels
    /// (`key=value`).
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn labelled(&self, labels: &[String]) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let docker = self.docker().await?;
        let listed = self.within("list", docker.list_containers(Some(options))).await?;
        Ok(listed.into_iter().filter_map(|container| container.id).collect())
    }

    /// Ids of all containers, running or not, that can write to the host folder `data` or to
    /// something in it. One that mounts a folder above it (a monitor of the host) is not meant.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn writers(&self, data: &Path) -> Result<Vec<String>, EngineError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let docker = self.docker().await?;
        let listed = self.within("list", docker.list_containers(Some(options))).await?;
        let writes = |mount: &MountPoint| {
            let inside = mount.source.as_ref().is_some_and(|at| Path::new(at).starts_with(data));
            inside && mount.rw != Some(false)
        };
        let writers = listed.into_iter().filter(|container| {
            container.mounts.as_ref().is_some_and(|mounts| mounts.iter().any(writes))
        });
        Ok(writers.filter_map(|container| container.id).collect())
    }

    /// Follows the exit of a container from now on.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn watch_exit(&self, id: &str) -> Result<ExitWatch<'_>, EngineError> {
        // Whole seconds; events since then are told again, so none is lost in between.
        let since = Timestamp::now().as_second().to_string();
        let filters = HashMap::from([
            ("container", vec![id]),
            ("event", vec!["die"]),
            ("type", vec!["container"]),
        ]);
        let options = EventsOptionsBuilder::new().since(&since).filters(&filters).build();
        let events = Box::pin(self.docker().await?.events(Some(options)));
        Ok(ExitWatch { engine: self, id: id.into(), events })
    }

    async fn raw(
        &self,
        call: &'static str,
        method: Method,
        path: String,
        body: Option<&Value>,
    ) -> Result<Value, EngineError> {
        let version = self.docker().await?.client_version();
        let path = format!("/v{}.{}{path}", version.major_version, version.minor_version);
        RawCall { socket: &self.socket, call, method, path, body, within: self.call }.send().await
    }
}

/// Waits for one container to be down.
pub struct ExitWatch<'a> {
    engine: &'a Engine,
    id: String,
    events: Pin<Box<dyn Stream<Item = Result<EventMessage, BollardError>> + Send + 'a>>,
}

impl ExitWatch<'_> {
    /// Waits until the container is verified down, or `deadline`; none when it still is not.
    ///
    /// # Errors
    /// [`EngineError`] of the last inspect; [`EngineError::NotFound`] when it is gone.
    pub async fn down(&mut self, deadline: Instant) -> Result<Option<Container>, EngineError> {
        loop {
            let seen = self.engine.inspect(&self.id).await;
            match seen {
                Ok(Some(container)) if container.state.is_down() => return Ok(Some(container)),
                Ok(None) => {
                    let text = format!("container {}", &self.id);
                    return Err(EngineError::NotFound { call: "inspect", text });
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                _ if Instant::now() >= deadline => return Ok(None),
                _ => {}
            }
            let next_look = deadline.min(Instant::now() + LOOK_AGAIN);
            if let Ok(None | Some(Err(_))) = timeout_at(next_look, self.events.next()).await {
                // The stream is broken: look from time to time instead.
                tokio::time::sleep_until(next_look).await;
            }
        }
    }
}

fn unchanged_is_fine(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(EngineError::Refused { status: 304, .. }) => Ok(()),
        other => other,
    }
}

/// Names and digests as part of a path; anything else is escaped.
fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:@".contains(&b);
    let escaped = text.bytes().map(|b| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    });
    escaped.collect()
}
