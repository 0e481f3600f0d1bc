//! A proxy in front of the Engine's socket that fails at one chosen mutating call.
//!
//! Every agent of a test has a proxy of its own. Its log of mutating calls proves that the
//! agent touched its own container only, and its length is the number of cells of the crash
//! matrix: a new step is covered unasked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call never reaches the Engine; the caller is killed while it waits.
    KillBefore,
    /// The Engine has answered; the caller is killed before it hears so.
    KillAfter,
    /// The call never reaches the Engine and is never answered.
    Timeout,
    /// The Engine is not asked; the caller hears this status.
    Status(u16),
    /// The Engine has answered; the connection is cut instead of relaying it.
    Cut,
}

impl Fault {
    /// The harness kills the caller when this fault trips.
    pub fn kills(self) -> bool {
        matches!(self, Fault::KillBefore | Fault::KillAfter)
    }
}

/// One mutating call, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// Path and query, without the API version.
    pub path: String,
    /// What was sent with it.
    pub body: Bytes,
    /// Id of what the Engine made by it (a container, an exec).
    pub made: Option<String>,
    /// What the caller heard; none when it heard nothing.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    /// Fails at this call (counted from 0 over the proxy's life), once.
    armed: Option<(usize, Fault)>,
}

#[derive(Debug)]
struct Shared {
    engine: PathBuf,
    state: Mutex<State>,
    /// Turns true when the armed fault was reached.
    tripped: watch::Sender<bool>,
    /// Told by the harness when the caller is dead.
    killed: Notify,
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct EngineProxy {
    socket: PathBuf,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

type Body = BoxBody<Bytes, hyper::Error>;

impl EngineProxy {
    /// Listens on `socket` and forwards to the Engine at `engine`.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(socket: &Path, engine: &Path) -> Result<Self> {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)
            .with_context(|| format!("cannot listen on {}", socket.display()))?;
        let shared = Arc::new(Shared {
            engine: engine.to_owned(),
            state: Mutex::default(),
            tripped: watch::Sender::new(false),
            killed: Notify::new(),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { socket: socket.to_owned(), shared, task })
    }

    /// Where the caller finds the Engine.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Fails at the mutating call number `at`, counted from 0 over the proxy's life; once.
    pub fn arm(&self, at: usize, fault: Fault) {
        self.shared.tripped.send_replace(false);
        self.state().armed = Some((at, fault));
    }

    /// Waits until the armed fault was reached.
    pub async fn tripped(&self) {
        let mut tripped = self.shared.tripped.subscribe();
        // The sender lives in `self`.
        let _ = tripped.wait_for(|tripped| *tripped).await;
    }

    /// Whether the armed fault was reached.
    pub fn has_tripped(&self) -> bool {
        *self.shared.tripped.borrow()
    }

    /// Tells the proxy that the caller is dead, so that it lets go of the call.
    pub fn caller_is_dead(&self) {
        self.shared.killed.notify_one();
    }

    /// Every mutating call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().expect("no holder panics")
    }
}

impl Drop for EngineProxy {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| relay(request, shared.clone()));
            // A connection that ends in an error is a fault or a caller that left.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An error makes hyper cut the connection, which is what `Cut` and the kills want.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

type Answer = std::result::Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>>;

async fn relay(request: Request<Incoming>, shared: Arc<Shared>) -> Answer {
    if !mutates(request.method()) {
        return forward(request.map(BodyExt::boxed), &shared.engine).await;
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let request = Request::from_parts(head, whole(body.clone()));
    let (index, fault) = note(&request, body, &shared);
    match fault {
        None => {}
        Some(Fault::Status(code)) => {
            shared.tripped.send_replace(true);
            heard(&shared, index, code);
            return Ok(refusal(code)?);
        }
        Some(Fault::Timeout) => {
            shared.tripped.send_replace(true);
            return std::future::pending().await;
        }
        Some(Fault::KillBefore) => {
            shared.tripped.send_replace(true);
            shared.killed.notified().await;
            return Err(Cut.into());
        }
        Some(fault @ (Fault::KillAfter | Fault::Cut)) => {
            // A caller that does not wait so long must not stop it.
            tokio::spawn(carry_out(request, shared.clone(), index)).await?;
            if fault.kills() {
                shared.killed.notified().await;
            }
            return Err(Cut.into());
        }
    }
    let makes = makes(request.uri().path());
    let mut answer = forward(request, &shared.engine).await?;
    if makes {
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        made(&shared, index, &body);
        answer = Response::from_parts(head, whole(body));
    }
    heard(&shared, index, answer.status().as_u16());
    Ok(answer)
}

/// Hears the whole answer, so that the effect is complete before anybody learns of it.
async fn carry_out(request: Request<Body>, shared: Arc<Shared>, index: usize) {
    let makes = makes(request.uri().path());
    if let Ok(answer) = forward(request, &shared.engine).await
        && let Ok(body) = answer.into_body().collect().await
        && makes
    {
        made(&shared, index, &body.to_bytes());
    }
    shared.tripped.send_replace(true);
}

/// The answer names what was made.
fn makes(path: &str) -> bool {
    path.ends_with("/containers/create") || path.ends_with("/exec")
}

fn made(shared: &Shared, index: usize, answer: &[u8]) {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let id = answer["Id"].as_str().map(str::to_owned);
    shared.state.lock().expect("no holder panics").calls[index].made = id;
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn mutates(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::DELETE)
}

/// Writes the call down and says whether it is the chosen one.
fn note(request: &Request<Body>, body: Bytes, shared: &Shared) -> (usize, Option<Fault>) {
    let mut state = shared.state.lock().expect("no holder panics");
    let index = state.calls.len();
    let path = without_version(request.uri().path_and_query().map_or("", |path| path.as_str()));
    let method = request.method().to_string();
    state.calls.push(Call { method, path, body, made: None, status: None });
    let chosen = state.armed.is_some_and(|(at, _)| at == index);
    let fault = if chosen { state.armed.take().map(|(_, fault)| fault) } else { None };
    (index, fault)
}

fn heard(shared: &Shared, index: usize, status: u16) {
    shared.state.lock().expect("no holder panics").calls[index].status = Some(status);
}

/// `/v1.41/containers/x/start` → `/containers/x/start`.
fn without_version(path: &str) -> String {
    match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
        Some((version, rest)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("/{rest}")
        }
        _ => path.to_owned(),
    }
}

async fn forward(request: Request<Body>, engine: &Path) -> Answer {
    let stream = UnixStream::connect(engine).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    Ok(answer.map(|body| body.boxed()))
}

fn refusal(code: u16) -> Result<Response<Body>> {
    let text = format!("{{\"message\":\"refused on purpose with {code}\"}}");
    let body = whole(text.into());
    Ok(Response::builder()
        .status(StatusCode::from_u16(code)?)
        .header("content-type", "application/json")
        .body(if code == 304 { empty() } else { body })?)
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

#[cfg(test)]
mod tests {
    use super::without_version;

    #[test]
    fn a_path_is_logged_without_its_api_version() {
        assert_eq!(without_version("/v1.41/containers/x/start"), "/containers/x/start");
        assert_eq!(without_version("/version"), "/version");
    }
}
