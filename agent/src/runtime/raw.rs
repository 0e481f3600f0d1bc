//! Three calls in the Engine's own JSON: inspect a container, inspect an image, create.
//!
//! A successor must keep everything of its predecessor, also what a typed model of the API does
//! not know (fields that later Engines add, fields that later models dropped). So what inspect
//! said goes back into create as it stands.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::EngineError;
use super::error::chain;
use crate::node::redact::redact;

/// An inspect answers with about 10 KiB; far above it something is wrong.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// One call: method, path with version, optional JSON body.
pub(super) struct RawCall<'a> {
    pub(super) socket: &'a Path,
    pub(super) call: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<&'a Value>,
    pub(super) within: Duration,
}

impl RawCall<'_> {
    /// Sends the call and returns the JSON of a 2xx answer.
    pub(super) async fn send(self) -> Result<Value, EngineError> {
        let unreachable = |error: &dyn std::error::Error| EngineError::Unreachable {
            socket: self.socket.display().to_string(),
            text: chain(error),
        };
        let stream = UnixStream::connect(self.socket).await.map_err(|error| unreachable(&error))?;
        match tokio::time::timeout(self.within, self.exchange(stream)).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::Unknown {
                call: self.call,
                text: format!("no answer within {} ms", self.within.as_millis()),
            }),
        }
    }

    async fn exchange(&self, stream: UnixStream) -> Result<Value, EngineError> {
        let call = self.call;
        let unknown =
            |error: &dyn std::error::Error| EngineError::Unknown { call, text: chain(error) };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unknown(&error))?;
        let connection = tokio::spawn(connection);
        let answer = async {
            let answer = sender.send_request(self.request()?).await.map_err(|e| unknown(&e))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| unknown(error.as_ref()))?.to_bytes();
            read(call, status, &body)
        }
        .await;
        connection.abort();
        answer
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, EngineError> {
        let body = self.body.map_or_else(Bytes::new, |body| body.to_string().into());
        Request::builder()
            .method(&self.method)
            .uri(&self.path)
            .header(HOST, "docker")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| EngineError::Odd { call: self.call, text: chain(&error) })
    }
}

fn read(call: &'static str, status: u16, body: &[u8]) -> Result<Value, EngineError> {
    let json = serde_json::from_slice::<Value>(body);
    if (200..300).contains(&status) {
        return json.map_err(|error| EngineError::Odd { call, text: error.to_string() });
    }
    let message = json.ok().and_then(|json| Some(json.get("message")?.as_str()?.to_owned()));
    let text = redact(&message.unwrap_or_default());
    match status {
        404 => Err(EngineError::NotFound { call, text }),
        _ => Err(EngineError::Refused { call, status, text }),
    }
}
