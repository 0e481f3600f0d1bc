//! SIGTERM and SIGINT: what they do depends on how far the node is (IOTEX.md).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::state::{Node, Phase};

/// Shares of the start time: 0.15 s and 0.35 s of 1.3 s.
const LOST_BEFORE: f64 = 0.115;
const DIES_BEFORE: f64 = 0.27;

/// What a SIGTERM does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: nobody listens yet.
    Lost,
    /// Exit 2: the runtime's own handler.
    Dies,
    /// Taken, and never answered: the node will not become ready, and only SIGKILL ends it.
    Deaf,
    /// The node leaves at the end of the round it is in.
    Leaves,
}

/// What a SIGTERM does `age` after the start of the process.
pub fn verdict(age: Duration, start: Duration, phase: Phase) -> Verdict {
    match phase {
        Phase::Ready | Phase::Leaving => Verdict::Leaves,
        Phase::Starting if age < start.mul_f64(LOST_BEFORE) => Verdict::Lost,
        Phase::Starting if age < start.mul_f64(DIES_BEFORE) => Verdict::Dies,
        Phase::Starting | Phase::Opened => Verdict::Deaf,
    }
}

/// Handlers from the very start of the process.
#[derive(Debug)]
pub struct Handlers {
    started: Instant,
    term: Signal,
    int: Signal,
}

impl Handlers {
    /// Installs them.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn install(started: Instant) -> std::io::Result<Self> {
        Ok(Self {
            started,
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Heeds them from now on; the receiver turns true when the node is to leave.
    pub fn heed(mut self, node: Arc<Node>) -> watch::Receiver<bool> {
        let (leave, leaving) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = self.term.recv() => {}
                    _ = self.int.recv() => {}
                }
                let phase = node.view().phase;
                let start = node.behaviour.start_time();
                match verdict(self.started.elapsed(), start, phase) {
                    Verdict::Lost => {}
                    Verdict::Dies => std::process::exit(2),
                    Verdict::Deaf => node.view().deaf = true,
                    Verdict::Leaves => {
                        node.enter(Phase::Leaving);
                        leave.send_replace(true);
                    }
                }
            }
        });
        leaving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigterm_is_lost_then_kills_then_is_ignored_then_heard() {
        let start = Duration::from_millis(1_300);
        let at = |ms| verdict(Duration::from_millis(ms), start, Phase::Starting);
        assert_eq!(at(100), Verdict::Lost);
        assert_eq!((at(200), at(300)), (Verdict::Dies, Verdict::Dies));
        assert_eq!((at(400), at(60_000)), (Verdict::Deaf, Verdict::Deaf));
        let late = Duration::from_secs(60);
        assert_eq!(verdict(late, start, Phase::Opened), Verdict::Deaf);
        assert_eq!(verdict(late, start, Phase::Ready), Verdict::Leaves);
    }
}
