//! The command line's end of the socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::protocol::{LINE_BYTES, Question, Reply};

/// Longer than the daemon's own limit, so that its word comes first.
const WAIT: Duration = Duration::from_secs(20);

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("A040: the agent of {0} does not run; start it: muster-agent run --dir {0}", .dir.display())]
    NotRunning {
        /// The agent's folder.
        dir: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error("A041: {} may be used by its owner alone; use the account that runs the agent", .path.display())]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The line broke, or something else listens there.
    #[error("A042: the agent gave no answer on {}", .path.display())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Asks the daemon behind `path` once.
///
/// # Errors
/// [`ControlError`].
pub async fn ask(path: &Path, question: &Question) -> Result<Reply, ControlError> {
    let answer = match timeout(WAIT, exchange(path, question)).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::Error::from(ErrorKind::TimedOut)),
    };
    answer.map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            ControlError::NotRunning { dir: path.parent().unwrap_or(path).into() }
        }
        ErrorKind::PermissionDenied => ControlError::NotAllowed { path: path.into() },
        _ => ControlError::NoAnswer { path: path.into(), source },
    })
}

async fn exchange(path: &Path, question: &Question) -> std::io::Result<Reply> {
    let mut stream = UnixStream::connect(path).await?;
    let (read, mut write) = stream.split();
    let mut bytes = serde_json::to_vec(question)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    let mut line = String::new();
    BufReader::new(read.take(LINE_BYTES as u64)).read_line(&mut line).await?;
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}
