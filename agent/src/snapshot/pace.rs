//! How much was done, and not more of it in a second than was asked for.

use std::time::{Duration, Instant};

use super::decide::work::Copy;

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Copying while the node runs.
    PreCopy,
    /// Copying while it is down.
    Copy,
    /// Reading what was copied.
    Verify,
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is under way.
    pub phase: Phase,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub all: u64,
    /// Since it began.
    pub since: Duration,
}

/// Is told of progress after every piece.
pub(super) type Tell<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Counts bytes, tells of them, and waits where a rate is set.
pub(super) struct Pace<'a, 'b> {
    began: Instant,
    rate: Option<u64>,
    progress: Progress,
    tell: &'a mut (dyn FnMut(Progress) + Send + 'b),
}

impl<'a, 'b> Pace<'a, 'b> {
    /// `rate` in bytes a second.
    pub(super) fn new(
        phase: Phase,
        all: u64,
        rate: Option<u64>,
        tell: &'a mut (dyn FnMut(Progress) + Send + 'b),
    ) -> Self {
        let progress = Progress { phase, done: 0, all, since: Duration::ZERO };
        Self { began: Instant::now(), rate, progress, tell }
    }

    /// That many more bytes are done.
    pub(super) fn add(&mut self, bytes: u64) {
        self.progress.done += bytes;
        if let Some(rate) = self.rate {
            let due = Duration::from_secs_f64(self.progress.done as f64 / rate.max(1) as f64);
            std::thread::sleep(due.saturating_sub(self.began.elapsed()));
        }
        self.progress.since = self.began.elapsed();
        (self.tell)(self.progress);
    }
}

/// Bytes that a file counts for.
pub(super) fn counted(copy: Copy, bytes: u64) -> u64 {
    match copy {
        Copy::Clone | Copy::Keep => 0,
        Copy::Whole | Copy::Difference => bytes,
    }
}
