//! Why bytes were refused. Every variant has a stable code and says what to do.

use std::sync::Arc;

use jiff::Timestamp;

use crate::documents::Digest;
use crate::documents::canonical::DocumentError;

/// Why metadata, a target or a whole root of trust was refused. Nothing changed.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what its fields are")]
pub enum TrustError {
    /// More bytes than this file may have.
    #[error("T001: {what} has {bytes} bytes, more than the {limit} that are read; refused unread")]
    TooLarge { what: String, bytes: usize, limit: usize },
    /// No such JSON, or not this kind of metadata.
    #[error("T002: {what} is no TUF metadata of its kind; ask another board for it")]
    Malformed {
        what: String,
        #[source]
        source: Arc<sigstore_tuf::Error>,
    },
    /// Fewer good signatures than the role asks for.
    #[error(
        "T003: {role} carries {found} good signatures of the {threshold} it needs; \
         refused until enough officers have signed these very bytes"
    )]
    UnderSigned { role: String, found: usize, threshold: usize },
    /// Past its date.
    #[error("T004: {role} expired at {expires}; its signers must sign a new one")]
    Expired { role: String, expires: Timestamp },
    /// Older than what is held.
    #[error("T005: {role} went back from version {held} to {offered}; what is held stays")]
    Rollback { role: String, held: u64, offered: u64 },
    /// Roots go up by one.
    #[error(
        "T006: root {offered} does not follow root {held}; the roots in between must come first"
    )]
    RootGap { held: u64, offered: u64 },
    /// Another file than the one that was pinned: mix and match.
    #[error("T007: {what} is not the file that is pinned for it; ask another board for it")]
    Mismatch {
        what: String,
        #[source]
        source: Option<Arc<sigstore_tuf::Error>>,
    },
    /// Nothing that is trusted names it.
    #[error("T008: nothing that is trusted names {what}; it is not taken")]
    Unlisted { what: String },
    /// `root` or `targets` gives nobody the right to sign it.
    #[error("T009: no keys are named for {role}; officers must name them in root or targets")]
    UnknownRole { role: String },
    /// One key id signed twice.
    #[error("T010: {role} carries two signatures of key {key_id}; merge the signatures anew")]
    DuplicateSignature { role: String, key_id: String },
    /// One public key under two ids would count twice.
    #[error(
        "T011: {role} lists one public key under two ids ({first} and {second}); \
         it would count twice towards the threshold"
    )]
    OneKeyTwice { role: String, first: String, second: String },
    /// Not an ed25519 key in the one form that is used here.
    #[error(
        "T012: key {key_id} is not an ed25519 key in lower-case hex under its own id; \
         make keys with `muster key new`"
    )]
    KeyShape { key_id: String },
    /// A threshold that cannot be met, or that asks nothing.
    #[error("T013: {role} asks for {threshold} of {keys} keys that it can have; nobody could sign")]
    RoleShape { role: String, threshold: usize, keys: usize },
    /// Top-level `targets` only hands out keys.
    #[error("T014: top-level targets lists the file {path}; it may only name the keys of roles")]
    TargetsListsFiles { path: String },
    /// A delegated role may not delegate.
    #[error("T015: {role} delegates further; keys are named in targets only")]
    Subdelegation { role: String },
    /// A role that this version of Muster does not know, or twice the same.
    #[error("T016: targets delegates {role} in a way that is not understood here: {why}")]
    Delegation { role: String, why: &'static str },
    /// The role may not say anything about this path.
    #[error("T017: {role} lists {path}, which lies outside of the paths it may sign for")]
    PathOutside { role: String, path: String },
    /// The document is another one than its path says.
    #[error("T018: {path} holds {found}: a document counts only at its own path")]
    PathMismatch { path: String, found: String },
    /// It verified, and is no document of a version that is understood here.
    #[error("T019: {path} verified, and is not a document that is understood here")]
    Document {
        path: String,
        #[source]
        source: Arc<DocumentError>,
    },
    /// Listed by its role, and not delivered; what depends on it waits.
    #[error("T021: {what} is named by what is trusted and was not delivered; waiting for it")]
    Withheld { what: String },
    /// It would push the floor of time past what the publisher vouches for.
    #[error(
        "T022: {path} says it was issued at {issued}, later than the timestamp vouches for ({limit})"
    )]
    IssuedInFuture { path: String, issued: Timestamp, limit: Timestamp },
    /// This root is not for this network.
    #[error("T023: this root serves {served:?}, not {network}; use the root of {network}")]
    OtherNetwork { network: String, served: Vec<String> },
    /// Not the root that was named out of band.
    #[error("T024: the first root has {found}, and {expected} was named; do not trust this file")]
    NotThePinnedRoot { expected: Digest, found: Digest },
    /// Two contents under one version: the publisher's key signs in two places.
    #[error(
        "T025: two different files of {role} carry version {version}; the publisher's key is used \
         in two places or stolen, what was held first stays"
    )]
    TwoContents { role: String, version: u64 },
    /// A pin without length or SHA-256 pins nothing.
    #[error("T026: {role} names {name} without length and sha256; the publisher must name both")]
    Unpinned { role: String, name: String },
    /// More entries than are read.
    #[error("T027: {what} has {count} entries, more than the {limit} that are read")]
    TooMany { what: String, count: usize, limit: usize },
    /// Nothing new is taken on an expired timestamp or snapshot.
    #[error("T028: {what} is not taken while timestamp or snapshot are expired; ask another board")]
    NotFresh { what: String },
    /// The member `muster` of root or targets is missing or not understood.
    #[error("T029: the member `muster` of {role} is missing or not understood here: {why}")]
    MusterMember { role: String, why: String },
}

