//! Every plan the board has ever carried, with every receipt that names it.

use sqlx::Row as _;

use super::{Store, StoreError};

/// One plan of the past or present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPlan {
    /// Unix milliseconds of its first publication here.
    pub published_ms: i64,
    /// Canonical JSON.
    pub plan: Vec<u8>,
    /// Envelopes, in the order in which they were taken.
    pub receipts: Vec<Vec<u8>>,
}

impl Store {
    /// The newest `limit` plans, newest first.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn history(&self, limit: u32) -> Result<Vec<PastPlan>, StoreError> {
        self.past_plans(limit).await.map_err(|source| self.failed(source))
    }

    async fn past_plans(&self, limit: u32) -> Result<Vec<PastPlan>, sqlx::Error> {
        let plans = sqlx::query(
            "SELECT plans.published_ms, targets.content, plans.digest FROM plans
             JOIN targets ON targets.path = plans.path AND targets.digest = plans.digest
             ORDER BY plans.published_ms DESC, plans.serial DESC LIMIT ?",
        );
        let mut past = Vec::new();
        for row in plans.bind(limit).fetch_all(&self.read).await? {
            let digest: String = row.try_get(2)?;
            let receipts = "SELECT envelope FROM receipts WHERE plan = ? ORDER BY seq";
            past.push(PastPlan {
                published_ms: row.try_get(0)?,
                plan: row.try_get(1)?,
                receipts: sqlx::query_scalar(receipts).bind(digest).fetch_all(&self.read).await?,
            });
        }
        Ok(past)
    }
}
