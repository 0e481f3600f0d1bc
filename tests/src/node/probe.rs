//! `:8080`: probes that answer before the data is open, and a readiness that lies.

use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;

use super::http::{self, Answer};
use super::metrics;
use super::state::Node;
use crate::referee::now_ms;

/// Opens the probe server. A port that is taken is logged and otherwise ignored: the node runs without a probe.
pub async fn open(node: &Arc<Node>) {
    let port = node.config.probe_port;
    match TcpListener::bind((node.config.host.as_str(), port)).await {
        Ok(listener) => {
            let node = Arc::clone(node);
            tokio::spawn(http::serve(listener, move |path, _| answer(&node, path)));
        }
        Err(_) => {
            let error = format!("listen tcp :{port}: bind: address already in use");
            let more = json!({ "error": error });
            let message = "Failed to listen on probe port";
            node.log.line("error", "probe/probe.go:68", message, &more);
        }
    }
}

fn answer(node: &Node, path: &str) -> Answer {
    match path {
        "/liveness" => Answer::plain(200, "OK"),
        "/readiness" | "/health" if node.ready() => Answer::plain(200, "OK"),
        "/readiness" | "/health" => Answer::plain(503, "FAIL"),
        "/metrics" => {
            Answer { status: 200, kind: metrics::KIND, body: metrics::render(node, now_ms()) }
        }
        _ => Answer::not_found(),
    }
}
