//! What the services hold of the board: a way in, and a view of the shelf.

use std::sync::{Arc, PoisonError, RwLock};

use muster_proto::documents::{NodeName, PublicKey};
use tokio::sync::{mpsc, watch};

use super::command::Command;
use super::refused::Turned;
use super::shelf::Shelf;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Board {
    pub(super) network: Arc<str>,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) shelf: Arc<RwLock<Shelf>>,
    /// Counts changes that agents are sent.
    pub(super) for_agents: watch::Receiver<u64>,
    /// Counts all changes.
    pub(super) for_watchers: watch::Receiver<u64>,
    pub(super) down: watch::Receiver<bool>,
}

impl Board {
    /// The one network that it serves.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Asks something of the board; waits while too much is asked already.
    ///
    /// # Errors
    /// When the board has stopped.
    pub async fn ask(&self, command: Command) -> Result<(), Turned> {
        self.commands.send(command).await.map_err(|_| Turned::GoingDown)
    }

    /// Looks at the shelf. `look` must be short: whoever changes the shelf waits for it.
    pub fn look<T>(&self, look: impl FnOnce(&Shelf) -> T) -> T {
        look(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether `key` is the one that the newest roster lists for `node`.
    ///
    /// # Errors
    /// [`Turned::NotEnrolled`], [`Turned::OtherKey`].
    pub fn listed(&self, node: &NodeName, key: &PublicKey) -> Result<(), Turned> {
        match self.look(|shelf| shelf.key_of(node).copied()) {
            Some(listed) if listed == *key => Ok(()),
            Some(_) => Err(Turned::OtherKey { node: node.clone(), key: *key }),
            None => Err(Turned::NotEnrolled { node: node.to_string(), key: *key }),
        }
    }

    /// Resolves when the board is going down.
    pub async fn going_down(&self) {
        // An error means that the board is gone already.
        let _ = self.down.clone().wait_for(|down| *down).await;
    }
}
