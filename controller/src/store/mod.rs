//! What the board remembers: SQLite in one file. A restart loses nothing that was passed on.
//!
//! SQL stands in this folder only, so that another database needs a second folder and no more.

mod history;
mod load;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr as _, SqlitePool};

pub use history::PastPlan;
pub use load::{Loaded, StoredAttachment, StoredReceipt};
pub use write::Write;

/// How long a reader or the writer waits for the other's lock.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that read, beside the one that writes.
const READERS: u32 = 4;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such folder, no rights, no space.
    #[error("C010: the store {} cannot be opened; check the folder, its rights and the disk", .path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What the database says.
        #[source]
        source: sqlx::Error,
    },
    /// The file is damaged.
    #[error(
        "C011: the store {} is damaged ({found}); nothing was changed: restore the newest copy, or \
         move it away and let officers publish and agents report again",
        .path.display()
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// First finding of the check.
        found: String,
    },
    /// It was written by a newer version, or its tables were changed by hand.
    #[error("C012: the store {} was laid out by another version of this program", .path.display())]
    Layout {
        /// The database file.
        path: PathBuf,
        /// Which step of the layout does not fit.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// It belongs to another network.
    #[error(
        "C013: the store {} belongs to network {found}, the configuration says {expected}",
        .path.display()
    )]
    Network {
        /// The database file.
        path: PathBuf,
        /// In the store.
        found: String,
        /// In the configuration.
        expected: String,
    },
    /// A query or a transaction failed.
    #[error("C014: the store {} failed; the board stops rather than forget", .path.display())]
    Failed {
        /// The database file.
        path: PathBuf,
        /// What the database says.
        #[source]
        source: sqlx::Error,
    },
}

/// The open store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    write: SqlitePool,
    read: SqlitePool,
}

impl Store {
    /// Opens or creates `path`, checks it, brings its layout up to date, and insists on `network`.
    ///
    /// # Errors
    /// Every [`StoreError`].
    pub async fn open(path: &Path, network: &str, now: i64) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .foreign_keys(true);
        let opened = |source| damaged_or_open(path, source);
        let pool = SqlitePoolOptions::new().max_connections(1);
        let write = pool.connect_with(options.clone()).await.map_err(opened)?;
        check(path, &write).await?;
        migrator().run(&write).await.map_err(|source| layout(path, source))?;
        let readers = SqlitePoolOptions::new().max_connections(READERS);
        let read = readers.connect_with(options.read_only(true)).await.map_err(opened)?;
        let store = Self { path: path.to_owned(), write, read };
        store.claim(network, now).await?;
        Ok(store)
    }

    /// Writes what is left in the log back into the file and closes it.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    async fn claim(&self, network: &str, now: i64) -> Result<(), StoreError> {
        let found: String = async {
            let insert = "INSERT OR IGNORE INTO board (one, network, created) VALUES (1, ?, ?)";
            sqlx::query(insert).bind(network).bind(now).execute(&self.write).await?;
            sqlx::query_scalar("SELECT network FROM board").fetch_one(&self.write).await
        }
        .await
        .map_err(|source| self.failed(source))?;
        if found == network {
            return Ok(());
        }
        Err(StoreError::Network { path: self.path.clone(), found, expected: network.into() })
    }

    fn failed(&self, source: sqlx::Error) -> StoreError {
        StoreError::Failed { path: self.path.clone(), source }
    }
}

async fn check(path: &Path, pool: &SqlitePool) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(|source| damaged_or_open(path, source))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt { path: path.to_owned(), found }) }
}

/// SQLite's own words for a file that is no (whole) database: results 11 and 26.
fn damaged_or_open(path: &Path, source: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    let code = source.as_database_error().and_then(|error| error.code());
    match code.as_deref().and_then(|code| code.parse::<u32>().ok()) {
        Some(code) if matches!(code & 0xff, 11 | 26) => {
            StoreError::Corrupt { path, found: source.to_string() }
        }
        _ => StoreError::Open { path, source },
    }
}

fn layout(path: &Path, source: sqlx::migrate::MigrateError) -> StoreError {
    StoreError::Layout { path: path.to_owned(), source }
}

fn migrator() -> Migrator {
    let board = include_str!("0001_board.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(
        1,
        "board".into(),
        MigrationType::Simple,
        board,
        false,
    )])
}

#[cfg(test)]
mod tests;
