//! This agent's own receipts and the counter of its beacons.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use muster_proto::documents::{Class, Digest, PlanId, PublicKey};
use muster_proto::evidence::receipt::Event;
use muster_proto::evidence::{Envelope, Head, Receipt};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::watch;

use super::schema::u64_at;
use super::{Fold, Journal, JournalError};

/// Beacon counters are reserved in blocks of this many: one durable write per block, and at
/// most this many numbers lost by a crash.
const BEACONS_RESERVED: u64 = 1_000;

impl Journal {
    /// The newest own receipt.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn head(&self) -> Result<Option<Head>, JournalError> {
        Ok(head(&self.state().db, &self.inner.identity.key)?)
    }

    /// Own receipts with a counter above `counter`, in order, `limit` at most.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn since(&self, counter: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
        let state = self.state();
        let mut query = state.db.prepare_cached(
            "SELECT counter, envelope FROM receipt WHERE chain = ?1 AND counter > ?2
             ORDER BY counter LIMIT ?3",
        )?;
        let chain = self.inner.identity.key.to_string();
        let rows = query.query_map(params![chain, counter as i64, limit], |row| {
            Ok((u64_at(row, 0)?, row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Follows the counter of the newest own receipt.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.inner.newest.subscribe()
    }

    /// The next beacon's counter: grows over restarts, with gaps.
    ///
    /// # Errors
    /// [`JournalError::Database`].
    pub fn next_beacon(&self) -> Result<u64, JournalError> {
        let (next, reserved) = self.state().beacons;
        if next < reserved {
            self.state().beacons.0 += 1;
            return Ok(next);
        }
        self.write(|state| {
            let stored = state
                .db
                .query_row("SELECT value FROM meta WHERE key = 'beacons'", [], |row| {
                    row.get::<_, String>(0)
                })
                .optional()?;
            let first = stored.and_then(|text| text.parse().ok()).unwrap_or(1_u64);
            let end = first + BEACONS_RESERVED;
            state.db.execute(
                "INSERT INTO meta (key, value) VALUES ('beacons', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [end.to_string()],
            )?;
            state.pending.beacons = Some((first + 1, end));
            Ok(first)
        })
    }

    pub(super) fn append_receipt(
        &self,
        db: &Connection,
        plan: &PlanId,
        at: Timestamp,
        event: Event,
    ) -> Result<u64, JournalError> {
        let identity = &self.inner.identity;
        let previous = head(db, &identity.key)?;
        let counter = previous.as_ref().map_or(1, |head| head.counter + 1);
        let receipt = Receipt {
            muster: "receipt/v1".into(),
            network: identity.network.clone(),
            node: identity.node.clone(),
            counter,
            previous: previous.map(|head| head.hash),
            at,
            plan: plan.clone(),
            event,
        };
        let envelope = (self.inner.seal)(&receipt).map_err(JournalError::Seal)?;
        db.execute(
            "INSERT INTO receipt (chain, counter, hash, plan, envelope) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                identity.key.to_string(),
                counter as i64,
                Digest::of(envelope.payload()).as_str(),
                plan.digest.as_str(),
                envelope.to_bytes::<Receipt>(),
            ],
        )?;
        Ok(counter)
    }
}

fn head(db: &Connection, key: &PublicKey) -> rusqlite::Result<Option<Head>> {
    let mut query = db.prepare_cached(
        "SELECT counter, hash FROM receipt WHERE chain = ?1 ORDER BY counter DESC LIMIT 1",
    )?;
    let row = query
        .query_row([key.to_string()], |row| Ok((u64_at(row, 0)?, row.get::<_, String>(1)?)))
        .optional()?;
    // The digest was written by `append_receipt` and checked by `check_chain`.
    Ok(row.and_then(|(counter, hash)| Some(Head { counter, hash: hash.parse().ok()? })))
}

/// Checks the own chain link by link; returns its newest counter, 0 for none.
pub(super) fn check_chain(
    path: &Path,
    db: &Connection,
    key: &PublicKey,
) -> Result<u64, JournalError> {
    let mut query = db
        .prepare("SELECT counter, hash, envelope FROM receipt WHERE chain = ?1 ORDER BY counter")?;
    let rows = query.query_map([key.to_string()], |row| {
        Ok((u64_at(row, 0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
    })?;
    let mut newest = 0;
    let mut previous = None;
    for row in rows {
        let (counter, hash, envelope) = row?;
        let link = link(&envelope, &hash);
        let follows = link.as_ref().is_some_and(|receipt| {
            receipt.counter == newest + 1
                && counter == receipt.counter
                && receipt.previous == previous
        });
        if !follows {
            let what = format!("the own receipt {counter} does not follow the one before it");
            return Err(JournalError::Corrupt { path: path.into(), what });
        }
        newest = counter;
        previous = hash.parse().ok();
    }
    Ok(newest)
}

fn link(envelope: &[u8], hash: &str) -> Option<Receipt> {
    let envelope = Envelope::parse::<Receipt>(envelope).ok()?;
    let same = Digest::of(envelope.payload()).as_str() == hash;
    envelope.claimed().ok().filter(|_| same)
}

/// Two plans begun and not over cannot have been written by this program.
pub(super) fn no_two_in_hand(
    path: &Path,
    folds: &BTreeMap<PlanId, Fold>,
) -> Result<(), JournalError> {
    // A stop may stand beside what it interrupts.
    for emergency in [false, true] {
        let of_kind = |(id, fold): &(&PlanId, &Fold)| {
            fold.in_hand() && (id.class == Class::Emergency) == emergency
        };
        let mut in_hand = folds.iter().filter(of_kind).map(|(id, _)| id);
        if let (Some(one), Some(other)) = (in_hand.next(), in_hand.next()) {
            let what = format!("plans {one} and {other} are both in hand");
            return Err(JournalError::Corrupt { path: path.into(), what });
        }
    }
    Ok(())
}
