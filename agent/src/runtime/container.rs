//! A container as the Engine describes it, read from the JSON of an inspect.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use jiff::Timestamp;
use muster_proto::documents::Digest;
use serde::Deserialize;
use serde_json::Value;

use super::EngineError;
use crate::journal::Policy;

/// A container at one moment.
#[derive(Debug, Clone)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// Without the Engine's leading slash.
    pub name: String,
    /// The Engine's id of its image.
    pub image: Digest,
    /// How it is.
    pub state: State,
    /// How often the Engine restarted it since it was last started by somebody.
    pub restart_count: i64,
    /// What the Engine does when it exits.
    pub policy: Policy,
    /// The Engine removes it when it exits.
    pub auto_remove: bool,
    /// Where files of the host appear inside.
    pub mounts: Vec<Mount>,
    /// Program and arguments as executed.
    pub command: Vec<String>,
    /// Labels, the image's among them.
    pub labels: BTreeMap<String, String>,
    /// Everything the Engine said.
    pub raw: Value,
}

/// Whether and how a container runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its process lives.
    pub running: bool,
    /// Frozen by `docker pause`.
    pub paused: bool,
    /// Between an exit and the Engine's next attempt.
    pub restarting: bool,
    /// Of the last process.
    pub exit: i64,
    /// The Engine's words about a start that failed.
    pub error: String,
    /// When the last process was started; none when it never was.
    pub started_at: Option<Timestamp>,
    /// When the last process ended.
    pub finished_at: Option<Timestamp>,
}

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`, …
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// Path on the host.
    #[serde(default)]
    pub source: PathBuf,
    /// Path inside.
    pub destination: PathBuf,
}

impl State {
    /// Verified exited: no process, and the Engine is not about to start one.
    pub fn is_down(&self) -> bool {
        !self.running && !self.restarting && !self.paused
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspect {
    id: String,
    name: String,
    image: String,
    state: InspectState,
    #[serde(default)]
    restart_count: i64,
    host_config: InspectHost,
    #[serde(default)]
    mounts: Option<Vec<Mount>>,
    #[serde(default)]
    path: String,
    #[serde(default)]
    args: Option<Vec<String>>,
    config: InspectConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectState {
    running: bool,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    restarting: bool,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectHost {
    #[serde(default)]
    restart_policy: Option<InspectPolicy>,
    #[serde(default)]
    auto_remove: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectPolicy {
    #[serde(default)]
    name: String,
    #[serde(default)]
    maximum_retry_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectConfig {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl Container {
    /// Reads the answer of an inspect.
    ///
    /// # Errors
    /// [`EngineError::Odd`].
    pub fn read(raw: Value) -> Result<Self, EngineError> {
        let odd = |text: String| EngineError::Odd { call: "inspect", text };
        let seen = Inspect::deserialize(&raw).map_err(|error| odd(error.to_string()))?;
        let image = seen.image.parse().map_err(|_| odd(format!("image id {:?}", seen.image)))?;
        let policy = seen.host_config.restart_policy.map_or_else(Policy::no, |policy| Policy {
            name: policy.name,
            retries: policy.maximum_retry_count,
        });
        let mut command = vec![seen.path];
        command.extend(seen.args.unwrap_or_default());
        Ok(Self {
            id: seen.id,
            name: seen.name.trim_start_matches('/').into(),
            image,
            state: state(&seen.state),
            restart_count: seen.restart_count,
            policy,
            auto_remove: seen.host_config.auto_remove,
            mounts: seen.mounts.unwrap_or_default(),
            command,
            labels: seen.config.labels.unwrap_or_default(),
            raw,
        })
    }

    /// Where its probes can be reached from this host: its own address, 127.0.0.1 on the host's
    /// network, nothing while it is down or without a network.
    pub fn address(&self) -> Option<IpAddr> {
        let mode = self.raw.pointer("/HostConfig/NetworkMode").and_then(Value::as_str);
        if mode == Some("host") {
            return Some(Ipv4Addr::LOCALHOST.into());
        }
        let networks = self.raw.pointer("/NetworkSettings/Networks")?.as_object()?;
        let of = |field: &'static str| {
            networks.values().find_map(move |network| network.get(field)?.as_str()?.parse().ok())
        };
        of("IPAddress").or_else(|| of("GlobalIPv6Address"))
    }

    /// The host path mounted at `destination`, or at a folder above it.
    pub fn host_path(&self, destination: &std::path::Path) -> Option<PathBuf> {
        let closest = self
            .mounts
            .iter()
            .filter(|mount| mount.kind != "tmpfs" && destination.starts_with(&mount.destination))
            .max_by_key(|mount| mount.destination.components().count())?;
        let rest = destination.strip_prefix(&closest.destination).ok()?;
        Some(match rest.as_os_str().is_empty() {
            true => closest.source.clone(),
            false => closest.source.join(rest),
        })
    }

    /// The value of `-name=value`, `--name=value` or `-name value` on its command line.
    pub fn flag(&self, name: &str) -> Option<&str> {
        let mut words = self.command.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                continue;
            };
            match flag.strip_prefix(name) {
                Some("") => return words.next().map(String::as_str),
                Some(rest) if rest.starts_with('=') => return Some(&rest[1..]),
                _ => {}
            }
        }
        None
    }
}

fn state(seen: &InspectState) -> State {
    State {
        // The Engine says "running" of a container that it is about to restart.
        running: seen.running && !seen.restarting,
        paused: seen.paused,
        restarting: seen.restarting,
        exit: seen.exit_code,
        error: seen.error.clone(),
        started_at: time(&seen.started_at),
        finished_at: time(&seen.finished_at),
    }
}

/// The Engine writes the year 1 for "never".
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}
