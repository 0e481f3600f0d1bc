//! Why an agent is turned away. The words reach the operator's log.

use std::time::Duration;

use muster_proto::documents::{NodeName, PublicKey};
use tonic::{Code, Status};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// No roster lists that node with an agent.
    #[error(
        "N020: {node} is not enrolled: no roster lists it with the key {key}; send NAME.enrol to \
         the officers, the agent goes on when a roster lists it"
    )]
    NotEnrolled {
        /// As it calls itself.
        node: String,
        /// Of its connection.
        key: PublicKey,
    },
    /// The roster lists that node with another key.
    #[error(
        "N021: the roster lists {node} with another key than {key}; enrol this agent anew, or \
         stop it when another one took its place"
    )]
    OtherKey {
        /// Which.
        node: NodeName,
        /// Of its connection.
        key: PublicKey,
    },
    /// The board serves another network.
    #[error(
        "N022: this board serves {served}, the agent belongs to {asked}; check its `--network`"
    )]
    Network {
        /// The board's.
        served: String,
        /// The agent's.
        asked: String,
    },
    /// A newer connection of the same agent took over.
    #[error(
        "N023: another connection of {0} took over; when two agents run with one key, stop one"
    )]
    Replaced(NodeName),
    /// It comes back too often.
    #[error("N024: {0} attached too often; wait a minute")]
    TooOften(NodeName),
    /// The stream does not begin as it must, or carries nothing that is understood.
    #[error("N025: {0}")]
    Protocol(&'static str),
    /// A receipt or beacon above the limit.
    #[error("N026: {bytes} bytes of evidence in one message, at most {limit}")]
    TooLarge {
        /// Found.
        bytes: usize,
        /// Allowed.
        limit: usize,
    },
    /// The reader took nothing for too long.
    #[error("N027: nothing was read from this stream for {0:?}")]
    Slow(Duration),
    /// The controller stops.
    #[error("N028: this board is going down; try again, or another one")]
    GoingDown,
}

impl From<Turned> for Status {
    fn from(turned: Turned) -> Status {
        let code = match turned {
            Turned::NotEnrolled { .. } | Turned::OtherKey { .. } => Code::PermissionDenied,
            Turned::Network { .. } => Code::FailedPrecondition,
            Turned::Replaced(_) => Code::Aborted,
            Turned::TooOften(_) | Turned::TooLarge { .. } | Turned::Slow(_) => {
                Code::ResourceExhausted
            }
            Turned::Protocol(_) => Code::InvalidArgument,
            Turned::GoingDown => Code::Unavailable,
        };
        Status::new(code, turned.to_string())
    }
}
