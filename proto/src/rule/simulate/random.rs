//! Numbers from a seed (SplitMix64): the same on every machine, and no source of secrets.

use super::options::Span;

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Milliseconds within the span, both ends included.
    pub(super) fn within(&mut self, span: Span) -> u64 {
        let width = span.most_ms.saturating_sub(span.least_ms).saturating_add(1);
        span.least_ms + self.next() % width
    }
}
