//! The bundle: documents and receipts as they were signed, in one canonical JSON file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::Fault;
use crate::documents::canonical;
use crate::documents::{NodeName, Plan, PlanId};
use crate::evidence::Book;
use crate::evidence::proof::Proof;
use crate::trust::{Offer, StoredOffer, Trust};

/// Largest bundle, in bytes: a whole board in base64, and chains of thousands of nodes.
pub const BUNDLE_BYTES: usize = 256 * 1024 * 1024;

const TAG: &str = "bundle/v1";

/// What the file holds. Nothing of it is believed before [`Account::open`](super::Account::open).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Such as `mainnet`.
    pub network: String,
    /// Which very plan it is about.
    pub plan: PlanId,
    /// The chain of roots, metadata and targets, byte for byte.
    pub documents: Offer,
    /// The receipts (DSSE envelopes) of every member, from its first one on.
    pub chains: BTreeMap<NodeName, Vec<Vec<u8>>>,
    /// Every member's newest beacon: its head shows receipts that were left out.
    pub beacons: BTreeMap<NodeName, Vec<u8>>,
    /// Two envelopes of each member that contradicted itself.
    pub proofs: BTreeMap<NodeName, Proof>,
}

/// The file. Envelopes stand in it as JSON, metadata and targets in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    muster: String,
    network: String,
    plan: PlanId,
    documents: StoredOffer,
    chains: BTreeMap<NodeName, Vec<Value>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    beacons: BTreeMap<NodeName, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    proofs: BTreeMap<NodeName, [Value; 2]>,
}

impl Bundle {
    /// Everything that is known of a plan: what the plan's keys signed, and the documents of the
    /// whole board as they are held.
    pub fn collect(trust: &Trust, book: &Book, id: &PlanId, plan: &Plan) -> Self {
        let keyed = plan.members.iter().filter(|member| {
            let chain = book.chain(&member.name);
            chain.is_some_and(|chain| Some(chain.key()) == member.key.as_ref())
        });
        let names: Vec<&NodeName> = keyed.map(|member| &member.name).collect();
        let chain = |name: &NodeName| {
            let envelopes = book.envelopes(name, 0).map(<[u8]>::to_vec).collect();
            (name.clone(), envelopes)
        };
        let beacon = |name: &NodeName| Some((name.clone(), book.beacon_envelope(name)?));
        let proofs = book.quarantined().filter(|(name, _)| names.contains(name));
        let mut documents = trust.offer(0);
        documents.targets.retain(|path, _| trust.file(path).is_some());
        Self {
            network: plan.network.clone(),
            plan: id.clone(),
            documents,
            chains: names.iter().map(|name| chain(name)).collect(),
            beacons: names.iter().filter_map(|name| beacon(name)).collect(),
            proofs: proofs.map(|(name, proof)| (name.clone(), proof.clone())).collect(),
        }
    }

    /// The file.
    ///
    /// # Panics
    /// Never: everything in it is text or a whole number.
    pub fn to_bytes(&self) -> Vec<u8> {
        let chain = |(node, envelopes): (&NodeName, &Vec<Vec<u8>>)| {
            (node.clone(), envelopes.iter().map(|bytes| value(bytes)).collect())
        };
        let proof = |(node, proof): (&NodeName, &Proof)| {
            (node.clone(), [value(&proof.first), value(&proof.second)])
        };
        let stored = Stored {
            muster: TAG.into(),
            network: self.network.clone(),
            plan: self.plan.clone(),
            documents: self.documents.clone().into(),
            chains: self.chains.iter().map(chain).collect(),
            beacons: self.beacons.iter().map(|(node, it)| (node.clone(), value(it))).collect(),
            proofs: self.proofs.iter().map(proof).collect(),
        };
        canonical::to_bytes(&stored).expect("text and whole numbers have a canonical form")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Fault::NotABundle`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let bad = Fault::NotABundle;
        if bytes.len() > BUNDLE_BYTES {
            return Err(bad(format!("it has {} bytes", bytes.len())));
        }
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        if stored.muster != TAG {
            return Err(bad(format!("it says {:?}", stored.muster)));
        }
        match canonical::to_bytes(&stored) {
            Ok(canonical) if canonical == bytes => Ok(stored.into()),
            _ => Err(bad("the same content, written in another way".into())),
        }
    }
}

impl From<Stored> for Bundle {
    fn from(stored: Stored) -> Self {
        let chain = |(node, envelopes): (NodeName, Vec<Value>)| {
            (node, envelopes.iter().map(bytes).collect())
        };
        let proof = |(node, [first, second]): (NodeName, [Value; 2])| {
            (node, Proof { first: bytes(&first), second: bytes(&second) })
        };
        Self {
            network: stored.network,
            plan: stored.plan,
            documents: stored.documents.into(),
            chains: stored.chains.into_iter().map(chain).collect(),
            beacons: stored.beacons.iter().map(|(node, it)| (node.clone(), bytes(it))).collect(),
            proofs: stored.proofs.into_iter().map(proof).collect(),
        }
    }
}

/// An envelope as JSON; what is none stands as `null` and is refused when it is read.
fn value(envelope: &[u8]) -> Value {
    serde_json::from_slice(envelope).unwrap_or_default()
}

fn bytes(envelope: &Value) -> Vec<u8> {
    envelope.to_string().into_bytes()
}
