//! Progress as lines on standard error: not more of them than somebody wants to read.

use std::time::Duration;

use crate::cli::screen::{length, plain};
use crate::snapshot::decide::size::Size;
use crate::snapshot::{Phase, Progress};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(2);

/// Shows the first line after a while, so that a short copy says nothing.
#[derive(Default)]
pub(super) struct Lines {
    next: Duration,
}

impl Lines {
    pub(super) fn show(&mut self, progress: Progress) {
        // Another phase begins with a clock of its own.
        if progress.since < self.next.saturating_sub(EVERY) {
            self.next = Duration::ZERO;
        }
        if self.next.is_zero() {
            self.next = EVERY;
        }
        if progress.since >= self.next {
            self.next = progress.since + EVERY;
            eprintln!("{}", plain(&line(progress)));
        }
    }
}

fn line(progress: Progress) -> String {
    let what = match progress.phase {
        Phase::PreCopy => "copied while the node runs",
        Phase::Copy => "copied",
        Phase::Verify => "read back",
    };
    let rate = progress.done as f64 / progress.since.as_secs_f64().max(1e-9);
    let rest = progress.all.saturating_sub(progress.done) as f64 / rate.max(1.0);
    format!(
        "{what}: {} of {}, {}/s, about {} to go",
        Size(progress.done),
        Size(progress.all),
        Size(rate as u64),
        length(rest as i64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long_still() {
        let since = Duration::from_secs(10);
        let (done, all) = (1 << 30, 4 << 30);
        let text = line(Progress { phase: Phase::Copy, done, all, since });
        assert_eq!(plain(&text), "copied: 1.0 GiB of 4.0 GiB, 102 MiB/s, about 30 s to go");
    }
}
