//! What may happen to the board: everything goes through one task, in order.

use std::sync::Arc;

use muster_proto::documents::{Class, NodeName, PublicKey};
use muster_proto::wire::muster::{Hold, PublishReply, PublishRequest, Refusal};
use tokio::sync::{Notify, oneshot};

use super::refused::Turned;
use crate::desk::refused::DeskError;

/// One thing that somebody asks of the board.
#[derive(Debug)]
pub enum Command {
    /// An agent attaches; the answer is the number of its connection.
    Attach {
        /// By its hello.
        node: NodeName,
        /// By its TLS connection.
        key: PublicKey,
        /// Software and versions, for the log.
        hello: Versions,
        /// Rouses its stream.
        wake: Arc<Notify>,
        /// Who waits.
        reply: Reply<u64, Turned>,
    },
    /// A connection ended.
    Detach {
        /// Whose.
        node: NodeName,
        /// Which.
        connection: u64,
    },
    /// A receipt came.
    Receipt {
        /// Whose stream brought it.
        node: NodeName,
        /// The envelope.
        bytes: Vec<u8>,
    },
    /// A beacon came.
    Beacon {
        /// Whose stream brought it.
        node: NodeName,
        /// The envelope.
        bytes: Vec<u8>,
    },
    /// An agent tells what it refused.
    Refusal {
        /// Who.
        node: NodeName,
        /// Its words.
        refusal: Refusal,
    },
    /// An agent asks what the board holds of its chain. Answered on its stream, after everything
    /// that it sent before.
    OwnChain {
        /// Who.
        node: NodeName,
    },
    /// Somebody with the right publishes.
    Publish {
        /// Name in the configuration.
        person: String,
        /// What.
        request: PublishRequest,
        /// Who waits.
        reply: Reply<PublishReply, DeskError>,
    },
    /// Somebody with the right asks to hold.
    Hold {
        /// What and for how long.
        hold: Hold,
        /// Who waits.
        reply: Reply<Vec<Hold>, DeskError>,
    },
    /// Somebody with the right takes a hold back.
    Release {
        /// Class of the plan.
        class: Class,
        /// Serial of the plan.
        serial: u64,
        /// Who waits.
        reply: Reply<Vec<Hold>, DeskError>,
    },
    /// Time has passed.
    Tick,
}

/// Where an answer goes.
pub type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// What an agent says it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the root.
    pub root: u64,
    /// Of the timestamp.
    pub timestamp: u64,
    /// Of the snapshot.
    pub snapshot: u64,
    /// Of the agent's software.
    pub software: String,
}
