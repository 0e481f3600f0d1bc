//! An agent's enrolment: it travels out of band, by hand, and proves that its key is held.

use std::net::SocketAddr;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};

use crate::documents::canonical;
use crate::documents::ids::{Digest, NodeName, OperatorAddress, PublicKey};

/// Keeps a signature over an enrolment from being one over anything else.
const CONTEXT: &[u8] = b"muster enrol/v1\n";

/// What an agent asks the officers to put into the roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// Always `enrol/v1`.
    pub muster: String,
    /// Whose roster.
    pub network: String,
    /// The node's name.
    pub name: NodeName,
    /// The agent's key.
    pub key: PublicKey,
    /// The node's operator address, if the agent knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorAddress>,
    /// `ip:port` of the probe.
    pub endpoint: SocketAddr,
    /// Whom to call.
    pub contact: String,
}

/// Why an enrolment was refused.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No such file.
    #[error("D005: not an enrolment (`NAME.enrol` as `muster-agent init` writes it)")]
    Shape(#[source] serde_json::Error),
    /// Another version.
    #[error("D006: expected enrol/v1, found {0:?}")]
    Kind(String),
    /// The signature is not the key's own.
    #[error("D007: the enrolment of {0} is not signed by the key it names; ask for the file again")]
    Signature(NodeName),
}

/// The file: the enrolment's fields and the signature beside them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    muster: String,
    network: String,
    name: NodeName,
    key: PublicKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator: Option<OperatorAddress>,
    endpoint: SocketAddr,
    contact: String,
    signature: String,
}

impl Enrol {
    /// The tag.
    pub const KIND: &'static str = "enrol/v1";

    /// The file, signed by the agent's key.
    pub fn sign(&self, key: &ed25519_dalek::SigningKey) -> Vec<u8> {
        let signature = hex::encode(key.sign(&self.message()).to_bytes());
        let this = self.clone();
        let file = File {
            muster: this.muster,
            network: this.network,
            name: this.name,
            key: this.key,
            operator: this.operator,
            endpoint: this.endpoint,
            contact: this.contact,
            signature,
        };
        let mut bytes = serde_json::to_vec_pretty(&file).expect("strings always serialize");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a file and checks that the key it names has signed it.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn open(bytes: &[u8]) -> Result<Self, EnrolError> {
        let file: File = serde_json::from_slice(bytes).map_err(EnrolError::Shape)?;
        if file.muster != Self::KIND {
            return Err(EnrolError::Kind(file.muster));
        }
        let mut signature = [0; 64];
        let decoded = hex::decode_to_slice(&file.signature, &mut signature).is_ok();
        let enrol = Self {
            muster: file.muster,
            network: file.network,
            name: file.name,
            key: file.key,
            operator: file.operator,
            endpoint: file.endpoint,
            contact: file.contact,
        };
        match decoded && enrol.key.verifies(&enrol.message(), &signature) {
            true => Ok(enrol),
            false => Err(EnrolError::Signature(enrol.name)),
        }
    }

    /// What two people compare by telephone: the digest of all that is asked for.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.message())
    }

    fn message(&self) -> Vec<u8> {
        let body = canonical::to_bytes(self).expect("an enrolment is strings only");
        [CONTEXT, &body].concat()
    }
}
