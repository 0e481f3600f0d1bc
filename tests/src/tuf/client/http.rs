//! Plain HTTP, bounded in bytes and time.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// One answer, head and body: a slow server must not hold a client for ever.
const ANSWER: Duration = Duration::from_secs(20);

/// Files below one address.
pub(super) struct Http {
    base: String,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Http {
    pub(super) fn new(base: &str) -> Result<Self> {
        if !base.starts_with("http://") {
            bail!("{base} is no plain HTTP address");
        }
        let base = format!("{}/", base.trim_end_matches('/'));
        Ok(Self { base, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// The file, or `None` when there is none.
    pub(super) async fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let address = format!("{}{}", self.base, in_address(path));
        let uri: Uri = address.parse().with_context(|| format!("{address} is no address"))?;
        let asked = tokio::time::timeout(ANSWER, self.ask(uri, limit));
        asked.await.with_context(|| format!("{address} is too slow"))?
    }

    async fn ask(&self, uri: Uri, limit: usize) -> Result<Option<Vec<u8>>> {
        let answer = self.client.get(uri).await.context("no answer")?;
        match answer.status() {
            // Stores of objects say "forbidden" for what is not there.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            StatusCode::OK => {}
            other => bail!("the server says {other}"),
        }
        let body = Limited::new(answer.into_body(), limit).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("reading the body: {error}"))?;
        Ok(Some(body.to_bytes().to_vec()))
    }
}

/// Percent-encodes all but what needs none anywhere: safe as a file name and as one part of a path.
pub(super) fn encoded(text: &str) -> String {
    percent(text, |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

/// Leaves what may stand in an address as it is.
fn in_address(path: &str) -> String {
    percent(path, |byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}?#".contains(&byte))
}

fn percent(text: &str, plain: impl Fn(u8) -> bool) -> String {
    text.bytes()
        .map(|byte| match plain(byte) {
            true => (byte as char).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
