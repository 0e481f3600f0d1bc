//! Signatures from different places come together.

use std::collections::BTreeSet;

use super::check::Quorum;
use super::{Checked, DetachedSig, DraftError};
use crate::trust::metadata::envelope;
use crate::trust::offer::Publication;

/// The metadata with the signatures so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The metadata file; for the very first root this is `1.root.json`.
    pub metadata: Vec<u8>,
    /// How far each quorum is. A root that follows another has two: the old one's and its own.
    pub needs: Vec<Need>,
    publication: Publication,
}

/// How far one quorum is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Such as `hotfix`, or `root 3`.
    pub of: String,
    /// Signatures needed.
    pub threshold: usize,
    /// Who has signed.
    pub have: Vec<String>,
    /// Who could still sign.
    pub missing: Vec<String>,
}

impl Need {
    /// Whether enough have signed.
    pub fn met(&self) -> bool {
        self.have.len() >= self.threshold
    }
}

impl Merged {
    /// Whether every quorum has enough signatures.
    pub fn complete(&self) -> bool {
        self.needs.iter().all(Need::met)
    }

    /// Whose signatures are missing, in words; none when complete.
    pub fn missing(&self) -> Vec<String> {
        let open = self.needs.iter().filter(|need| !need.met());
        let say = |need: &Need| {
            let lacking = need.threshold - need.have.len();
            format!("{}: {lacking} more of {}", need.of, need.missing.join(", "))
        };
        open.map(say).collect()
    }

    /// What is handed to a board; none while signatures are missing.
    pub fn publication(&self) -> Option<&Publication> {
        self.complete().then_some(&self.publication)
    }
}

impl Checked {
    /// Puts signatures together. Too few are no error; see [`Merged::missing`].
    ///
    /// # Errors
    /// [`DraftError::BadSignature`] for one over other bytes, [`DraftError::Duplicate`],
    /// [`DraftError::ForeignKey`].
    pub fn merge(&self, signatures: &[DetachedSig]) -> Result<Merged, DraftError> {
        let mut signed = BTreeSet::new();
        for signature in signatures {
            let person = self.person(&signature.keyid)?;
            let name = || person.name.clone();
            if !signed.insert(signature.keyid.as_str()) {
                return Err(DraftError::Duplicate { name: name() });
            }
            let mut sig = [0; 64];
            let whole = hex::decode_to_slice(&signature.sig, &mut sig).is_ok();
            if !whole || !person.key.verifies(&self.derived.signed, &sig) {
                return Err(DraftError::BadSignature { name: name() });
            }
        }
        let metadata = envelope(&self.derived.signed, signatures);
        let publication = Publication {
            role: self.derived.role.clone(),
            metadata: metadata.clone(),
            targets: self.derived.files.clone(),
        };
        let needs = self.quorums.iter().map(|quorum| need(quorum, &signed)).collect();
        Ok(Merged { metadata, needs, publication })
    }
}

fn need(quorum: &Quorum, signed: &BTreeSet<&str>) -> Need {
    let named = |has_signed: bool| {
        let people =
            quorum.keys.iter().filter(|(id, _)| signed.contains(id.as_str()) == has_signed);
        let mut names: Vec<_> = people.map(|(_, person)| person.name.clone()).collect();
        names.sort();
        names
    };
    Need {
        of: quorum.of.clone(),
        threshold: quorum.threshold,
        have: named(true),
        missing: named(false),
    }
}
