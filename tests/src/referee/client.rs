//! Asks a referee, wherever it runs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::report::Report;
use crate::node::http;

/// Between two questions of [`Client::until`].
const POLL: Duration = Duration::from_millis(20);

/// A client of one referee's oracle.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    api: SocketAddr,
}

impl Client {
    /// A client of the oracle at `api`.
    pub fn new(api: SocketAddr) -> Self {
        Self { api }
    }

    /// What happened since `since_ms`, a mark of the referee's own clock; 0 means ever.
    ///
    /// # Errors
    /// When the referee does not answer.
    pub async fn report(&self, since_ms: u64) -> io::Result<Report> {
        let path = format!("/report?since={since_ms}");
        let (status, body) = http::get(self.api, &path).await?;
        if status != 200 {
            return Err(io::Error::other(format!("the referee answered {status}")));
        }
        serde_json::from_str(&body).map_err(io::Error::other)
    }

    /// A mark: from now on.
    ///
    /// # Errors
    /// When the referee does not answer.
    pub async fn mark(&self) -> io::Result<u64> {
        // The future holds no blocks, so the answer is short.
        Ok(self.report(u64::MAX).await?.now_ms)
    }

    /// The chain's tip.
    ///
    /// # Errors
    /// When the referee does not answer.
    pub async fn height(&self) -> io::Result<u64> {
        Ok(self.report(u64::MAX).await?.height)
    }

    /// Asks until `wanted` holds of everything since `since_ms`.
    ///
    /// # Errors
    /// When it does not hold within `deadline`, or the referee does not answer.
    pub async fn until(
        &self,
        since_ms: u64,
        deadline: Duration,
        wanted: impl Fn(&Report) -> bool,
    ) -> io::Result<Report> {
        let asking = async {
            let mut pace = tokio::time::interval(POLL);
            loop {
                pace.tick().await;
                let report = self.report(since_ms).await?;
                if wanted(&report) {
                    return Ok(report);
                }
            }
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the referee never saw it");
        let asked = tokio::time::timeout(deadline, asking).await;
        asked.unwrap_or_else(|_| Err(late()))
    }
}
