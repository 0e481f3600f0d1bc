//! What the service manager hears, and what it says.

use muster_proto::documents::NodeName;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Everything is loaded; boards are attached to by and by.
pub(super) fn ready(node: &NodeName) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("looks after {node}"))]);
}

/// The loop turns. Cheap when no watchdog is asked for.
pub(super) fn alive() {
    if sd_notify::watchdog_enabled().is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

/// Nothing more is begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    // Without a service manager nobody listens, and that is no error.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    term: Option<Signal>,
    int: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> Self {
        let listen = |kind| match signal(kind) {
            Ok(signal) => Some(signal),
            Err(error) => {
                tracing::error!(%error, "this signal cannot be listened to");
                None
            }
        };
        Self { term: listen(SignalKind::terminate()), int: listen(SignalKind::interrupt()) }
    }

    /// Returns when the daemon should end.
    pub(super) async fn end(&mut self) {
        tokio::select! {
            () = next(&mut self.term) => {}
            () = next(&mut self.int) => {}
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
