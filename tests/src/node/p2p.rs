//! The P2P port: bootstrap peers, and the way to the referee.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::state::Node;
use crate::referee::wire::{Greeting, ToNode, ToReferee};

/// A peer that does not greet within this time is not reachable.
const GREETING: Duration = Duration::from_secs(2);

/// A connection whose other end has greeted.
#[derive(Debug)]
pub struct Wire {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Wire {
    /// What the referee says next; `None` when the connection is over. May be cancelled and asked again.
    pub async fn hear(&mut self) -> Option<ToNode> {
        let line = self.lines.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    /// Says something; a broken connection shows when it is next heard.
    pub async fn say(&mut self, what: &ToReferee) {
        let mut line = serde_json::to_string(what).unwrap_or_default();
        line.push('\n');
        let _ = self.write.write_all(line.as_bytes()).await;
    }
}

/// Opens the node's own P2P port, so that others can bootstrap from it.
///
/// # Errors
/// When the port is taken: the node exits 1.
pub async fn listen(node: &Node) -> io::Result<AbortHandle> {
    let listener = TcpListener::bind((node.config.host.as_str(), node.config.port)).await?;
    let accepting = tokio::spawn(async move {
        let mut greeted = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            greeted.spawn(greet(stream));
            while greeted.try_join_next().is_some() {}
        }
    });
    Ok(accepting.abort_handle())
}

async fn greet(mut stream: TcpStream) {
    let mut line = serde_json::to_string(&Greeting::Node).unwrap_or_default();
    line.push('\n');
    let _ = stream.write_all(line.as_bytes()).await;
    let _ = stream.read(&mut [0]).await;
}

async fn dial(peer: &str) -> io::Result<(Wire, Greeting)> {
    let stream = TcpStream::connect(peer).await?;
    // Small lines must not wait for each other.
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let greeting = lines.next_line().await?.unwrap_or_default();
    let greeting = serde_json::from_str(&greeting)?;
    Ok((Wire { lines, write }, greeting))
}

async fn dial_in_time(peer: &str) -> io::Result<(Wire, Greeting)> {
    let dialled = tokio::time::timeout(GREETING, dial(peer)).await;
    dialled.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "i/o timeout")))
}

/// The configured peers without the node itself.
fn others(node: &Node) -> Vec<String> {
    let peers = node.config.bootstrap.iter();
    let others = peers.filter(|peer| **peer != node.config.external);
    others.cloned().collect()
}

/// Waits until more than half of the bootstrap peers have been reached, for as long as it takes.
pub async fn bootstrap(node: &Arc<Node>) {
    let peers = others(node);
    if peers.is_empty() {
        return;
    }
    let needed = peers.len() / 2 + 1;
    let (reached, mut arrivals) = mpsc::channel(peers.len());
    let mut dialling = JoinSet::new();
    for peer in peers {
        dialling.spawn(keep_dialling(Arc::clone(node), peer, reached.clone()));
    }
    for _ in 0..needed {
        // Never `None`: a sender is kept above.
        let _ = arrivals.recv().await;
    }
}

async fn keep_dialling(node: Arc<Node>, peer: String, reached: mpsc::Sender<()>) {
    loop {
        match dial_in_time(&peer).await {
            Ok(_) => break,
            Err(error) => {
                let error = format!("failed to dial: dial tcp4 {peer}: {error}");
                let (caller, message) = ("p2p/agent.go:768", "Error happens, will retry.");
                node.log.line("error", caller, message, &json!({ "error": error }));
            }
        }
        tokio::time::sleep(node.timing().redial()).await;
    }
    let more = json!({ "address": peer });
    node.log.line("info", "p2p/agent.go:705", "Connected bootstrap node.", &more);
    let _ = reached.send(()).await;
}

/// A connection to the referee, which is one of the bootstrap peers, for as long as it takes.
pub async fn reach_referee(node: Arc<Node>) -> Wire {
    let peers = others(&node);
    loop {
        for peer in &peers {
            if let Ok((wire, Greeting::Referee)) = dial_in_time(peer).await {
                return wire;
            }
        }
        tokio::time::sleep(node.timing().redial()).await;
    }
}
