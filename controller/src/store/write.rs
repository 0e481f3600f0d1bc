//! What may be written, and the one transaction that writes it.

use muster_proto::documents::{NodeName, PlanId, PublicKey};
use sqlx::{Sqlite, Transaction};

use super::{Store, StoreError};

/// One fact to remember. Versions and serials stay below 2^63 (SQLite's integers are signed).
#[derive(Debug, Clone)]
pub enum Write {
    /// A verified root.
    Root {
        /// Its version.
        version: u64,
        /// As signed.
        metadata: Vec<u8>,
    },
    /// Verified metadata of another role.
    Metadata {
        /// Such as `targets`, `hotfix`, `timestamp`.
        role: String,
        /// Its version.
        version: u64,
        /// As signed.
        metadata: Vec<u8>,
    },
    /// A file that verified metadata lists.
    Target {
        /// Target path.
        path: String,
        /// Of the content.
        digest: String,
        /// The file.
        content: Vec<u8>,
    },
    /// Somebody published.
    Publication {
        /// Unix milliseconds.
        at_ms: i64,
        /// Name in the configuration.
        person: String,
        /// What.
        role: String,
        /// Its version.
        version: u64,
    },
    /// A plan that verified, for the history.
    Plan {
        /// Which.
        id: PlanId,
        /// Target path.
        path: String,
        /// Unix milliseconds of its first publication.
        published_ms: i64,
    },
    /// A verified receipt.
    Receipt {
        /// Whose.
        node: NodeName,
        /// By which key.
        key: PublicKey,
        /// Its counter.
        counter: u64,
        /// Which plan it names.
        plan: PlanId,
        /// Unix seconds.
        taken: i64,
        /// As signed.
        envelope: Vec<u8>,
    },
    /// The newest verified beacon.
    Beacon {
        /// Whose.
        node: NodeName,
        /// By which key.
        key: PublicKey,
        /// As signed.
        envelope: Vec<u8>,
    },
    /// Two receipts with one counter.
    Double {
        /// Whose.
        node: NodeName,
        /// By which key.
        key: PublicKey,
        /// The one that was known.
        first: Vec<u8>,
        /// The one that came.
        second: Vec<u8>,
    },
    /// A hold, instead of an earlier one of the same plan.
    Hold {
        /// Class of the plan.
        class: String,
        /// Serial of the plan.
        serial: u64,
        /// Who asked.
        person: String,
        /// For people.
        reason: String,
        /// Unix seconds.
        until: i64,
    },
    /// A hold is over.
    Release {
        /// Class of the plan.
        class: String,
        /// Serial of the plan.
        serial: u64,
    },
    /// What an agent refused.
    Refusal {
        /// Who.
        node: NodeName,
        /// Unix seconds.
        at: i64,
        /// Stable code.
        code: String,
        /// For people.
        text: String,
        /// Path or role.
        subject: String,
    },
    /// An agent came or went.
    Attachment {
        /// Who.
        node: NodeName,
        /// Unix seconds.
        at: i64,
        /// Came, or went.
        attached: bool,
    },
}

type Tx<'a> = Transaction<'a, Sqlite>;

impl Store {
    /// Writes all of `batch`, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn commit(&self, batch: &[Write]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let written = async {
            let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
            for write in batch {
                apply(&mut tx, write).await?;
            }
            tx.commit().await
        };
        written.await.map_err(|source| self.failed(source))
    }
}

async fn apply(tx: &mut Tx<'_>, write: &Write) -> Result<(), sqlx::Error> {
    match write {
        Write::Root { .. }
        | Write::Metadata { .. }
        | Write::Target { .. }
        | Write::Publication { .. }
        | Write::Plan { .. } => document(tx, write).await,
        Write::Receipt { .. } | Write::Beacon { .. } | Write::Double { .. } => {
            evidence(tx, write).await
        }
        Write::Hold { .. }
        | Write::Release { .. }
        | Write::Refusal { .. }
        | Write::Attachment { .. } => word(tx, write).await,
    }
}

