//! The node as it was seen at one moment.

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::Digest;
use muster_proto::evidence::beacon::Health;

use super::grpc::Block;
use crate::runtime::Container;

/// The node as it was seen at one moment. What did not answer is `None`.
#[derive(Debug, Clone)]
pub struct Seen {
    /// By the host's clock.
    pub at: Timestamp,
    /// The container, if the Engine knows it.
    pub container: Option<Container>,
    /// Why the Engine could not be asked; then nothing is known of the container.
    pub engine: Option<String>,
    /// The probe server answered, whatever it said.
    pub answers: bool,
    /// The probe server says ready. It says so of nodes that are behind, too.
    pub ready: bool,
    /// Exact height.
    pub height: Option<u64>,
    /// The block at that height.
    pub tip: Option<Block>,
    /// Of consensus; 0 when well.
    pub round: Option<u64>,
    /// Connected peers.
    pub peers: Option<u32>,
    /// What the node says it is.
    pub version: Option<String>,
    /// Of the genesis file as mounted.
    pub genesis: Option<Digest>,
}

/// A block comes at most this long after the time its producer wrote into it: the slowest
/// interval that the network ever had.
const BLOCK_DELAY: SignedDuration = SignedDuration::from_secs(10);

/// A node this close to the median is at the tip, for judging the clock.
const AT_TIP_BLOCKS: u64 = 2;

impl Seen {
    /// Nothing is known, because the Engine could not be asked.
    pub fn blind(at: Timestamp, engine: String) -> Self {
        Self { engine: Some(engine), ..Self::nothing(at) }
    }

    /// No container, no answers.
    pub fn nothing(at: Timestamp) -> Self {
        Self {
            at,
            container: None,
            engine: None,
            answers: false,
            ready: false,
            height: None,
            tip: None,
            round: None,
            peers: None,
            version: None,
            genesis: None,
        }
    }

    /// Its process lives.
    pub fn running(&self) -> bool {
        self.container.as_ref().is_some_and(|container| container.state.running)
    }

    /// For the beacon. `clock_off` is [`Seen::clock_off`].
    pub fn health(&self, clock_off: bool) -> Health {
        let tip = self.tip.as_ref().filter(|tip| Some(tip.height) == self.height);
        Health {
            running: self.running(),
            height: self.height,
            block_hash: tip.map(|tip| tip.hash.clone()),
            block_time: tip.and_then(|tip| tip.time),
            round: self.round,
            peers: self.peers,
            version: self.version.clone(),
            // The admin port is not asked yet; a node that stands by shows in the others' rounds.
            standing_by: false,
            paused: self.container.as_ref().is_some_and(|container| container.state.paused),
            clock_off,
        }
    }

    /// The host's clock is beyond `skew` from the time of the block that the synced node just
    /// took. Judged only when the height grew since `before` and is near the fleet's `median`:
    /// old blocks say nothing about the clock. `None` when it cannot be judged now.
    pub fn clock_off(
        &self,
        before: &Seen,
        median: Option<u64>,
        skew: SignedDuration,
    ) -> Option<bool> {
        let (now, then) = (self.height?, before.height?);
        let behind = median.is_some_and(|median| now + AT_TIP_BLOCKS < median);
        if now <= then || now > then + AT_TIP_BLOCKS || behind {
            return None;
        }
        let block = self.tip.as_ref().filter(|tip| tip.height == now)?.time?;
        let offset = self.at.duration_since(block);
        let late = skew + BLOCK_DELAY + self.at.duration_since(before.at);
        Some(offset < -skew || offset > late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, height: u64, block: i64) -> Seen {
        let time = |second| Timestamp::from_second(1_800_000_000 + second).ok();
        let tip = Block { height, hash: String::new(), time: time(block) };
        let at = time(at).expect("a time");
        Seen { height: Some(height), tip: Some(tip), ..Seen::nothing(at) }
    }

    const SKEW: SignedDuration = SignedDuration::from_secs(5);

    #[test]
    fn a_clock_is_judged_by_a_block_that_just_came() {
        let before = seen(0, 10, -2);
        assert_eq!(seen(2, 11, 0).clock_off(&before, Some(11), SKEW), Some(false));
        assert_eq!(seen(2, 11, 9).clock_off(&before, Some(11), SKEW), Some(true));
        assert_eq!(seen(2, 11, -60).clock_off(&before, Some(11), SKEW), Some(true));
    }

    #[test]
    fn old_blocks_say_nothing_about_the_clock() {
        let before = seen(0, 10, -600);
        assert_eq!(seen(2, 10, -600).clock_off(&before, None, SKEW), None, "no new block");
        assert_eq!(seen(2, 11, -598).clock_off(&before, Some(200), SKEW), None, "behind");
        assert_eq!(seen(2, 150, -200).clock_off(&before, None, SKEW), None, "a jump");
    }
}
