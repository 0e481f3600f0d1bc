//! What a program takes of the machine, from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// A program over a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Resident memory at the end, in bytes.
    pub resident: u64,
    /// Of that, memory of its own: not mapped from files that all its siblings share.
    pub own: u64,
    /// Processor time per time, in percent of one core.
    pub percent: f64,
}

/// Watches the process `pid` for that long.
///
/// # Errors
/// When it is gone, or `/proc` is not Linux's.
pub async fn watch(pid: u32, long: Duration) -> Result<Taken> {
    let (before, begin) = (on_cpu(pid)?, Instant::now());
    tokio::time::sleep(long).await;
    let busy = on_cpu(pid)?.saturating_sub(before);
    let percent = 100.0 * busy.as_secs_f64() / begin.elapsed().as_secs_f64();
    Ok(Taken { resident: memory(pid, "VmRSS:")?, own: memory(pid, "RssAnon:")?, percent })
}

/// A line of `/proc/PID/status`, in bytes.
fn memory(pid: u32, line: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("no such process")?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)).context("no such line")?;
    let kib: u64 = found.split_whitespace().next().context("no figure")?.parse()?;
    Ok(kib * 1024)
}

/// Time on a processor so far, in nanoseconds, of all threads that live.
fn on_cpu(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("no such process")? {
        // A thread may end in between.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().context("no figure")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_process_has_memory_and_takes_time() {
        let pid = std::process::id();
        let before = on_cpu(pid).expect("this process");
        let taken = watch(pid, Duration::from_millis(1)).await.expect("this process");
        assert!(taken.resident > 1_000_000 && taken.own < taken.resident, "{taken:?}");
        let busy = (0..10_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        assert!(on_cpu(pid).expect("this process") > before, "{busy}");
    }
}
