//! Every signature and every link of what agents said.

use std::collections::{BTreeMap, BTreeSet};

use super::bundle::Bundle;
use super::fault::Fault;
use crate::documents::{NodeName, Plan, PublicKey};
use crate::evidence::{Added, Beacon, Chain, ChainError, Envelope, EnvelopeError, Head, Receipt};
use crate::wire::limits::{EVIDENCE_BYTES, RECEIPTS_PER_NODE};

/// All chains, by the keys that the plan names.
///
/// # Errors
/// The first link that does not hold, by name and counter: V033 to V039.
pub(super) fn chains(bundle: &Bundle, plan: &Plan) -> Result<BTreeMap<NodeName, Chain>, Fault> {
    let one = |(node, envelopes): (&NodeName, &Vec<Vec<u8>>)| {
        let chain = chain(&plan.network, node, key(plan, node)?, envelopes)?;
        Ok((node.clone(), chain))
    };
    bundle.chains.iter().map(one).collect()
}

fn key(plan: &Plan, node: &NodeName) -> Result<PublicKey, Fault> {
    let key = plan.member(node).and_then(|member| member.key);
    key.ok_or_else(|| Fault::Stranger(node.clone()))
}

fn chain(
    network: &str,
    node: &NodeName,
    key: PublicKey,
    envelopes: &[Vec<u8>],
) -> Result<Chain, Fault> {
    let mut chain = Chain::new(network, node.clone(), key);
    for (at, bytes) in envelopes.iter().enumerate() {
        let entry = at + 1;
        let malformed = |error: EnvelopeError| Fault::of_link(error.into(), node, entry, 0);
        let envelope = parse(bytes, entry).map_err(malformed)?;
        let counter = envelope.claimed::<Receipt>().map_or(entry as u64, |it| it.counter);
        match chain.add(&envelope) {
            Ok(Added::New) => {}
            Ok(Added::Known) => {
                return Err(Fault::Disordered {
                    node: node.clone(),
                    found: counter,
                    expected: entry as u64,
                });
            }
            Err(ChainError::Gap { missing, .. }) if comes(&envelopes[entry..], missing) => {
                return Err(Fault::Disordered {
                    node: node.clone(),
                    found: counter,
                    expected: missing,
                });
            }
            Err(error) => return Err(Fault::of_link(error, node, entry, counter)),
        }
    }
    let strange = chain.receipts().position(|receipt| receipt.muster != "receipt/v1");
    let error = EnvelopeError::Shape("another version of a receipt");
    match strange {
        Some(at) => Err(Fault::of_link(error.into(), node, at + 1, 0)),
        None => Ok(chain),
    }
}

fn parse(bytes: &[u8], entry: usize) -> Result<Envelope, EnvelopeError> {
    if bytes.len() > EVIDENCE_BYTES || entry > RECEIPTS_PER_NODE {
        return Err(EnvelopeError::Shape("larger than any receipt, or longer than any chain"));
    }
    Envelope::parse::<Receipt>(bytes)
}

/// Whether a receipt with this counter stands further down.
fn comes(rest: &[Vec<u8>], counter: u64) -> bool {
    let claimed = |bytes: &Vec<u8>| Envelope::parse::<Receipt>(bytes)?.claimed::<Receipt>();
    rest.iter().any(|bytes| claimed(bytes).is_ok_and(|it| it.counter == counter))
}

/// The head that each newest beacon names.
///
/// # Errors
/// [`Fault::Forged`], [`Fault::Malformed`], [`Fault::Stranger`].
pub(super) fn beacons(bundle: &Bundle, plan: &Plan) -> Result<BTreeMap<NodeName, Head>, Fault> {
    let mut heads = BTreeMap::new();
    for (node, bytes) in &bundle.beacons {
        let key = key(plan, node)?;
        let malformed = |error: EnvelopeError| match error {
            EnvelopeError::Signature { .. } => {
                Fault::Forged { node: node.clone(), what: "the beacon".into() }
            }
            error => Fault::of_link(error.into(), node, 0, 0),
        };
        let envelope = Envelope::parse::<Beacon>(bytes).map_err(malformed)?;
        let beacon: Beacon = envelope.open(&key).map_err(malformed)?;
        if beacon.node != *node || beacon.network != plan.network {
            let error = ChainError::Elsewhere { node: beacon.node, network: beacon.network };
            return Err(Fault::of_link(error, node, 0, 0));
        }
        heads.extend(beacon.head.map(|head| (node.clone(), head)));
    }
    Ok(heads)
}

/// Who contradicted himself.
///
/// # Errors
/// [`Fault::NoProof`], [`Fault::Stranger`].
pub(super) fn proofs(bundle: &Bundle, plan: &Plan) -> Result<BTreeSet<NodeName>, Fault> {
    for (node, proof) in &bundle.proofs {
        if !proof.holds(&plan.network, node, &key(plan, node)?) {
            return Err(Fault::NoProof(node.clone()));
        }
    }
    Ok(bundle.proofs.keys().cloned().collect())
}
