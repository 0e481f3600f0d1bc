//! The last lines of a container's log, for people who ask why. Redacted.

use bollard::query_parameters::LogsOptionsBuilder;
use futures::StreamExt as _;

use super::{Engine, EngineError};
use crate::node::redact::redact_all;

/// Longest line that is shown, in characters.
const LINE_CHARS: usize = 400;

impl Engine {
    /// The last `lines` lines of both streams, oldest first, without `secrets` and whatever else
    /// looks like one.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn log_tail(
        &self,
        id: &str,
        lines: u32,
        secrets: &[String],
    ) -> Result<Vec<String>, EngineError> {
        let options =
            LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let docker = self.docker().await?;
        let read = async {
            let mut text = String::new();
            let mut log = docker.logs(id, Some(options));
            while let Some(chunk) = log.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk?.into_bytes()));
            }
            Ok(text)
        };
        let text = self.within("logs", read).await?;
        let shown = |line: &str| redact_all(line, secrets).chars().take(LINE_CHARS).collect();
        Ok(text.lines().map(shown).collect())
    }
}
