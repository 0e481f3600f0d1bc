//! What outlives a plan: the operator's answers, releases that failed here, containers that are
//! kept, restart policies to restore, versions seen.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use muster_proto::documents::{Digest, PlanId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::record::{Cause, Policy};
use super::{Journal, JournalError, now};

/// What the operator said to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorAnswer {
    /// Yes or no.
    pub approved: bool,
    /// Who said so, as the host knows him.
    pub who: String,
    /// His words; may be empty for a yes.
    pub why: String,
    /// When, by the host's clock.
    pub at: Timestamp,
}

/// A release that was rolled back here. It is not tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickyFailure {
    /// Digest of the release document.
    pub release: Digest,
    /// For people.
    pub version: String,
    /// Why it was rolled back.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

/// An old container that stays for a while after a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub container: String,
    /// Since the commit.
    pub since: Timestamp,
    /// The genesis file of before, if the plan swapped it.
    pub before: Option<PathBuf>,
}

impl Journal {
    /// What the operator said to a plan, if anything.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn answer(&self, plan: &PlanId) -> Result<Option<OperatorAnswer>, JournalError> {
        Ok(answer(&self.state().db, plan)?)
    }

    /// Writes down what the operator said; the newest word counts.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn set_answer(&self, plan: &PlanId, answer: &OperatorAnswer) -> Result<(), JournalError> {
        self.write(|state| Ok(set_answer(&state.db, plan, answer)?))
    }

    /// Whether this very release was rolled back here.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn sticky(&self, release: &Digest) -> Result<Option<StickyFailure>, JournalError> {
        let state = self.state();
        let query = "SELECT version, code, why, at FROM failure WHERE release = ?1";
        let found = state.db.query_row(query, [release.as_str()], |row| {
            Ok(StickyFailure {
                release: release.clone(),
                version: row.get(0)?,
                cause: Cause { code: row.get(1)?, text: row.get(2)? },
                at: time(row, 3)?,
            })
        });
        Ok(found.optional()?)
    }

    /// Remembers that a release was rolled back here.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn remember_failure(
        &self,
        release: &Digest,
        version: &str,
        plan: &PlanId,
        cause: &Cause,
    ) -> Result<(), JournalError> {
        let at = now().to_string();
        let plan = plan.to_string();
        self.write(|state| {
            state.db.execute(
                "INSERT OR REPLACE INTO failure (release, version, plan, code, why, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![release.as_str(), version, plan, cause.code, cause.text, at],
            )?;
            Ok(())
        })
    }

    /// Remembers a container that stays for a while.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn keep(&self, plan: &PlanId, kept: &Kept) -> Result<(), JournalError> {
        let before = kept.before.as_ref().map(|path| path.display().to_string());
        let since = kept.since.to_string();
        self.write(|state| {
            state.db.execute(
                "INSERT OR IGNORE INTO kept (container, plan, since, before) VALUES (?1, ?2, ?3, ?4)",
                params![kept.container, plan.to_string(), since, before],
            )?;
            Ok(())
        })
    }

    /// Every container that stays for a while, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn kept(&self) -> Result<Vec<Kept>, JournalError> {
        let state = self.state();
        let mut query =
            state.db.prepare_cached("SELECT container, since, before FROM kept ORDER BY since")?;
        let rows = query.query_map([], |row| {
            let before: Option<String> = row.get(2)?;
            let before = before.map(PathBuf::from);
            Ok(Kept { container: row.get(0)?, since: time(row, 1)?, before })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A kept container is gone.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn let_go(&self, container: &str) -> Result<(), JournalError> {
        self.write(|state| {
            state.db.execute("DELETE FROM kept WHERE container = ?1", [container])?;
            Ok(())
        })
    }

    /// The operator's restart policy of a container that an agent disarmed.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn remembered_policy(&self, container: &str) -> Result<Option<Policy>, JournalError> {
        let state = self.state();
        let query = "SELECT name, retries FROM policy WHERE container = ?1";
        let found = state.db.query_row(query, [container], |row| {
            Ok(Policy { name: row.get(0)?, retries: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// Remembers the operator's restart policy before it is set to `no`.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn remember_policy(&self, container: &str, policy: &Policy) -> Result<(), JournalError> {
        self.write(|state| {
            state.db.execute(
                "INSERT OR REPLACE INTO policy (container, name, retries) VALUES (?1, ?2, ?3)",
                params![container, policy.name, policy.retries],
            )?;
            Ok(())
        })
    }

    /// What a container of this image last said it is.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn known_version(&self, image: &Digest) -> Result<Option<String>, JournalError> {
        let state = self.state();
        let query = "SELECT version FROM version WHERE image = ?1";
        Ok(state.db.query_row(query, [image.as_str()], |row| row.get(0)).optional()?)
    }

    /// Remembers what a container of this image said it is; writes only what is new.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn learn_version(&self, image: &Digest, version: &str) -> Result<(), JournalError> {
        if self.known_version(image)?.as_deref() == Some(version) {
            return Ok(());
        }
        self.write(|state| {
            state.db.execute(
                "INSERT OR REPLACE INTO version (image, version) VALUES (?1, ?2)",
                params![image.as_str(), version],
            )?;
            Ok(())
        })
    }
}

impl Kept {
    /// It has stayed for `retention` after its commit.
    pub fn is_due(&self, retention: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.since) >= retention
    }
}

pub(super) fn answer(db: &Connection, plan: &PlanId) -> rusqlite::Result<Option<OperatorAnswer>> {
    let query = "SELECT approved, who, why, at FROM answer WHERE plan = ?1";
    let found = db.query_row(query, [plan.digest.as_str()], |row| {
        Ok(OperatorAnswer {
            approved: row.get(0)?,
            who: row.get(1)?,
            why: row.get(2)?,
            at: time(row, 3)?,
        })
    });
    found.optional()
}

pub(super) fn set_answer(
    db: &Connection,
    plan: &PlanId,
    answer: &OperatorAnswer,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO answer (plan, approved, who, why, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            plan.digest.as_str(),
            answer.approved,
            answer.who,
            answer.why,
            answer.at.to_string()
        ],
    )?;
    Ok(())
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
    })
}
