//! Who left the chain and came back, in which order, by the referee's own word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::referee::client::Client;

/// Between two looks: shorter than any node is away.
const LOOK: Duration = Duration::from_millis(10);

/// A node left the chain, or came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Its last connection ended.
    Left(String),
    /// It connected.
    Came(String),
}

/// Asks the referee again and again who is connected; ends when dropped.
#[derive(Debug)]
pub struct Attendance {
    changes: Arc<Mutex<Vec<Change>>>,
    task: JoinHandle<()>,
}

impl Attendance {
    /// Begins with who is connected now; `names` are roster names by operator address.
    ///
    /// # Errors
    /// When the referee does not answer.
    pub async fn watch(referee: Client, names: BTreeMap<String, String>) -> Result<Self> {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let noted = changes.clone();
        let mut there = connected(referee, &names).await?;
        let task = tokio::spawn(async move {
            let mut pace = tokio::time::interval(LOOK);
            loop {
                pace.tick().await;
                let Ok(now) = connected(referee, &names).await else { return };
                let left = there.difference(&now).cloned().map(Change::Left);
                let came = now.difference(&there).cloned().map(Change::Came);
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.extend(left.chain(came));
                there = now;
            }
        });
        Ok(Self { changes, task })
    }

    /// Everything since the beginning, oldest first.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who left, in that order.
    pub fn left(&self) -> Vec<String> {
        let left = |change| match change {
            Change::Left(name) => Some(name),
            Change::Came(_) => None,
        };
        self.changes().into_iter().filter_map(left).collect()
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connected(referee: Client, names: &BTreeMap<String, String>) -> Result<BTreeSet<String>> {
    // The future holds no blocks, so the answer is short.
    let seats = referee.report(u64::MAX).await?.seats;
    let there = seats.into_iter().filter(|seat| seat.connections > 0);
    Ok(there.filter_map(|seat| names.get(&seat.address).cloned()).collect())
}
