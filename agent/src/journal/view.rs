//! The journal as the delegate's command line sees it, beside a running daemon.

use std::path::{Path, PathBuf};

use muster_proto::documents::PlanId;
use muster_proto::evidence::{Envelope, Receipt};
use rusqlite::Connection;

use super::record::Dated;
use super::{Fold, Journal, JournalError, OperatorAnswer, StoredPlan, memory, plans, schema};

/// Reads everything, writes the operator's answers, takes no lock.
#[derive(Debug)]
pub struct JournalView {
    path: PathBuf,
    db: Connection,
}

impl JournalView {
    /// Opens the journal in the folder `dir`; it must exist.
    ///
    /// # Errors
    /// As [`Journal::open`], without [`JournalError::Locked`].
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(Journal::FILE);
        let db = schema::visit(&path)?;
        Ok(Self { path, db })
    }

    /// Every plan, in the order in which they were opened.
    ///
    /// # Errors
    /// [`JournalError::Database`], [`JournalError::Corrupt`].
    pub fn plans(&self) -> Result<Vec<StoredPlan>, JournalError> {
        let mut all = Vec::new();
        for id in plans::plan_ids(&self.path, &self.db)? {
            let query = "SELECT plan, release FROM plan WHERE digest = ?1";
            all.push(self.db.query_row(query, [id.digest.as_str()], |row| {
                Ok(StoredPlan { id: id.clone(), plan: row.get(0)?, release: row.get(1)? })
            })?);
        }
        Ok(all)
    }

    /// How far a plan has come.
    ///
    /// # Errors
    /// [`JournalError::Database`], [`JournalError::Corrupt`].
    pub fn fold(&self, id: &PlanId) -> Result<Fold, JournalError> {
        Fold::of(&self.records(id)?).map_err(|illegal| JournalError::Corrupt {
            path: self.path.clone(),
            what: format!("plan {id}: {illegal}"),
        })
    }

    /// All records of a plan, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Database`], [`JournalError::Corrupt`].
    pub fn records(&self, id: &PlanId) -> Result<Vec<Dated>, JournalError> {
        plans::records(&self.path, &self.db, id)
    }

    /// Own receipts of every chain this folder had, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Database`], [`JournalError::Corrupt`].
    pub fn receipts(&self) -> Result<Vec<Receipt>, JournalError> {
        let mut query = self.db.prepare("SELECT envelope FROM receipt ORDER BY rowid")?;
        let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let mut all = Vec::new();
        for row in rows {
            let envelope = Envelope::parse::<Receipt>(&row?);
            let receipt = envelope.and_then(|envelope| envelope.claimed());
            all.push(receipt.map_err(|error| JournalError::Corrupt {
                path: self.path.clone(),
                what: format!("an own receipt cannot be read: {error}"),
            })?);
        }
        Ok(all)
    }

    /// What the operator said to a plan, if anything.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn answer(&self, plan: &PlanId) -> Result<Option<OperatorAnswer>, JournalError> {
        Ok(memory::answer(&self.db, plan)?)
    }

    /// Writes down what the operator says; the daemon sees it at its next look.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn set_answer(&self, plan: &PlanId, answer: &OperatorAnswer) -> Result<(), JournalError> {
        Ok(memory::set_answer(&self.db, plan, answer)?)
    }
}
