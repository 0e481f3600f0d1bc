//! Pulling an image by its manifest digest.

use std::time::Duration;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt as _;
use muster_proto::documents::Digest;

use super::{Engine, EngineError};

/// A pull that says nothing for this long is given up. Layers of hundreds of megabytes are
/// unpacked without a word for a minute or more.
const SILENCE: Duration = Duration::from_secs(300);

impl Engine {
    /// Pulls `repository@manifest` and waits for its end.
    ///
    /// # Errors
    /// [`EngineError`]
    pub async fn pull(&self, repository: &str, manifest: &Digest) -> Result<(), EngineError> {
        let options =
            CreateImageOptionsBuilder::new().from_image(repository).tag(manifest.as_str()).build();
        let socket = self.socket.display().to_string();
        let mut progress = self.docker().await?.create_image(Some(options), None, None);
        loop {
            match tokio::time::timeout(SILENCE, progress.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(refused(&socket, error)),
                Err(_) => {
                    let text = format!("no progress for {} s", SILENCE.as_secs());
                    return Err(EngineError::Pull { text });
                }
            }
        }
    }
}

/// What a registry does not have it may have later: the push is under way, or a mirror lags.
fn refused(socket: &str, error: bollard::errors::Error) -> EngineError {
    match EngineError::of("pull", socket, error) {
        EngineError::NotFound { text, .. } => EngineError::Pull { text },
        other => other,
    }
}
