//! `system.httpAdminPort`: a port on loopback alone that pauses a node and lets it stand by.
//!
//! What is set here is lost at a restart, and `/pause` cannot be read back (`recorded/admin-port.json`).

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::http::{self, Answer};
use super::state::Node;

/// Listens from `Server is ready.` until `stop`. Without a port nobody does; one that is taken is logged, no more.
pub async fn open(node: &Arc<Node>, mut stop: watch::Receiver<bool>) {
    let Some(port) = node.config.admin_port else {
        return;
    };
    match TcpListener::bind((loopback(&node.config.host), port)).await {
        Ok(listener) => {
            let node = Arc::clone(node);
            tokio::spawn(async move {
                tokio::select! {
                    () = http::serve(listener, move |path, query| answer(&node, path, query)) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
        Err(_) => {
            let error = format!("listen tcp 127.0.0.1:{port}: bind: address already in use");
            let message = "Error when listen to profiling port.";
            node.log.line("error", "itx/server.go:405", message, &json!({ "error": error }));
        }
    }
}

/// The container's own loopback; nodes that share one host have loopback addresses of their own.
fn loopback(host: &str) -> Ipv4Addr {
    let own = host.parse::<Ipv4Addr>().ok();
    own.filter(Ipv4Addr::is_loopback).unwrap_or(Ipv4Addr::LOCALHOST)
}

fn answer(node: &Node, path: &str, query: &str) -> Answer {
    match path {
        "/ha" => stand_by(node, query),
        "/pause" => pause(node, true),
        "/unpause" => pause(node, false),
        // Without a token in the environment nobody may ask.
        "/producer-keys" => Answer::plain(401, "unauthorized\n"),
        "/logging/global" => Answer::plain(200, "{\"level\":\"info\"}\n"),
        _ => Answer::not_found(),
    }
}

/// What is neither `true` nor `false` changes nothing, and is no error.
fn stand_by(node: &Node, query: &str) -> Answer {
    let wanted = query.split('&').find_map(|pair| pair.strip_prefix("activate="));
    let (active, caller, message) = match wanted.unwrap_or_default().to_lowercase().as_str() {
        "true" => (true, "ha/ha.go:34", "Set the node to active mode"),
        "false" => (false, "ha/ha.go:37", "Set the node to stand-by mode"),
        "" => return Answer::plain(200, &format!("{}\n", json!({ "active": node.mode().active }))),
        _ => return Answer::empty(),
    };
    node.log.info(caller, message);
    node.set_mode(|mode| mode.active = active);
    Answer::empty()
}

/// No log line says it.
fn pause(node: &Node, paused: bool) -> Answer {
    node.set_mode(|mode| mode.paused = paused);
    Answer::empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_loopback_whatever_the_other_ports_do() {
        assert_eq!(loopback("0.0.0.0"), Ipv4Addr::LOCALHOST);
        assert_eq!(loopback("10.77.0.11"), Ipv4Addr::LOCALHOST);
        assert_eq!(loopback("127.3.2.1"), Ipv4Addr::new(127, 3, 2, 1));
    }
}
