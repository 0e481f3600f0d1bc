//! Everything at once, at start. It is verified again on the path that everything came by.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError};

/// Refusals that are shown again after a restart.
const REFUSALS: i64 = 1_000;

/// What the store holds, believed by nobody yet.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Oldest first.
    pub roots: Vec<Vec<u8>>,
    /// Newest of each role, `snapshot` and `timestamp` among them.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// Newest content of each path.
    pub targets: BTreeMap<String, Vec<u8>>,
    /// Class, serial and digest of every plan ever published, oldest first.
    pub plans: Vec<(String, u64, String)>,
    /// In the order in which they were taken.
    pub receipts: Vec<StoredReceipt>,
    /// Newest of each node, with the node's name.
    pub beacons: Vec<(String, Vec<u8>)>,
    /// Node, key, first and second receipt of a double counter.
    pub doubles: Vec<(String, String, Vec<u8>, Vec<u8>)>,
    /// Class, serial, person, reason, until (Unix seconds).
    pub holds: Vec<(String, u64, String, String, i64)>,
    /// Node, at (Unix seconds), code, text, subject; oldest first.
    pub refusals: Vec<(String, i64, String, String, String)>,
    /// Last change of each node.
    pub attachments: Vec<StoredAttachment>,
}

/// One receipt.
#[derive(Debug)]
pub struct StoredReceipt {
    /// Whose.
    pub node: String,
    /// By which key (hex).
    pub key: String,
    /// As signed.
    pub envelope: Vec<u8>,
}

/// When an agent came or went last.
#[derive(Debug)]
pub struct StoredAttachment {
    /// Who.
    pub node: String,
    /// Unix seconds.
    pub at: i64,
}

impl Store {
    /// Reads everything that the board works with.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        self.load_all().await.map_err(|source| self.failed(source))
    }

    async fn load_all(&self) -> Result<Loaded, sqlx::Error> {
        Ok(Loaded {
            roots: self
                .rows("SELECT metadata FROM roots ORDER BY version", |row| row.try_get(0))
                .await?,
            metadata: self
                .rows("SELECT role, metadata FROM metadata ORDER BY seq", pair)
                .await?
                .into_iter()
                .collect(),
            targets: self
                .rows("SELECT path, content FROM targets ORDER BY seq", pair)
                .await?
                .into_iter()
                .collect(),
            plans: self
                .rows("SELECT class, serial, digest FROM plans ORDER BY rowid", plan)
                .await?,
            receipts: self
                .rows("SELECT node, key, envelope FROM receipts ORDER BY seq", receipt)
                .await?,
            beacons: self.rows("SELECT node, envelope FROM beacons ORDER BY node", pair).await?,
            doubles: self
                .rows("SELECT node, key, first, second FROM doubles ORDER BY node", |row| {
                    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
                })
                .await?,
            holds: self
                .rows("SELECT class, serial, person, reason, until FROM holds", hold)
                .await?,
            refusals: self.refusals().await?,
            attachments: self
                .rows("SELECT node, MAX(at) FROM attachments GROUP BY node", |row| {
                    Ok(StoredAttachment { node: row.try_get(0)?, at: row.try_get(1)? })
                })
                .await?,
        })
    }

    async fn refusals(&self) -> Result<Vec<(String, i64, String, String, String)>, sqlx::Error> {
        let newest = "SELECT node, at, code, text, subject FROM refusals ORDER BY seq DESC LIMIT ?";
        let rows = sqlx::query_as(newest).bind(REFUSALS).fetch_all(&self.read).await?;
        Ok(rows.into_iter().rev().collect())
    }

    async fn rows<T>(
        &self,
        sql: &'static str,
        read: impl FnMut(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, sqlx::Error> {
        sqlx::query(sql).fetch_all(&self.read).await?.iter().map(read).collect()
    }
}

fn pair(row: &SqliteRow) -> Result<(String, Vec<u8>), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn plan(row: &SqliteRow) -> Result<(String, u64, String), sqlx::Error> {
    let serial = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
    Ok((row.try_get(0)?, serial, row.try_get(2)?))
}

fn receipt(row: &SqliteRow) -> Result<StoredReceipt, sqlx::Error> {
    Ok(StoredReceipt { node: row.try_get(0)?, key: row.try_get(1)?, envelope: row.try_get(2)? })
}

fn hold(row: &SqliteRow) -> Result<(String, u64, String, String, i64), sqlx::Error> {
    let serial = u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0);
    Ok((row.try_get(0)?, serial, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?))
}
