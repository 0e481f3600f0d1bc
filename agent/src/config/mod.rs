//! `agent.yaml`: what this agent is, which container it cares for, which boards it attaches to.
//!
//! Written by `muster-agent init`, editable by hand. Nothing secret stands in it; the key lies
//! beside it in a file of its own.

pub mod board;
pub mod paths;
pub mod span;
pub mod yaml;

use std::path::Path;
use std::time::Duration;

use muster_proto::documents::NodeName;
use serde::{Deserialize, Serialize};

pub use board::BoardAddress;
pub use paths::Paths;
pub use span::Span;
pub use yaml::{Place, YamlError};

/// What `agent.yaml` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Always `agent/v1`.
    pub muster: String,
    /// Such as `mainnet`; documents of another network are refused.
    pub network: String,
    /// This node's name in the roster.
    pub name: NodeName,
    /// The one container this agent may touch.
    pub container: String,
    /// The Engine's socket.
    #[serde(default = "Config::docker_default")]
    pub docker: String,
    /// Boards to attach to, all at once.
    pub controllers: Vec<BoardAddress>,
    /// How often things are looked at.
    #[serde(default)]
    pub intervals: Intervals,
}

/// How often things are looked at. Defaults suit a real host; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Intervals {
    /// The decision is made anew at least this often while a plan is open.
    pub poll: Span,
    /// The same while none is.
    pub idle: Span,
    /// Between beacons while no plan asks for a faster pace.
    pub beacon: Span,
    /// First wait before a lost board is tried again; doubles, with full jitter.
    pub reconnect: Span,
    /// Longest wait before a lost board is tried again.
    pub reconnect_most: Span,
    /// Between attempts while no roster lists this agent's key.
    pub retry: Span,
    /// A board that has not answered after this long, or takes nothing, is lost.
    pub answer: Span,
    /// An ordinary call that the Engine has not answered after this long is looked after.
    pub engine: Span,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            poll: Span::millis(250),
            idle: Span::millis(2_000),
            // A third of the usual `stale` of 30 s at rest; a plan sets a faster pace.
            beacon: Span::millis(10_000),
            reconnect: Span::millis(500),
            reconnect_most: Span::millis(30_000),
            retry: Span::millis(30_000),
            // Below the limit for any call (20 s), so that this one is met first.
            answer: Span::millis(15_000),
            // An Engine under load answers within a few seconds.
            engine: Span::millis(15_000),
        }
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file itself.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It is well-formed and says something that cannot be.
    #[error("E504: {file}: {what}")]
    Value {
        /// Which file.
        file: String,
        /// Field and reason.
        what: String,
    },
}

/// The only Engine sockets that are built: local ones.
const SOCKET_SCHEME: &str = "unix://";

impl Config {
    /// The tag of this file.
    pub const KIND: &'static str = "agent/v1";

    /// Reads and checks `agent.yaml`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = yaml::parse(path, &yaml::text(path)?)?;
        let refuse = |what: String| ConfigError::Value { file: path.display().to_string(), what };
        config.check().map_err(refuse)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.muster != Self::KIND {
            return Err(format!("muster: expected {}, found {:?}", Self::KIND, self.muster));
        }
        if self.network.is_empty() || self.container.is_empty() {
            return Err("network and container must be named".into());
        }
        if !self.docker.starts_with(SOCKET_SCHEME) {
            return Err(format!("docker: {:?} is no unix:// socket", self.docker));
        }
        if self.controllers.is_empty() {
            return Err("controllers: at least one board is needed".into());
        }
        self.intervals.check()
    }

    fn docker_default() -> String {
        "unix:///var/run/docker.sock".into()
    }

    /// The file's text; JSON is YAML, so one writer serves.
    pub fn to_text(&self) -> String {
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!(
            "# What this agent is. Made by `muster-agent init`; may be edited, then restart the agent.\n\
             muster: {}\nnetwork: {}\nname: {}\ncontainer: {}\ndocker: {}\ncontrollers:\n",
            Self::KIND,
            quote(&self.network),
            self.name,
            quote(&self.container),
            quote(&self.docker),
        );
        for board in &self.controllers {
            text.push_str(&format!("  - {}\n", quote(&board.to_string())));
        }
        text.push_str(&self.intervals.to_text());
        text
    }
}

impl Intervals {
    fn check(&self) -> Result<(), String> {
        // Below this the agent would do nothing but look.
        const LEAST: Duration = Duration::from_millis(10);
        for (name, span) in self.named() {
            if span.get() < LEAST {
                return Err(format!("intervals.{name}: at least 10 ms"));
            }
        }
        Ok(())
    }

    fn named(&self) -> [(&'static str, Span); 8] {
        [
            ("poll", self.poll),
            ("idle", self.idle),
            ("beacon", self.beacon),
            ("reconnect", self.reconnect),
            ("reconnect-most", self.reconnect_most),
            ("retry", self.retry),
            ("answer", self.answer),
            ("engine", self.engine),
        ]
    }

    fn to_text(self) -> String {
        if self == Self::default() {
            return String::new();
        }
        let lines = self.named().map(|(name, span)| format!("  {name}: {span}\n"));
        format!("intervals:\n{}", lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.yaml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    fn example() -> String {
        format!(
            "muster: agent/v1\nnetwork: demo\nname: node-1\ncontainer: iotex\ncontrollers:\n  \
             - 127.0.0.1:7443=sha256:{}\nintervals:\n  poll: 50ms\n",
            "ab".repeat(32)
        )
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let config = load(&example()).unwrap();
        assert_eq!(config.intervals.poll, Span::millis(50));
        assert_eq!(config.intervals.retry, Intervals::default().retry);
        assert_eq!(load(&config.to_text()).unwrap(), config);
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_place() {
        let error = load(&format!("{}colour: red\n", example())).unwrap_err().to_string();
        assert!(error.starts_with("E503: "), "{error}");
        assert!(error.contains("agent.yaml:9:1") && error.contains("colour"), "{error}");
    }

    #[test]
    fn a_board_without_a_pinned_key_is_refused() {
        let text = example().replace(&format!("=sha256:{}", "ab".repeat(32)), "");
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains("agent.yaml:6:"), "{error}");
        assert!(error.contains("ADDR=SPKI-SHA256"), "{error}");
    }

    #[test]
    fn a_remote_engine_is_refused() {
        let text = example().replace("controllers", "docker: tcp://1.2.3.4:2375\ncontrollers");
        assert!(load(&text).unwrap_err().to_string().starts_with("E504: "));
    }
}
