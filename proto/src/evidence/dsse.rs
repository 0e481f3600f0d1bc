//! DSSE envelopes over canonical JSON, signed with an agent's ed25519 key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Beacon, Receipt};
use crate::documents::PublicKey;
use crate::documents::canonical;

/// What an envelope may carry; the type string is part of what is signed.
pub trait Payload: Serialize + DeserializeOwned {
    /// DSSE payload type.
    const TYPE: &'static str;
}

impl Payload for Receipt {
    const TYPE: &'static str = "application/vnd.muster.receipt.v1+json";
}

impl Payload for Beacon {
    const TYPE: &'static str = "application/vnd.muster.beacon.v1+json";
}

/// A signed payload, before anything in it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    signature: [u8; 64],
}

/// Why an envelope was refused.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// No DSSE JSON, wrong payload type, or not exactly one ed25519 signature.
    #[error("V001: not a DSSE envelope of this type with one ed25519 signature: {0}")]
    Shape(&'static str),
    /// The signature is not this key's over these bytes.
    #[error("V002: the signature is not {key}'s over these bytes")]
    Signature {
        /// Whose signature was expected.
        key: PublicKey,
    },
    /// It verified, and still does not parse as the payload.
    #[error("V003: signed, but not a payload of this version")]
    Payload(#[source] serde_json::Error),
    /// It verified and parses, and is not in canonical form.
    #[error("V004: signed, but not canonical JSON")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs `payload` and returns the envelope.
    ///
    /// # Errors
    /// When the payload has no canonical form.
    pub fn sign<P: Payload>(
        payload: &P,
        key: &ed25519_dalek::SigningKey,
    ) -> Result<Self, canonical::NotCanonical> {
        let payload = canonical::to_bytes(payload)?;
        let signature = key.sign(&pre_authentication(P::TYPE, &payload)).to_bytes();
        Ok(Self { payload, signature })
    }

    /// Reads an envelope that says it carries a `P`.
    ///
    /// # Errors
    /// [`EnvelopeError::Shape`].
    pub fn parse<P: Payload>(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let shape = |what| EnvelopeError::Shape(what);
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| shape("no such JSON"))?;
        if wire.payload_type != P::TYPE {
            return Err(shape("another payload type"));
        }
        let [only] = wire.signatures.as_slice() else {
            return Err(shape("not exactly one signature"));
        };
        let payload = STANDARD.decode(&wire.payload).map_err(|_| shape("payload not base64"))?;
        let signature = STANDARD.decode(&only.sig).map_err(|_| shape("signature not base64"))?;
        let signature = signature.try_into().map_err(|_| shape("signature not 64 bytes"))?;
        Ok(Self { payload, signature })
    }

    /// Checks the signature, then parses the payload.
    ///
    /// # Errors
    /// Every variant but [`EnvelopeError::Shape`].
    pub fn open<P: Payload>(&self, key: &PublicKey) -> Result<P, EnvelopeError> {
        if !key.verifies(&pre_authentication(P::TYPE, &self.payload), &self.signature) {
            return Err(EnvelopeError::Signature { key: *key });
        }
        let payload: P = serde_json::from_slice(&self.payload).map_err(EnvelopeError::Payload)?;
        let canonical = canonical::to_bytes(&payload).map_err(|_| EnvelopeError::NotCanonical)?;
        if canonical != self.payload { Err(EnvelopeError::NotCanonical) } else { Ok(payload) }
    }

    /// Parses without checking the signature, to learn whose key to check it with.
    ///
    /// # Errors
    /// [`EnvelopeError::Payload`].
    pub fn claimed<P: Payload>(&self) -> Result<P, EnvelopeError> {
        serde_json::from_slice(&self.payload).map_err(EnvelopeError::Payload)
    }

    /// The canonical JSON that is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The envelope as it travels.
    pub fn to_bytes<P: Payload>(&self) -> Vec<u8> {
        let wire = Wire {
            payload_type: P::TYPE.into(),
            payload: STANDARD.encode(&self.payload),
            signatures: vec![WireSignature {
                keyid: String::new(),
                sig: STANDARD.encode(self.signature),
            }],
        };
        serde_json::to_vec(&wire).expect("strings always serialize")
    }
}

/// DSSE's pre-authentication encoding: `DSSEv1 SP len SP type SP len SP payload`.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
impl Envelope {
    /// Signs bytes that no honest agent would.
    pub(crate) fn raw<P: Payload>(payload: Vec<u8>, key: &ed25519_dalek::SigningKey) -> Self {
        let signature = key.sign(&pre_authentication(P::TYPE, &payload)).to_bytes();
        Self { payload, signature }
    }
}
