//! What an officer's machine does with a draft before a key is touched.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sigstore_tuf::{Metadata, Root};

use super::derive::{Derived, derive};
use super::{DetachedSig, Document, Draft, DraftError};
use crate::documents::PublicKey;
use crate::documents::keys::SigningRole;
use crate::trust::driver::Trust;
use crate::trust::error::TrustError;
use crate::trust::keys::{SecretKey, key_id};
use crate::trust::metadata::envelope;
use crate::trust::shape;
use crate::trust::view::RoleView;

/// A draft may wait this long for its last signature.
pub const LONGEST_ROUND: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Clocks of officers may differ by this much.
pub const OFFICER_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A draft that follows from its document and a board that verified against one's own root. The only
/// thing that can be signed.
#[derive(Debug, Clone)]
pub struct Checked {
    pub(super) document: Document,
    pub(super) derived: Derived,
    pub(super) trust: Option<Trust>,
    pub(super) quorums: Vec<Quorum>,
}

/// Whose signatures make it valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quorum {
    /// Such as `hotfix`, or `root 3`.
    pub(super) of: String,
    pub(super) threshold: usize,
    pub(super) keys: BTreeMap<String, Person>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) key: PublicKey,
}

impl Draft {
    /// Verifies the board in the draft against `pinned` (one's own trust; none for the very first
    /// root), derives everything anew and refuses any difference.
    ///
    /// # Errors
    /// [`DraftError`]; do not sign.
    pub fn verify(&self, pinned: Option<&Trust>, now: Timestamp) -> Result<Checked, DraftError> {
        let (frozen_at, oldest) = (self.frozen_at, now - LONGEST_ROUND);
        if frozen_at > now + OFFICER_SKEW || frozen_at < oldest {
            return Err(DraftError::Age { frozen_at, now });
        }
        let (trust, doubt) = match pinned {
            Some(pinned) => {
                let (trust, doubt) = self.board_as_seen_by(pinned);
                (Some(trust), doubt)
            }
            None => (None, None),
        };
        if trust.is_none() && !self.board.is_empty() {
            return Err(DraftError::Pinned {
                why: "this draft rests on a board, and no root is pinned here; pin one first",
            });
        }
        let document = self.document()?;
        let drafted = version_of(&self.signed)?;
        let derived =
            derive(&document, trust.as_ref(), frozen_at).map_err(|error| rather(error, doubt))?;
        if derived.version != drafted {
            let (role, next) = (derived.role, derived.version);
            return Err(DraftError::Moved { role, drafted, next });
        }
        self.same_as(&derived)?;
        still_alive(trust.as_ref(), &derived, now)?;
        let quorums = quorums(trust.as_ref(), &derived)?;
        Ok(Checked { document, derived, trust, quorums })
    }

    /// The board as one's own trust believes it, and the first thing that it does not believe. What
    /// is signed is derived from what is believed; a doubt matters only where something is missing.
    fn board_as_seen_by(&self, pinned: &Trust) -> (Trust, Option<TrustError>) {
        let mut trust = pinned.clone();
        // As of the moment of freezing: the timestamp in the draft has expired since.
        let taken = trust.take(&self.board, self.frozen_at);
        let concerns = |subject: &str| {
            let first = subject.split('/').next().unwrap_or_default();
            [self.role.as_str(), "root", "timestamp", "snapshot", "targets"].contains(&first)
        };
        // Contents of a role that is missing: the role itself is what is said.
        let stray = |error: &TrustError| matches!(error, TrustError::Unlisted { .. });
        let mut refused = taken.refused.into_iter();
        let doubt = refused.find(|it| concerns(&it.subject) && !stray(&it.error));
        (trust, doubt.map(|refused| refused.error))
    }

    fn same_as(&self, derived: &Derived) -> Result<(), DraftError> {
        let differs = |what| Err(DraftError::Differs { what });
        match () {
            () if self.role != derived.role => differs("the role"),
            () if self.path != derived.path => differs("the path"),
            () if self.targets != derived.files => differs("a file"),
            () if self.signed != derived.signed => differs("what is to be signed"),
            () => Ok(()),
        }
    }
}

impl Checked {
    /// What is signed, typed.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The role whose metadata is signed.
    pub fn role(&self) -> &str {
        &self.derived.role
    }

    /// The version that this will be of its role.
    pub fn version(&self) -> u64 {
        self.derived.version
    }

    /// When it expires.
    pub fn expires(&self) -> Timestamp {
        self.derived.expires
    }

    /// Targets that the role lists now and will not list any more.
    pub fn dropped(&self) -> &[String] {
        &self.derived.dropped
    }

