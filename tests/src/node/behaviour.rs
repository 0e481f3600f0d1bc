//! What one version of the stand-in does: a file baked into its image.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timing::Timing;

/// Where an image keeps it.
pub const PATH: &str = "/etc/standin/behaviour.yaml";

/// Names another place for it, for nodes that run without an image.
pub const PATH_ENV: &str = "STANDIN_BEHAVIOUR";

/// Overrides the file's factor.
pub const SCALE_ENV: &str = "STANDIN_SCALE";

/// From `docker start` to the first answer of the probe, in seconds (IOTEX.md).
const START_SECONDS: f64 = 1.3;

/// One version's behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Behaviour {
    /// What the image claims to be, such as `v2.4.4`.
    pub version: String,
    /// Hash of the commit that it was built from, lower-case hex.
    pub commit: String,
    /// Divides every duration of the real node, from 1 to 20.
    pub scale: f64,
    /// From the start of the process to the first answer of the probe, in milliseconds and not scaled;
    /// without it 1.3 s, scaled.
    pub start_ms: Option<u64>,
    /// Keys of genesis `blockchain` that this version knows beyond those of v2.3.
    pub genesis_keys: Vec<String>,
    /// Fork heights that it knows by itself, such as `yapHeight`: they hold where the genesis names no other.
    pub forks: BTreeMap<String, u64>,
    /// What is wrong with it.
    pub defect: Defect,
}

/// What is wrong with a version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// Nothing.
    #[default]
    None,
    /// Stays in start-up: readiness 503 and deaf to SIGTERM.
    NeverReady,
    /// Ready at once, and its height never moves; its watchdog hangs with it.
    ReadyNotAdvancing,
    /// Exit 2 once it has committed so many blocks since its start.
    CrashAfterBlocks(u64),
    /// Reports this version instead of its own.
    WrongVersion(String),
    /// So many milliseconds, not scaled, between the end of its last round and its exit.
    SlowToStop(u64),
    /// Its height stands still once it has committed so many blocks since its start: it fails after it passed,
    /// and its watchdog hangs with it.
    FailsAfterBlocks(u64),
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            version: "v2.4.4".into(),
            commit: "2b01c6574703324147364687c864201dc5c3b672".into(),
            scale: 1.0,
            start_ms: None,
            genesis_keys: vec!["yapHeight".into(), "yapBetaHeight".into()],
            forks: BTreeMap::new(),
            defect: Defect::None,
        }
    }
}

/// Why a behaviour file is refused.
#[derive(Debug, thiserror::Error)]
pub enum BehaviourError {
    /// It cannot be read.
    #[error("cannot read the behaviour file {0}")]
    Unreadable(String, #[source] std::io::Error),
    /// It says something unknown.
    #[error("the behaviour file {0} is malformed: {1}")]
    Malformed(String, String),
    /// The factor makes no sense.
    #[error("scale {0} is not between 1 and 20")]
    Scale(f64),
}

impl Behaviour {
    /// A sound version.
    pub fn version(version: &str) -> Self {
        Self { version: version.to_owned(), ..Self::default() }
    }

    /// The same with a defect.
    #[must_use]
    pub fn with(self, defect: Defect) -> Self {
        Self { defect, ..self }
    }

    /// The same with another factor.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        Self { scale, ..self }
    }

    /// The same with another start time, in milliseconds and not scaled.
    #[must_use]
    pub fn starting_in(self, start_ms: u64) -> Self {
        let start_ms = Some(start_ms);
        Self { start_ms, ..self }
    }

    /// The same with a fork height of its own.
    #[must_use]
    pub fn forking(mut self, key: &str, height: u64) -> Self {
        self.forks.insert(key.to_owned(), height);
        self
    }

    /// The keys of genesis `blockchain` that it knows beyond those of v2.3.
    pub fn known_keys(&self) -> Vec<String> {
        self.genesis_keys.iter().chain(self.forks.keys()).cloned().collect()
    }

    /// Reads a file; `scale` overrides its factor.
    ///
    /// # Errors
    /// When it cannot be read, says something unknown, or its factor makes no sense.
    pub fn read(path: &Path, scale: Option<f64>) -> Result<Self, BehaviourError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| BehaviourError::Unreadable(name.clone(), error))?;
        let read: Self = serde_yaml::from_str(&text)
            .map_err(|error| BehaviourError::Malformed(name, error.to_string()))?;
        let scale = scale.unwrap_or(read.scale);
        Timing::new(scale).ok_or(BehaviourError::Scale(scale))?;
        Ok(read.scaled(scale))
    }

    /// The file's text; JSON is YAML.
    pub fn to_yaml(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The durations of this version.
    pub fn timing(&self) -> Timing {
        Timing::new(self.scale).unwrap_or_default()
    }

    /// From the start of the process to the first answer of the probe.
    pub fn start_time(&self) -> Duration {
        let scaled = || self.timing().seconds(START_SECONDS);
        self.start_ms.map_or_else(scaled, Duration::from_millis)
    }

    /// The version that it reports.
    pub fn reported_version(&self) -> &str {
        match &self.defect {
            Defect::WrongVersion(other) => other,
            _ => &self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("behaviour.yaml");
        let defects = [
            Defect::None,
            Defect::NeverReady,
            Defect::ReadyNotAdvancing,
            Defect::CrashAfterBlocks(3),
            Defect::WrongVersion("v2.4.3".into()),
            Defect::SlowToStop(500),
            Defect::FailsAfterBlocks(7),
        ];
        for defect in defects {
            let written = Behaviour::version("v2.5.0").with(defect).starting_in(10);
            let written = written.forking("zuluHeight", 40);
            std::fs::write(&path, written.to_yaml()).unwrap();
            assert_eq!(Behaviour::read(&path, None).unwrap(), written);
        }
    }

    #[test]
    fn the_environment_wins_over_the_file_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("behaviour.yaml");
        std::fs::write(&path, "scale: 2.5\ndefect: never-ready\n").unwrap();
        assert_eq!(Behaviour::read(&path, Some(10.0)).unwrap().scale, 10.0);
        let refused = Behaviour::read(&path, Some(100.0));
        assert!(matches!(refused, Err(BehaviourError::Scale(_))));
        std::fs::write(&path, "defekt: never-ready\n").unwrap();
        let refused = Behaviour::read(&path, None);
        assert!(matches!(refused, Err(BehaviourError::Malformed(..))));
    }
}
