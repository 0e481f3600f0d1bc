//! The one task that changes the board: takes what came, stores it, then passes it on.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use super::command::Command;
use super::handle::Board;
use super::keeper::{Keeper, Outcome};
use super::shelf::{Change, Shelf};
use crate::mark::{Mark, MarkError};
use crate::store::{Store, StoreError};

/// Commands that wait before those who send them do.
const QUEUE: usize = 1_024;

/// Commands in one transaction: one durable write for a whole fleet that acknowledges at once.
const BATCH: usize = 512;

/// What was not passed on is in the store or nowhere; the board stops and is rebuilt from there.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The store does not take what came.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mark cannot be written.
    #[error(transparent)]
    Mark(#[from] MarkError),
}

/// See the module.
pub struct Hub {
    keeper: Keeper,
    store: Store,
    mark: (PathBuf, Mark),
    shelf: Arc<RwLock<Shelf>>,
    commands: mpsc::Receiver<Command>,
    for_agents: watch::Sender<u64>,
    for_watchers: watch::Sender<u64>,
    tick: Duration,
}

impl Hub {
    /// A board around `keeper`, with what `restored` says already on its shelf. `tick` is how often
    /// it looks at the clock.
    pub fn new(
        network: &str,
        keeper: Keeper,
        restored: Vec<Change>,
        store: Store,
        mark: PathBuf,
        tick: Duration,
        down: watch::Receiver<bool>,
    ) -> (Self, Board) {
        let mut shelf = Shelf::new();
        restored.into_iter().for_each(|change| shelf.apply(change));
        let shelf = Arc::new(RwLock::new(shelf));
        let (sender, commands) = mpsc::channel(QUEUE);
        let (for_agents, agents) = watch::channel(0);
        let (for_watchers, watchers) = watch::channel(0);
        let board = Board {
            network: network.into(),
            commands: sender,
            shelf: shelf.clone(),
            for_agents: agents,
            for_watchers: watchers,
            down,
        };
        let mark = (mark, Mark::default());
        (Self { keeper, store, mark, shelf, commands, for_agents, for_watchers, tick }, board)
    }

    /// Runs until `stop`, then takes what had come before and ends.
    ///
    /// # Errors
    /// [`HubError`]: nothing more is taken, and nothing was passed on that is not stored.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Result<(), HubError> {
        let mut clock = interval(self.tick);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => break,
                _ = clock.tick() => batch.push(Command::Tick),
                taken = self.commands.recv_many(&mut batch, BATCH) => if taken == 0 { break },
            }
            self.take(&mut batch).await?;
        }
        self.commands.close();
        while self.commands.recv_many(&mut batch, BATCH).await > 0 {
            self.take(&mut batch).await?;
        }
        Ok(())
    }

    async fn take(&mut self, batch: &mut Vec<Command>) -> Result<(), HubError> {
        let now = Timestamp::now();
        let mut out = Outcome::default();
        for command in batch.drain(..) {
            self.keeper.handle(command, now, &mut out);
        }
        let stored = self.store.commit(&out.writes).await;
        stored.inspect_err(|failed| error!(%failed, "the board stops"))?;
        self.write_mark()?;
        self.pass_on(out.changes);
        out.answers.into_iter().for_each(|answer| answer.give());
        Ok(())
    }

    /// After the store: a mark that is ahead of its store would call it an old copy.
    fn write_mark(&mut self) -> Result<(), HubError> {
        let (path, written) = &mut self.mark;
        if written != self.keeper.mark() {
            *written = self.keeper.mark().clone();
            written.write(path)?;
        }
        Ok(())
    }

    fn pass_on(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        let mut concerns_agents = false;
        for change in changes {
            concerns_agents |= shelf.concerns_agents(&change);
            shelf.apply(change);
        }
        drop(shelf);
        self.for_watchers.send_modify(|count| *count += 1);
        if concerns_agents {
            self.for_agents.send_modify(|count| *count += 1);
        }
    }
}