    /// The board that it rests on, as verified here; none for the very first root.
    pub fn board(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// The roles of that board.
    pub fn roles(&self) -> Vec<RoleView> {
        self.trust.as_ref().map(Trust::roles).unwrap_or_default()
    }

    /// The bytes that are signed.
    pub fn signed(&self) -> &[u8] {
        &self.derived.signed
    }

    /// Signs it. Only this leaves the machine.
    ///
    /// # Errors
    /// [`DraftError::ForeignKey`] when the signature would not count.
    pub fn sign(&self, key: &SecretKey) -> Result<DetachedSig, DraftError> {
        let keyid = key_id(&key.public());
        self.person(&keyid)?;
        Ok(DetachedSig { keyid, sig: hex::encode(key.sign(&self.derived.signed)) })
    }

    /// Who has that key, when it has a say.
    pub(super) fn person(&self, keyid: &str) -> Result<&Person, DraftError> {
        let found = self.quorums.iter().find_map(|quorum| quorum.keys.get(keyid));
        found.ok_or_else(|| DraftError::ForeignKey {
            keyid: keyid.chars().take(64).collect(),
            role: self.derived.role.clone(),
            names: self.signers(),
        })
    }

    /// Names of everybody whose signature counts.
    pub fn signers(&self) -> Vec<String> {
        let people = self.quorums.iter().flat_map(|quorum| quorum.keys.values());
        let names: std::collections::BTreeSet<_> = people.map(|it| it.name.clone()).collect();
        names.into_iter().collect()
    }
}

/// Where something is missing because the draft's board was refused, the refusal says more.
fn rather(error: DraftError, doubt: Option<TrustError>) -> DraftError {
    use TrustError::{NotFresh, UnknownRole, Withheld};
    match (error, doubt) {
        (
            DraftError::Board(Withheld { .. } | UnknownRole { .. } | NotFresh { .. }),
            Some(doubt),
        ) => doubt.into(),
        (error, _) => error,
    }
}

fn version_of(signed: &[u8]) -> Result<u64, DraftError> {
    let bad = || DraftError::NotADraft { why: "what is to be signed has no version".into() };
    let value: serde_json::Value = serde_json::from_slice(signed).map_err(|_| bad())?;
    value.get("version").and_then(serde_json::Value::as_u64).ok_or_else(bad)
}

/// Nobody signs what is dead on arrival.
fn still_alive(trust: Option<&Trust>, derived: &Derived, now: Timestamp) -> Result<(), DraftError> {
    let above = trust.map(Trust::expiries).unwrap_or_default().into_iter();
    // A new root, and new keys, are the cure for expired ones.
    let cured = ["root", "targets"].contains(&derived.role.as_str());
    let above = above.filter(|(what, _)| !cured && ["root", "targets"].contains(&what.as_str()));
    let own = (derived.role.clone(), derived.expires);
    match above.chain([own]).find(|(_, expires)| *expires < now) {
        Some((role, expires)) => Err(TrustError::Expired { role, expires }.into()),
        None => Ok(()),
    }
}

fn quorums(trust: Option<&Trust>, derived: &Derived) -> Result<Vec<Quorum>, DraftError> {
    let unknown = || TrustError::UnknownRole { role: derived.role.clone() };
    if derived.role == "root" {
        let unsigned = envelope(&derived.signed, &[]);
        let new = Metadata::<Root>::from_slice(&unsigned)
            .map_err(|error| TrustError::of("root", error))?;
        let old = trust.map(|trust| of_root(trust.tuf.trusted_root(), "root")).transpose()?;
        return Ok(old.into_iter().chain([of_root(new.signed(), "root")?]).collect());
    }
    let trust = trust.ok_or_else(unknown)?;
    if derived.role == "targets" {
        let mut quorum = of_root(trust.tuf.trusted_root(), "targets")?;
        quorum.of = "targets".into();
        return Ok(vec![quorum]);
    }
    let role: SigningRole = derived.role.parse().map_err(|_| unknown())?;
    let delegation = trust.delegation(role).ok_or_else(unknown)?;
    let targets = trust.tuf.role("targets").ok_or_else(unknown)?;
    let keys = &targets.delegations.as_ref().ok_or_else(unknown)?.keys;
    let names = trust.keys_extra().unwrap_or_default().names;
    let (of, threshold) = (derived.role.clone(), delegation.threshold);
    Ok(vec![Quorum { of, threshold, keys: people(&delegation.keyids, keys, &names) }])
}

fn of_root(root: &Root, role: &str) -> Result<Quorum, TrustError> {
    let names = shape::root(root)?.names;
    let unknown = || TrustError::UnknownRole { role: role.into() };
    let quorum = root.role(role).ok_or_else(unknown)?;
    let of = format!("root {}", root.version);
    Ok(Quorum { of, threshold: quorum.threshold, keys: people(&quorum.keyids, &root.keys, &names) })
}

fn people(
    keyids: &[String],
    keys: &BTreeMap<String, sigstore_tuf::Key>,
    names: &BTreeMap<String, String>,
) -> BTreeMap<String, Person> {
    let person = |id: &String| {
        let key = keys.get(id)?.keyval.public.parse().ok()?;
        let name = names.get(id).cloned().unwrap_or_else(|| id.chars().take(8).collect());
        Some((id.clone(), Person { name, key }))
    };
    keyids.iter().filter_map(person).collect()
}
