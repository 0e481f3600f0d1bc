//! The daemon's end of the socket: takes one question per connection, hands it to the loop.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::protocol::{LINE_BYTES, Question, Reply};

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub question: Question,
    /// The account that asks, by the kernel's word.
    pub who: String,
    /// Where the answer goes; the asker may have left.
    pub reply: oneshot::Sender<Reply>,
}

/// A whole exchange takes no longer; the loop answers between two steps.
const EXCHANGE: Duration = Duration::from_secs(15);

/// Exchanges at one moment; a person needs one.
const MOST_AT_ONCE: usize = 8;

/// Binds the socket, readable and writable by its owner alone. Only the holder of the folder's
/// lock may call this: a socket that lies there is a left-over and is removed.
///
/// # Errors
/// When the path cannot be bound.
pub fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the loop drops its end of `questions`.
pub async fn serve(listener: UnixListener, questions: mpsc::Sender<Asked>) {
    let slots = Arc::new(Semaphore::new(MOST_AT_ONCE));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = questions.closed() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let questions = questions.clone();
        tokio::spawn(async move {
            let _slot = slot;
            match timeout(EXCHANGE, exchange(stream, questions)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "control connection ended"),
                Err(_) => tracing::warn!("control connection timed out"),
            }
        });
    }
}

async fn exchange(mut stream: UnixStream, questions: mpsc::Sender<Asked>) -> std::io::Result<()> {
    let who = format!("uid {}", stream.peer_cred()?.uid());
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(LINE_BYTES as u64)).read_line(&mut line).await?;
    let question: Question = serde_json::from_str(&line)?;
    let (reply, answer) = oneshot::channel();
    let gone = |_| std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    questions.send(Asked { question, who, reply }).await.map_err(|_| gone(()))?;
    let mut bytes = serde_json::to_vec(&answer.await.map_err(|_| gone(()))?)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    write.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::super::{PlanName, Refused, client};
    use super::*;

    #[tokio::test]
    async fn a_question_reaches_the_loop_and_the_answer_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        std::fs::write(&path, "left over").unwrap();
        let (sender, mut questions) = mpsc::channel(1);
        tokio::spawn(serve(bind(&path).unwrap(), sender));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let plan: PlanName = "42".parse().unwrap();
        let asked = tokio::spawn({
            let question = Question::Approve { plan: plan.clone() };
            async move { client::ask(&path, &question).await }
        });
        let got = questions.recv().await.unwrap();
        assert_eq!(got.question, Question::Approve { plan: plan.clone() });
        got.reply.send(Reply::Refused(Refused::UnknownPlan(plan.clone()))).unwrap();
        let reply = asked.await.unwrap().unwrap();
        assert_eq!(reply, Reply::Refused(Refused::UnknownPlan(plan)));
    }

    #[tokio::test]
    async fn without_a_daemon_the_client_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = client::ask(&dir.path().join("control.sock"), &Question::Status).await;
        assert!(matches!(error, Err(client::ControlError::NotRunning { .. })), "{error:?}");
    }
}
