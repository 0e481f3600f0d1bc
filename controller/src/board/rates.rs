//! How often somebody may do something: a bucket that fills with time. Pure.

use jiff::Timestamp;

/// Holds at most `burst` and gains `per_second`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bucket {
    burst: f64,
    per_second: f64,
    filled: f64,
    at: Timestamp,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(burst: u32, per_second: f64, now: Timestamp) -> Self {
        let burst = f64::from(burst);
        Self { burst, per_second, filled: burst, at: now }
    }

    /// Takes one; otherwise says after how many milliseconds there will be one.
    ///
    /// # Errors
    /// The wait in milliseconds.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), u64> {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.at = now;
        self.filled = (self.filled + passed * self.per_second).min(self.burst);
        if self.filled >= 1.0 {
            self.filled -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.filled) / self.per_second * 1_000.0).ceil() as u64)
    }

    /// Nothing was taken for so long that it forgets nothing to drop it.
    pub(super) fn is_full(&self, now: Timestamp) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.filled + passed * self.per_second >= self.burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_the_pace_holds() {
        let mut bucket = Bucket::new(2, 4.0, at(0));
        assert_eq!([bucket.take(at(0)), bucket.take(at(0))], [Ok(()), Ok(())]);
        assert_eq!(bucket.take(at(0)), Err(250));
        assert_eq!(bucket.take(at(250)), Ok(()));
        assert_eq!(bucket.take(at(250)), Err(250));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::new(1, 1.0, at(10_000));
        assert_eq!(bucket.take(at(10_000)), Ok(()));
        assert_eq!(bucket.take(at(0)), Err(1_000));
        assert!(!bucket.is_full(at(500)) && bucket.is_full(at(1_000)));
    }
}
