//! Plans in the journal: their signed bytes, their records, their folds.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use muster_proto::documents::{Class, PlanId};
use muster_proto::evidence::receipt::Event;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::record::{Dated, Record};
use super::schema::u64_at;
use super::{Fold, Journal, JournalError, now, receipts};

/// A plan as the journal holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlan {
    /// Which.
    pub id: PlanId,
    /// Canonical JSON, as it was verified when it was opened.
    pub plan: Vec<u8>,
    /// Canonical JSON of its release, if it has one.
    pub release: Option<Vec<u8>>,
}

impl Journal {
    /// Writes a plan's signed bytes down, before anything else about it. Twice does no harm.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn open_plan(&self, plan: &StoredPlan) -> Result<(), JournalError> {
        if let Ok(known) = self.stored(&plan.id)
            && (known.release.is_some() || plan.release.is_none())
        {
            return Ok(());
        }
        self.write(|state| {
            state.db.execute(
                "INSERT INTO plan (class, serial, digest, plan, release, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (digest) DO UPDATE SET release = coalesce(release, excluded.release)",
                params![
                    plan.id.class.role(),
                    plan.id.serial as i64,
                    plan.id.digest.as_str(),
                    plan.plan,
                    plan.release,
                    now().to_string(),
                ],
            )?;
            let fold = state.folds.get(&plan.id).cloned().unwrap_or_default();
            state.pending.fold = Some((plan.id.clone(), fold));
            Ok(())
        })
    }

    /// The signed bytes of a plan.
    ///
    /// # Errors
    /// [`JournalError::UnknownPlan`], [`JournalError::Database`].
    pub fn stored(&self, id: &PlanId) -> Result<StoredPlan, JournalError> {
        let state = self.state();
        let found = state.db.query_row(
            "SELECT plan, release FROM plan WHERE digest = ?1",
            [id.digest.as_str()],
            |row| Ok(StoredPlan { id: id.clone(), plan: row.get(0)?, release: row.get(1)? }),
        );
        found.optional()?.ok_or_else(|| JournalError::UnknownPlan(id.to_string()))
    }

    /// Every plan of the journal with how far it has come; the fold of a plan that was never
    /// opened is the default one.
    pub fn folds(&self) -> BTreeMap<PlanId, Fold> {
        self.state().folds.clone()
    }

    /// How far a plan has come here.
    pub fn fold(&self, id: &PlanId) -> Fold {
        self.state().folds.get(id).cloned().unwrap_or_default()
    }

    /// The plan that is begun and not over. Beside it there may be an emergency that stops what it
    /// was about; this is then the plan that was interrupted.
    pub fn in_hand(&self) -> Option<PlanId> {
        self.all_in_hand().into_iter().min_by_key(|id| id.class == Class::Emergency)
    }

    /// What is in hand beside `id`, as the rule asks for it: an emergency gives way to a stop only,
    /// every other plan to what was begun before that stop.
    pub fn in_hand_beside(&self, id: &PlanId) -> Option<PlanId> {
        let same_kind =
            |other: &PlanId| (other.class == Class::Emergency) == (id.class == Class::Emergency);
        let all = self.all_in_hand().into_iter().filter(|other| other != id);
        all.max_by_key(same_kind)
    }

    /// Every plan that is begun and not over: one at most, and one emergency.
    pub fn all_in_hand(&self) -> Vec<PlanId> {
        let state = self.state();
        state.folds.iter().filter(|(_, fold)| fold.in_hand()).map(|(id, _)| id.clone()).collect()
    }

    /// Writes `records` and, in the same transaction, the receipt of `event`.
    ///
    /// # Errors
    /// [`JournalError::Illegal`] when a record cannot follow (nothing is written then),
    /// [`JournalError::UnknownPlan`], [`JournalError::Seal`], [`JournalError::Database`].
    pub fn record(
        &self,
        id: &PlanId,
        records: &[Record],
        event: Option<Event>,
    ) -> Result<(), JournalError> {
        let at = now();
        self.write(|state| {
            let fold = state.folds.get(id).cloned();
            let mut fold = fold.ok_or_else(|| JournalError::UnknownPlan(id.to_string()))?;
            for record in records {
                fold.add(&Dated { at, record: record.clone() })?;
                insert(&state.db, id, at, record)?;
            }
            if let Some(event) = event {
                state.pending.receipt = Some(self.append_receipt(&state.db, id, at, event)?);
            }
            state.pending.fold = Some((id.clone(), fold));
            Ok(())
        })
    }

    /// All records of a plan, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Database`], [`JournalError::Corrupt`].
    pub fn records(&self, id: &PlanId) -> Result<Vec<Dated>, JournalError> {
        records(&self.inner.path, &self.state().db, id)
    }
}

fn insert(db: &Connection, id: &PlanId, at: Timestamp, record: &Record) -> rusqlite::Result<()> {
    let body = serde_json::to_string(record).expect("records always serialize");
    db.execute(
        "INSERT INTO record (plan, at, body)
         VALUES ((SELECT id FROM plan WHERE digest = ?1), ?2, ?3)",
        params![id.digest.as_str(), at.to_string(), body],
    )?;
    Ok(())
}

/// Reads all records of one plan.
pub(super) fn records(
    path: &Path,
    db: &Connection,
    id: &PlanId,
) -> Result<Vec<Dated>, JournalError> {
    let mut query = db.prepare_cached(
        "SELECT r.seq, r.at, r.body FROM record r JOIN plan p ON p.id = r.plan
         WHERE p.digest = ?1 ORDER BY r.seq",
    )?;
    let rows = query.query_map([id.digest.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let (seq, at, body) = row?;
        let parsed = at.parse().ok().zip(serde_json::from_str(&body).ok());
        let (at, record) = parsed.ok_or_else(|| JournalError::Corrupt {
            path: path.into(),
            what: format!("record {seq} cannot be read"),
        })?;
        all.push(Dated { at, record });
    }
    Ok(all)
}

/// Lists every plan.
pub(super) fn plan_ids(path: &Path, db: &Connection) -> Result<Vec<PlanId>, JournalError> {
    let mut query = db.prepare("SELECT class, serial, digest FROM plan ORDER BY id")?;
    let rows = query.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, u64_at(row, 1)?, row.get::<_, String>(2)?))
    })?;
    let mut ids = Vec::new();
    for row in rows {
        let (class, serial, digest) = row?;
        let parsed = class.parse::<Class>().ok().zip(digest.parse().ok());
        let (class, digest) = parsed.ok_or_else(|| JournalError::Corrupt {
            path: path.into(),
            what: format!("plan {class}/{serial} cannot be read"),
        })?;
        ids.push(PlanId { class, serial, digest });
    }
    Ok(ids)
}

/// Folds every plan of the file.
pub(super) fn fold_all(
    path: &Path,
    db: &Connection,
) -> Result<BTreeMap<PlanId, Fold>, JournalError> {
    let mut folds = BTreeMap::new();
    for id in plan_ids(path, db)? {
        let fold = Fold::of(&records(path, db, &id)?).map_err(|illegal| JournalError::Corrupt {
            path: path.into(),
            what: format!("plan {id}: {illegal}"),
        })?;
        folds.insert(id, fold);
    }
    receipts::no_two_in_hand(path, &folds)?;
    Ok(folds)
}
