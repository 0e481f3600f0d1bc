//! The one flow of every signed document: freeze, sign, merge.
//!
//! `freeze` writes one file that holds everything. Whoever signs verifies it against the root that he
//! pinned himself, derives what is signed anew and refuses any difference. Only `{keyid, sig}` leaves
//! his machine; `merge` puts the pieces together and says whose are missing.

mod check;
mod derive;
mod error;
mod file;
mod merge;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::driver::Trust;
use super::offer::Offer;
use crate::documents::keys::{KeysSpec, RootSpec};
use crate::documents::{Abort, Plan, Release, Roster};

pub use super::metadata::DetachedSig;
pub use check::{Checked, LONGEST_ROUND, OFFICER_SKEW};
pub use derive::{PLAN_KEPT, RELEASES_KEPT};
pub use error::DraftError;
pub use merge::{Merged, Need};

/// What kind of document is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The root of trust.
    Root,
    /// The keys of the delegated roles (TUF `targets`).
    Keys,
    /// A roster.
    Roster,
    /// A release.
    Release,
    /// A plan of any class.
    Plan,
    /// The abort of a plan.
    Abort,
}

/// The document itself, typed.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Becomes TUF `root`.
    Root(RootSpec),
    /// Becomes TUF `targets`.
    Keys(KeysSpec),
    /// Becomes a target of role `roster`.
    Roster(Roster),
    /// Becomes a target of role `release`, with its genesis file if it replaces that.
    Release(Release, Option<Vec<u8>>),
    /// Becomes a target of the role of its class.
    Plan(Box<Plan>),
    /// Becomes a target of role `abort`.
    Abort(Abort),
}

/// A document on its way to its signatures: one file, complete, checked offline.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What it is.
    pub kind: Kind,
    /// The role whose metadata is signed.
    pub role: String,
    /// Target path of the document; none for root and keys.
    pub path: Option<String>,
    /// When it was frozen, in whole seconds; dates are derived from it.
    pub frozen_at: Timestamp,
    /// What is signed: the role's next metadata, canonical.
    pub signed: Vec<u8>,
    /// Contents of the new targets, by path.
    pub targets: BTreeMap<String, Vec<u8>>,
    /// Root or keys as officers wrote them, or the text that a plan was frozen from.
    pub spec: Option<serde_json::Value>,
    /// The whole board as it was when this was frozen.
    pub board: Offer,
}

impl Document {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Document::Root(_) => Kind::Root,
            Document::Keys(_) => Kind::Keys,
            Document::Roster(_) => Kind::Roster,
            Document::Release(..) => Kind::Release,
            Document::Plan(_) => Kind::Plan,
            Document::Abort(_) => Kind::Abort,
        }
    }
}

/// Freezes a root: the very first one when there is no board yet.
///
/// # Errors
/// [`DraftError`].
pub fn freeze_root(
    spec: &RootSpec,
    previous: Option<&Trust>,
    now: Timestamp,
) -> Result<Draft, DraftError> {
    freeze(Document::Root(spec.clone()), previous, now)
}

/// Freezes the keys of the delegated roles.
///
/// # Errors
/// [`DraftError`].
pub fn freeze_targets(spec: &KeysSpec, trust: &Trust, now: Timestamp) -> Result<Draft, DraftError> {
    freeze(Document::Keys(spec.clone()), Some(trust), now)
}

/// Freezes a roster.
///
/// # Errors
/// [`DraftError`].
pub fn freeze_roster(roster: &Roster, trust: &Trust, now: Timestamp) -> Result<Draft, DraftError> {
    freeze(Document::Roster(roster.clone()), Some(trust), now)
}

/// Freezes a release, with the genesis file that it replaces, if it does.
///
/// # Errors
/// [`DraftError`].
pub fn freeze_release(
    release: &Release,
    genesis: Option<Vec<u8>>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Draft, DraftError> {
    freeze(Document::Release(release.clone(), genesis), Some(trust), now)
}

/// Freezes a plan.
///
/// # Errors
/// [`DraftError`].
pub fn freeze_plan(plan: &Plan, trust: &Trust, now: Timestamp) -> Result<Draft, DraftError> {
    freeze(Document::Plan(Box::new(plan.clone())), Some(trust), now)
}

/// Freezes the abort of a plan that the board lists.
///
/// # Errors
/// [`DraftError`].
pub fn freeze_abort(abort: &Abort, trust: &Trust, now: Timestamp) -> Result<Draft, DraftError> {
    freeze(Document::Abort(abort.clone()), Some(trust), now)
}

fn freeze(document: Document, board: Option<&Trust>, now: Timestamp) -> Result<Draft, DraftError> {
    let frozen_at = super::metadata::whole_seconds(now);
    let derived = derive::derive(&document, board, frozen_at)?;
    Ok(Draft {
        kind: document.kind(),
        role: derived.role,
        path: derived.path,
        frozen_at,
        signed: derived.signed,
        targets: derived.files,
        spec: file::spec_of(&document),
        board: board.map(|trust| trust.offer(0)).unwrap_or_default(),
    })
}
