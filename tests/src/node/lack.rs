//! What a round without a block lacks, and when a node says so: the warnings of a stalled chain. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is not there in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// The proposed block.
    Proposal,
    /// Enough endorsements of the proposal.
    ProposalEndorsements,
    /// Enough endorsements of the lock.
    LockEndorsements,
}

/// Shares of a round until each is waited for: 1.25, 2.05 and 2.5 s of 2.5 s (`recorded/log-stalled.txt`).
const SHARES: [(f64, Lack); 3] =
    [(0.5, Lack::Proposal), (0.82, Lack::ProposalEndorsements), (1.0, Lack::LockEndorsements)];

impl Lack {
    /// Caller and message of the real node's log line.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Proposal => {
                ("consensusfsm/fsm.go:492", "didn't receive the proposed block before timeout")
            }
            Self::ProposalEndorsements => {
                ("consensusfsm/fsm.go:528", "Not enough proposal endorsements")
            }
            Self::LockEndorsements => ("consensusfsm/fsm.go:563", "Not enough lock endorsements"),
        }
    }
}

/// What one round may still lack, soonest first.
#[derive(Debug, Default)]
pub struct Lacks(VecDeque<(Instant, Lack)>);

impl Lacks {
    /// Of a round of this length; with the proposal `at_hand` only endorsements can be lacking.
    pub fn of(begins: Instant, length: Duration, at_hand: bool) -> Self {
        let lacking = SHARES.iter().filter(|(_, lack)| *lack != Lack::Proposal || !at_hand);
        Self(lacking.map(|(share, lack)| (begins + length.mul_f64(*share), *lack)).collect())
    }

    /// The proposal is there, and endorsed.
    pub fn proposed(&mut self) {
        self.0.retain(|(_, lack)| *lack != Lack::Proposal);
    }

    /// When the next one is to be said.
    pub fn due(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }

    /// Those that are to be said by `now`, each once.
    pub fn until(&mut self, now: Instant) -> Vec<Lack> {
        let said = self.0.iter().take_while(|(at, _)| *at <= now).count();
        self.0.drain(..said).map(|(_, lack)| lack).collect()
    }

    /// Those that are left when the next round begins.
    pub fn rest(&mut self) -> Vec<Lack> {
        self.0.drain(..).map(|(_, lack)| lack).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_at_its_time_and_a_proposal_at_hand_is_not_missed() {
        let (start, length) = (Instant::now(), Duration::from_millis(2_500));
        let at = |ms| start + Duration::from_millis(ms);
        let mut lacks = Lacks::of(start, length, false);
        assert_eq!(lacks.due(), Some(at(1_250)));
        assert_eq!(lacks.until(at(1_249)), []);
        assert_eq!(lacks.until(at(1_250)), [Lack::Proposal]);
        assert_eq!(lacks.until(at(2_060)), [Lack::ProposalEndorsements]);
        assert_eq!(lacks.rest(), [Lack::LockEndorsements]);
        assert_eq!(lacks.due(), None);
        let mut lacks = Lacks::of(start, length, false);
        lacks.proposed();
        assert_eq!(lacks.due(), Some(at(2_050)));
        let mut lacks = Lacks::of(start, length, true);
        let endorsements = [Lack::ProposalEndorsements, Lack::LockEndorsements];
        assert_eq!(lacks.until(at(2_500)), endorsements);
    }
}