impl TrustError {
    /// The stable code, such as `T003`.
    pub fn code(&self) -> &'static str {
        use TrustError::*;
        match self {
            TooLarge { .. } => "T001",
            Malformed { .. } => "T002",
            UnderSigned { .. } => "T003",
            Expired { .. } => "T004",
            Rollback { .. } => "T005",
            RootGap { .. } => "T006",
            Mismatch { .. } => "T007",
            Unlisted { .. } => "T008",
            UnknownRole { .. } => "T009",
            DuplicateSignature { .. } => "T010",
            OneKeyTwice { .. } => "T011",
            KeyShape { .. } => "T012",
            RoleShape { .. } => "T013",
            TargetsListsFiles { .. } => "T014",
            Subdelegation { .. } => "T015",
            Delegation { .. } => "T016",
            PathOutside { .. } => "T017",
            PathMismatch { .. } => "T018",
            Document { .. } => "T019",
            Withheld { .. } => "T021",
            IssuedInFuture { .. } => "T022",
            OtherNetwork { .. } => "T023",
            NotThePinnedRoot { .. } => "T024",
            TwoContents { .. } => "T025",
            Unpinned { .. } => "T026",
            TooMany { .. } => "T027",
            NotFresh { .. } => "T028",
            MusterMember { .. } => "T029",
        }
    }

    /// What the verifier said of `what`, in our words.
    pub(super) fn of(what: &str, error: sigstore_tuf::Error) -> Self {
        use sigstore_tuf::Error as E;
        match error {
            E::ThresholdNotMet { role, found, threshold } => {
                Self::UnderSigned { role, found, threshold }
            }
            E::Expired { role, expires } => Self::Expired { role, expires },
            E::Rollback { role, trusted, new } => {
                Self::Rollback { role, held: trusted, offered: new }
            }
            E::BadRootVersion { trusted, new } if new > trusted => {
                Self::RootGap { held: trusted, offered: new }
            }
            E::BadRootVersion { trusted, new } => {
                Self::Rollback { role: "root".into(), held: trusted, offered: new }
            }
            E::UnknownRole(role) => Self::UnknownRole { role },
            E::DuplicateSignature { role, key_id } => Self::DuplicateSignature { role, key_id },
            E::EqualVersion { role, version } => Self::TwoContents { role, version },
            E::IntegrityMismatch(_) => {
                Self::Mismatch { what: what.into(), source: Some(Arc::new(error)) }
            }
            E::NotRefreshed => Self::NotFresh { what: what.into() },
            _ => Self::Malformed { what: what.into(), source: Arc::new(error) },
        }
    }
}

/// Why the trust state file was refused. The program must not run, and must not start over.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what its fields are")]
pub enum StateError {
    /// Present, and not what was written.
    #[error(
        "T040: {path} is damaged ({why}); nothing runs on a doubtful memory. Restore the file from a \
         backup, or enrol anew with `init` and a root checked out of band"
    )]
    Corrupt { path: String, why: String },
    /// Whole, but it no longer verifies.
    #[error("T041: {path} is whole, and what it holds does not verify; enrol anew with `init`")]
    Unverified {
        path: String,
        #[source]
        source: TrustError,
    },
    /// It could not be read or written.
    #[error("T042: cannot {action} {path}")]
    Io {
        action: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
}

impl StateError {
    /// The stable code, such as `T040`.
    pub fn code(&self) -> &'static str {
        match self {
            StateError::Corrupt { .. } => "T040",
            StateError::Unverified { .. } => "T041",
            StateError::Io { .. } => "T042",
        }
    }
}
