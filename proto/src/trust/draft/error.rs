//! Why a draft was refused.

use jiff::Timestamp;

use crate::documents::PlanId;
use crate::documents::canonical::{DocumentError, NotCanonical};
use crate::documents::keys::BadSpec;
use crate::trust::error::TrustError;

/// Why a document was not frozen, signed or merged. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what its fields are")]
pub enum DraftError {
    /// The root or the keys cannot be signed like this.
    #[error(transparent)]
    Spec(#[from] BadSpec),
    /// The board does not verify.
    #[error(transparent)]
    Board(#[from] TrustError),
    /// The file is no draft.
    #[error("T070: this is no draft, or it is damaged: {why}; freeze it again")]
    NotADraft { why: String },
    /// The document in it is none.
    #[error("T071: the document at {path} is not understood; freeze it again")]
    Document {
        path: String,
        #[source]
        source: DocumentError,
    },
    /// It holds something that has no canonical form.
    #[error(
        "T072: the document has no canonical form; write its texts with composed letters, without \
         control characters and fractions"
    )]
    NotCanonical(#[source] Option<NotCanonical>),
    /// The document is for other people's network.
    #[error("T073: this document is for {found}, and the board serves {network}")]
    OtherNetwork { found: String, network: String },
    /// What is signed is not what follows from document and board: somebody changed the draft.
    #[error(
        "T074: {what} differs from what follows from the document and the board; do not sign, ask who \
         froze it, freeze it again"
    )]
    Differs { what: &'static str },
    /// The role has a newer version than the draft counts on.
    #[error(
        "T075: {role} has moved on: this draft is version {drafted}, the next is {next}; freeze it again"
    )]
    Moved { role: String, drafted: u64, next: u64 },
    /// Frozen too long ago, or by a clock that is ahead.
    #[error("T076: frozen at {frozen_at}, and it is {now}; freeze it again")]
    Age { frozen_at: Timestamp, now: Timestamp },
    /// The spec's version is not the next.
    #[error("T077: {what} says version {found}, and the next is {next}")]
    Version { what: &'static str, found: u64, next: u64 },
    /// A plan's serial is used, or skips too many.
    #[error("T078: serial {serial} cannot be the next after {last}; choose one from {} to {}", last + 1, last + 1000)]
    Serial { serial: u64, last: u64 },
    /// A released version never changes.
    #[error(
        "T079: release {version} is out with other content; a release never changes, give it a new version"
    )]
    Released { version: String },
    /// The genesis file does not belong to the release.
    #[error("T080: the genesis file is not the one that release {version} names; freeze it again")]
    Genesis { version: String },
    /// A plan must not outlive what it rests on.
    #[error(
        "T081: the plan is valid until {until}, and {what} expires at {expires}; renew {what} first, or end the plan sooner"
    )]
    Outlives { what: String, expires: Timestamp, until: Timestamp },
    /// The role lists all it can.
    #[error(
        "T082: {role} lists {count} targets; {limit} is the most. Let plans end before new ones are frozen"
    )]
    Full { role: String, count: usize, limit: usize },
    /// That key's signature would not count.
    #[error("T083: key {keyid} has no say in {role}; it is signed by {}", names.join(", "))]
    ForeignKey { keyid: String, role: String, names: Vec<String> },
    /// Not a signature over these bytes.
    #[error(
        "T084: the signature of {name} is not over this draft; {name} must sign this very file"
    )]
    BadSignature { name: String },
    /// One key twice.
    #[error("T085: two signatures of {name} were given; give one")]
    Duplicate { name: String },
    /// The document was issued at another time than it was frozen.
    #[error(
        "T086: the document says it was issued at {issued}, later than it was frozen at {frozen_at}"
    )]
    Issued { issued: Timestamp, frozen_at: Timestamp },
    /// Nobody could follow it, or it is aborted by another text.
    #[error("T088: {plan} cannot be aborted: {why}")]
    Abort { plan: PlanId, why: &'static str },
    /// The first root has no board, all else needs one.
    #[error("T087: {why}")]
    Pinned { why: &'static str },
}

impl DraftError {
    /// The stable code, such as `T074`.
    pub fn code(&self) -> &'static str {
        use DraftError::*;
        match self {
            Spec(error) => error.code(),
            Board(error) => error.code(),
            NotADraft { .. } => "T070",
            Document { .. } => "T071",
            NotCanonical(_) => "T072",
            OtherNetwork { .. } => "T073",
            Differs { .. } => "T074",
            Moved { .. } => "T075",
            Age { .. } => "T076",
            Version { .. } => "T077",
            Serial { .. } => "T078",
            Released { .. } => "T079",
            Genesis { .. } => "T080",
            Outlives { .. } => "T081",
            Full { .. } => "T082",
            ForeignKey { .. } => "T083",
            BadSignature { .. } => "T084",
            Duplicate { .. } => "T085",
            Issued { .. } => "T086",
            Pinned { .. } => "T087",
            Abort { .. } => "T088",
        }
    }
}
