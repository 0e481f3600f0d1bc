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
    #[error("C104: refused, as every agent would refuse it: {why}")]
    Refused {
        /// The verifier's words, its code first.
        why: String,
    },
    /// No online keys here.
    #[error(
        "C105: this board has no publisher keys and was given no snapshot and timestamp that pin \
         this document ({why}); publish from the host that has the keys"
    )]
    NoPublisher {
        /// The verifier's words, its code first.
        why: String,
    },
    /// The online keys are not those that the root names.
    #[error(
        "C106: this board's {role} key does not do for the root ({why}); rotate the root to this \
         key, or configure the key that it names"
    )]
    PublisherKey {
        /// `snapshot` or `timestamp`.
        role: &'static str,
        /// The publisher's words, its code first.
        why: String,
    },
    /// No such role can be published.
    #[error(
        "C107: {0:?} is no role that officers publish: root, targets, roster, release, hotfix, drill, emergency"
    )]
    Role(String),
    /// A hold out of bounds.
    #[error(
        "C108: a hold lasts from 1 to {most} seconds, not {asked}; renew it when it is needed longer"
    )]
    HoldTime {
        /// Asked for.
        asked: u32,
        /// The limit.
        most: u32,
    },
    /// No such plan.
    #[error(
        "C109: the board carries no plan {class}/{serial}; `muster history` lists what it carries"
    )]
    NoPlan {
        /// Class as asked.
        class: String,
        /// Serial as asked.
        serial: u64,
    },
    /// A reason that cannot be shown.
    #[error("C110: a hold needs a reason of 1 to {0} characters in one line")]
    Reason(usize),
    /// The serial does not move forward.
    #[error("C111: plan {plan} cannot follow: {why}; freeze again with the next serial")]
    Serial {
        /// Class and serial.
        plan: String,
        /// The ledger's words.
        why: String,
    },
    /// The controller stops, or its store failed.
    #[error("C112: this board is going down; nothing was published: try again, or at another one")]
    GoingDown,
}

impl From<DeskError> for Status {
    fn from(error: DeskError) -> Status {
        let code = match error {
            DeskError::Unlisted(_) | DeskError::Right { .. } => Code::PermissionDenied,
            DeskError::MovedOn { .. } | DeskError::Serial { .. } => Code::Aborted,
            DeskError::Network { .. }
            | DeskError::NoPublisher { .. }
            | DeskError::PublisherKey { .. }
            | DeskError::Refused { .. } => Code::FailedPrecondition,
            DeskError::NoPlan { .. } => Code::NotFound,
            DeskError::GoingDown => Code::Unavailable,
            DeskError::Role(_) | DeskError::HoldTime { .. } | DeskError::Reason(_) => {
                Code::InvalidArgument
            }
        };
        Status::new(code, error.to_string())
    }
}
