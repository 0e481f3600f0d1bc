//! Why the desk refuses: what, where, why, and what to do, with a stable code.

use muster_proto::documents::PublicKey;
use tonic::{Code, Status};

use crate::config::Right;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Nobody with that key is known.
    #[error(
        "C100: the key {0} is not listed at this desk; ask the controller's operator to list it \
         under `people`"
    )]
    Unlisted(PublicKey),
    /// Known, without the right.
    #[error("C101: {person} has no right to {right} here; ask the controller's operator")]
    Right {
        /// Name in the configuration.
        person: String,
        /// Which.
        right: Right,
    },
    /// The board serves another network.
    #[error("C102: this board serves {served}, not {asked:?}; check the address or the network")]
    Network {
        /// The board's.
        served: String,
        /// The caller's.
        asked: String,
    },
    /// Somebody else published in between, or a version was left out.
    #[error(
        "C103: {role} has moved on: the board's next version is {next}, this is {found}; freeze \
         again and have it signed again"
    )]
    MovedOn {
        /// Which role.
        role: String,
        /// What the board would take.
        next: u64,
        /// What came.
        found: u64,
    },
    /// It does not verify, or does not mean what its place says.
    #[error("C104: refused, as every agent would refuse it: {subject}: {why}")]
    Refused {
        /// Role or target path.
        subject: String,
        /// The verifier's words, its code first.
        why: String,
    },
    /// No online keys here.
    #[error(
        "C105: this board has no publisher keys; publish from the host that has them, with \
         snapshot and timestamp"
    )]
    NoPublisher,
    /// The online keys are not those that the root names.
    #[error(
        "C106: the root does not name this board's {role} key; rotate the root to this key, or \
         configure the key that it names"
    )]
    PublisherKey {
        /// `snapshot` or `timestamp`.
        role: &'static str,
    },
    /// A message or a part of it is too large.
    #[error("C107: {what} has {bytes} bytes, at most {limit}")]
    TooLarge {
        /// Which part.
        what: String,
        /// Found.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// No such role can be published.
    #[error(
        "C108: {0:?} is no role that officers publish: root, targets, roster, release, hotfix, drill, emergency"
    )]
    Role(String),
    /// No version can be read from it.
    #[error("C109: {role}: this is no signed metadata: {why}")]
    Metadata {
        /// Which role.
        role: String,
        /// What is wrong.
        why: String,
    },
    /// A hold out of bounds.
    #[error(
        "C110: a hold lasts from 1 to {most} seconds, not {asked}; renew it when it is needed longer"
    )]
    HoldTime {
        /// Asked for.
        asked: u32,
        /// The limit.
        most: u32,
    },
    /// No such plan.
    #[error(
        "C111: the board carries no plan {class}/{serial}; `muster history` lists what it carries"
    )]
    NoPlan {
        /// Class as asked.
        class: String,
        /// Serial as asked.
        serial: u64,
    },
    /// A reason that cannot be shown.
    #[error("C112: a hold needs a reason of 1 to {0} characters in one line")]
    Reason(usize),
    /// The serial does not move forward.
    #[error("C113: plan {plan} cannot follow: {why}; freeze again with the next serial")]
    Serial {
        /// Class and serial.
        plan: String,
        /// The ledger's words.
        why: String,
    },
    /// The controller stops, or its store failed.
    #[error("C114: this board is going down; nothing was published: try again, or at another one")]
    GoingDown,
}

impl From<DeskError> for Status {
    fn from(error: DeskError) -> Status {
        let code = match error {
            DeskError::Unlisted(_) | DeskError::Right { .. } => Code::PermissionDenied,
            DeskError::MovedOn { .. } | DeskError::Serial { .. } => Code::Aborted,
            DeskError::Network { .. }
            | DeskError::NoPublisher
            | DeskError::PublisherKey { .. }
            | DeskError::Refused { .. } => Code::FailedPrecondition,
            DeskError::NoPlan { .. } => Code::NotFound,
            DeskError::GoingDown => Code::Unavailable,
            DeskError::TooLarge { .. }
            | DeskError::Role(_)
            | DeskError::Metadata { .. }
            | DeskError::HoldTime { .. }
            | DeskError::Reason(_) => Code::InvalidArgument,
        };
        Status::new(code, error.to_string())
    }
}
