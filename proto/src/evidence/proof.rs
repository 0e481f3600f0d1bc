//! Two signed statements of one agent that exclude each other.

use super::beacon::Beacon;
use super::dsse::{Envelope, EnvelopeError, Payload};
use super::receipt::Receipt;
use crate::documents::{Digest, NodeName, PublicKey};

/// Two envelopes by one key that exclude each other; anybody can verify it offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What was known first, as it travels.
    pub first: Vec<u8>,
    /// What contradicts it.
    pub second: Vec<u8>,
}

/// What one counter is bound to by a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    counter: Counted,
    hash: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Receipt(u64),
    Beacon(u64),
}

impl Proof {
    /// True when both envelopes are signed by `key` for this node and bind one counter to two
    /// contents: two receipts or beacons with one counter, or a receipt that another link or a
    /// beacon's head contradicts.
    pub fn holds(&self, network: &str, node: &NodeName, key: &PublicKey) -> bool {
        let claims = |bytes| claims(bytes, network, node, key).unwrap_or_default();
        let (first, second) = (claims(&self.first), claims(&self.second));
        let clash = |a: &Claim, b: &Claim| a.counter == b.counter && a.hash != b.hash;
        first.iter().any(|a| second.iter().any(|b| clash(a, b)))
    }
}

fn claims(
    bytes: &[u8],
    network: &str,
    node: &NodeName,
    key: &PublicKey,
) -> Result<Vec<Claim>, EnvelopeError> {
    if let Ok((receipt, hash)) = open::<Receipt>(bytes, key) {
        let here = receipt.network == network && receipt.node == *node;
        let own = Claim { counter: Counted::Receipt(receipt.counter), hash };
        let before = receipt.counter.checked_sub(1).map(Counted::Receipt);
        let before = before.zip(receipt.previous).map(|(counter, hash)| Claim { counter, hash });
        return Ok(if here { [Some(own), before].into_iter().flatten().collect() } else { vec![] });
    }
    let (beacon, hash) = open::<Beacon>(bytes, key)?;
    let here = beacon.network == network && beacon.node == *node;
    let own = Claim { counter: Counted::Beacon(beacon.counter), hash };
    let head = beacon.head.map(|head| (Counted::Receipt(head.counter), head.hash));
    let head = head.map(|(counter, hash)| Claim { counter, hash });
    Ok(if here { [Some(own), head].into_iter().flatten().collect() } else { vec![] })
}

fn open<P: Payload>(bytes: &[u8], key: &PublicKey) -> Result<(P, Digest), EnvelopeError> {
    let envelope = Envelope::parse::<P>(bytes)?;
    Ok((envelope.open(key)?, Digest::of(envelope.payload())))
}
