//! What boards hold of this agent's own chain (rule 11): after a restore from a backup the
//! journal is behind what was signed, and nothing may be begun.

use muster_proto::documents::{Digest, NodeName, PublicKey};
use muster_proto::evidence::{Envelope, Head, Receipt};
use muster_proto::rule::decision::OwnChain;

/// What one board's word amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It holds nothing that the journal does not.
    Agrees,
    /// It holds a receipt with our signature that the journal does not know.
    Ahead(Head),
    /// It claims so, and shows no such receipt; not believed.
    Unproved,
}

/// Whose chain, and what the journal holds of it.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The agent's network.
    pub network: &'a str,
    /// The agent's node.
    pub node: &'a NodeName,
    /// The key that signs.
    pub key: &'a PublicKey,
}

/// Compares what a board says with the journal. `journaled` gives the hash of the journal's
/// receipt with a counter.
pub fn compare(
    own: Own<'_>,
    counter: u64,
    receipt: &[u8],
    journaled: impl Fn(u64) -> Option<Digest>,
) -> Word {
    if counter == 0 {
        return Word::Agrees;
    }
    let Some(head) = proved(own, receipt) else {
        // The journal has that link, and whatever else the board holds it cannot show.
        return if journaled(counter).is_some() { Word::Agrees } else { Word::Unproved };
    };
    match journaled(head.counter) {
        Some(hash) if hash == head.hash => Word::Agrees,
        _ => Word::Ahead(head),
    }
}

fn proved(own: Own<'_>, receipt: &[u8]) -> Option<Head> {
    let envelope = Envelope::parse::<Receipt>(receipt).ok()?;
    let receipt: Receipt = envelope.open(own.key).ok()?;
    let ours = receipt.node == *own.node && receipt.network == own.network;
    ours.then(|| Head { counter: receipt.counter, hash: Digest::of(envelope.payload()) })
}

/// The hash of a receipt that comes from the own journal.
pub fn hash_of(receipt: &[u8]) -> Option<Digest> {
    let envelope = Envelope::parse::<Receipt>(receipt).ok()?;
    Some(Digest::of(envelope.payload()))
}

/// What one attached board has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Number of the question it answered last; 0 for none.
    pub question: u64,
    /// It had more than enough time to answer the newest.
    pub silent: bool,
}

/// The answer for the rule. `question` is the one asked when the plan appeared; `ahead` whether
/// any board ever proved more than the journal holds.
pub fn verdict(attached: &[Heard], question: u64, ahead: bool) -> OwnChain {
    if ahead {
        return OwnChain::Ahead;
    }
    let answered = |heard: &&Heard| heard.question >= question;
    let waiting = attached.iter().any(|heard| !answered(&heard) && !heard.silent);
    if waiting || !attached.iter().any(|heard| answered(&heard)) {
        OwnChain::Unasked
    } else {
        OwnChain::Agrees
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(question: u64, silent: bool) -> Heard {
        Heard { question, silent }
    }

    #[test]
    fn every_reachable_board_must_have_answered() {
        assert_eq!(verdict(&[], 1, false), OwnChain::Unasked);
        assert_eq!(verdict(&[heard(1, false), heard(0, false)], 1, false), OwnChain::Unasked);
        assert_eq!(verdict(&[heard(1, false), heard(2, false)], 1, false), OwnChain::Agrees);
        assert_eq!(verdict(&[heard(1, false)], 2, false), OwnChain::Unasked);
    }

    #[test]
    fn a_board_that_never_answers_is_not_reachable() {
        assert_eq!(verdict(&[heard(1, false), heard(0, true)], 1, false), OwnChain::Agrees);
        assert_eq!(verdict(&[heard(0, true)], 1, false), OwnChain::Unasked);
    }

    #[test]
    fn one_proof_of_a_longer_chain_is_enough() {
        assert_eq!(verdict(&[heard(9, false)], 1, true), OwnChain::Ahead);
    }
}