async fn document(tx: &mut Tx<'_>, write: &Write) -> Result<(), sqlx::Error> {
    let query = match write {
        Write::Root { version, metadata } => {
            sqlx::query("INSERT OR REPLACE INTO roots (version, metadata) VALUES (?, ?)")
                .bind(signed(*version))
                .bind(metadata)
        }
        Write::Metadata { role, version, metadata } => {
            // A timestamp comes each minute, and only the newest is ever served.
            let drop = "DELETE FROM metadata WHERE role = ? AND role = 'timestamp'";
            sqlx::query(drop).bind(role).execute(&mut **tx).await?;
            sqlx::query("INSERT INTO metadata (role, version, metadata) VALUES (?, ?, ?)")
                .bind(role)
                .bind(signed(*version))
                .bind(metadata)
        }
        Write::Target { path, digest, content } => sqlx::query(
            "INSERT OR REPLACE INTO targets (path, digest, seq, content)
             VALUES (?, ?, (SELECT COALESCE(MAX(seq), 0) + 1 FROM targets), ?)",
        )
        .bind(path)
        .bind(digest)
        .bind(content),
        Write::Publication { at_ms, person, role, version } => sqlx::query(
            "INSERT INTO publications (at_ms, person, role, version) VALUES (?, ?, ?, ?)",
        )
        .bind(at_ms)
        .bind(person)
        .bind(role)
        .bind(signed(*version)),
        Write::Plan { id, path, published_ms } => sqlx::query(
            "INSERT OR IGNORE INTO plans (class, serial, digest, path, published_ms)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id.class.role())
        .bind(signed(id.serial))
        .bind(id.digest.as_str())
        .bind(path)
        .bind(published_ms),
        _ => return Ok(()),
    };
    query.execute(&mut **tx).await.map(|_| ())
}

async fn evidence(tx: &mut Tx<'_>, write: &Write) -> Result<(), sqlx::Error> {
    let query = match write {
        Write::Receipt { node, key, counter, plan, taken, envelope } => sqlx::query(
            "INSERT OR IGNORE INTO receipts (node, key, counter, plan, taken, envelope)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(node.as_str())
        .bind(key.to_string())
        .bind(signed(*counter))
        .bind(plan.digest.as_str())
        .bind(taken)
        .bind(envelope),
        Write::Beacon { node, key, envelope } => {
            sqlx::query("INSERT OR REPLACE INTO beacons (node, key, envelope) VALUES (?, ?, ?)")
                .bind(node.as_str())
                .bind(key.to_string())
                .bind(envelope)
        }
        Write::Double { node, key, first, second } => sqlx::query(
            "INSERT OR IGNORE INTO doubles (node, key, first, second) VALUES (?, ?, ?, ?)",
        )
        .bind(node.as_str())
        .bind(key.to_string())
        .bind(first)
        .bind(second),
        _ => return Ok(()),
    };
    query.execute(&mut **tx).await.map(|_| ())
}

async fn word(tx: &mut Tx<'_>, write: &Write) -> Result<(), sqlx::Error> {
    let query = match write {
        Write::Hold { class, serial, person, reason, until } => sqlx::query(
            "INSERT OR REPLACE INTO holds (class, serial, person, reason, until)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(class)
        .bind(signed(*serial))
        .bind(person)
        .bind(reason)
        .bind(until),
        Write::Release { class, serial } => {
            sqlx::query("DELETE FROM holds WHERE class = ? AND serial = ?")
                .bind(class)
                .bind(signed(*serial))
        }
        Write::Refusal { node, at, code, text, subject } => sqlx::query(
            "INSERT INTO refusals (node, at, code, text, subject) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(node.as_str())
        .bind(at)
        .bind(code)
        .bind(text)
        .bind(subject),
        Write::Attachment { node, at, attached } => {
            sqlx::query("INSERT INTO attachments (node, at, attached) VALUES (?, ?, ?)")
                .bind(node.as_str())
                .bind(at)
                .bind(attached)
        }
        _ => return Ok(()),
    };
    query.execute(&mut **tx).await.map(|_| ())
}

/// Verified documents never come near 2^63; a number that does is kept as the highest there is.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
