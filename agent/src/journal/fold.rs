//! Recovery is a fold: from a plan's records to how far it has come. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_proto::rule::{Final, Stage};

use super::record::{Cause, Dated, Effect, Exited, Fact, Found, Milestone, Record, Tip};

/// How far a plan has come here, by its journal alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fold {
    /// The stage achieved.
    pub stage: Stage,
    /// What was done is being taken back, because of this.
    pub undoing: Option<Cause>,
    /// The first step that failed for good.
    pub failed: Option<Cause>,
    /// Neither forward nor back is safe.
    pub stuck: Option<Cause>,
    /// Since when the operator is asked.
    pub asked: Option<Timestamp>,
    /// The node before the plan touched anything.
    pub found: Option<Found>,
    /// Effects in force, with what was verified.
    pub done: BTreeMap<Effect, Fact>,
    /// Effects whose intent is the last that is known of them.
    pub open: BTreeSet<Effect>,
    /// Effects taken back.
    pub undone: BTreeSet<Effect>,
    /// Effects whose taking back is intended and not verified.
    pub undo_open: BTreeSet<Effect>,
    /// When each effect was last intended.
    pub intended: BTreeMap<Effect, Timestamp>,
    /// When each effect was verified, or verified as taken back.
    pub settled: BTreeMap<Effect, Timestamp>,
    /// The node's newest block when it last began.
    pub tip: Option<Tip>,
    /// When it last began.
    pub began: Option<Timestamp>,
    /// When taking back began.
    pub undoing_since: Option<Timestamp>,
    /// An emergency stopped it, and nothing was done about it since.
    pub interrupted: Option<Timestamp>,
    /// From the stop signal until it was well again.
    pub away_ms: Option<u64>,
    /// For how long nobody could tell since it began, in milliseconds.
    pub stood_still_ms: u64,
    /// How often the node was started in its restart policy's stead.
    pub kept: u32,
    /// The time of the newest record.
    pub last: Option<Timestamp>,
}

/// A record that cannot follow what came before it: the journal is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow {stage:?}{}", if *.undoing { " while undoing" } else { "" })]
pub struct Illegal {
    /// Where the plan stood.
    pub stage: Stage,
    /// Whether it was being undone.
    pub undoing: bool,
    /// What came.
    pub event: String,
}

/// Where a milestone leads; `None` when it cannot come there. This is the transition table.
///
/// `undoing` is derived: it is true from [`Milestone::Undoing`] on and ends with the plan.
pub fn next(stage: Stage, undoing: bool, event: &Milestone) -> Option<Stage> {
    use Milestone as M;
    use Stage::*;
    let to = match (stage, undoing, event) {
        (Verified, false, M::Acknowledged { .. }) => Acknowledged,
        (Verified | Acknowledged | Prepared, false, M::Asked) => stage,
        (Acknowledged, false, M::Prepared) => Prepared,
        (Prepared, false, M::Unprepared) => Acknowledged,
        (Prepared, false, M::Begun { .. }) => Begun,
        (Begun, false, M::Lapsed) => Prepared,
        (Begun, false, M::Rehearsed) => Over(Final::Done),
        (Begun, false, M::Stopped) => Stopped,
        (Stopped, false, M::Swapped) => Swapped,
        (Begun | Stopped | Swapped, false, M::Started) => Started,
        (Stopped | Started, false, M::Passed { .. }) => Passed,
        (Passed, false, M::Final(last)) if Final::from(*last) == Final::Done => Over(Final::Done),
        (Verified | Acknowledged | Prepared, false, M::Final(last))
            if Final::from(*last) == Final::Declined =>
        {
            Over(Final::Declined)
        }
        (Begun | Stopped | Swapped | Started | Passed, false, M::Interrupted { to })
            if Stage::from(*to) <= stage =>
        {
            Stage::from(*to)
        }
        (Begun | Stopped | Swapped | Started, true, M::Interrupted { .. }) => stage,
        (
            Acknowledged | Prepared | Begun | Stopped | Swapped | Started | Passed,
            _,
            M::Failed(_) | M::Stuck(_),
        ) => stage,
        (Acknowledged | Prepared | Begun | Stopped | Swapped | Started, false, M::Undoing(_)) => {
            stage
        }
        (Acknowledged | Prepared | Begun | Stopped | Swapped | Started, true, M::Final(last))
            if Final::from(*last) == Final::RolledBack =>
        {
            Over(Final::RolledBack)
        }
        _ => return None,
    };
    Some(to)
}

impl Fold {
    /// Folds all records of one plan, oldest first.
    ///
    /// # Errors
    /// [`Illegal`] for the first record that cannot follow.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Dated>) -> Result<Self, Illegal> {
        let mut fold = Self::default();
        for dated in records {
            fold.add(dated)?;
        }
        Ok(fold)
    }

    /// Adds the next record.
    ///
    /// # Errors
    /// [`Illegal`]; the fold is then unchanged.
    pub fn add(&mut self, dated: &Dated) -> Result<(), Illegal> {
        let at = dated.at;
        match &dated.record {
            Record::Milestone(milestone) => self.milestone(milestone, at)?,
            _ if self.is_over() => return Err(self.illegal(&dated.record)),
            Record::Found(found) => self.found = Some(found.clone()),
            Record::Intent(_) | Record::Fact(_) if self.undoing.is_some() => {
                return Err(self.illegal(&dated.record));
            }
            Record::Intent(effect) => self.intent(effect, at),
            Record::Fact(fact) => self.fact(fact, at),
            Record::UndoIntent(effect) => {
                self.goes_on(at);
                self.undo_open.insert(effect.clone());
            }
            Record::Undone(effect) => self.taken_back(effect, at),
            Record::StoodStill { ms } => self.stood_still_ms += ms,
            Record::Kept { .. } => self.kept += 1,
        }
        self.last = Some(at);
        Ok(())
    }

    fn milestone(&mut self, milestone: &Milestone, at: Timestamp) -> Result<(), Illegal> {
        let to = next(self.stage, self.undoing.is_some(), milestone);
        self.stage = to.ok_or_else(|| self.illegal(milestone))?;
        match milestone {
            Milestone::Asked => {
                self.asked.get_or_insert(at);
            }
            Milestone::Begun { tip } => {
                self.began = Some(at);
                self.tip = tip.clone();
                self.stood_still_ms = 0;
            }
            Milestone::Interrupted { .. } => {
                self.interrupted = Some(at);
                // What was taken back was started again, and is down now.
                if self.undone.remove(&Effect::Stop) {
                    self.undo_open.insert(Effect::Stop);
                }
            }
            Milestone::Passed { away_ms } => self.away_ms = *away_ms,
            Milestone::Failed(cause) => {
                self.failed.get_or_insert_with(|| cause.clone());
            }
            Milestone::Stuck(cause) => self.stuck = Some(cause.clone()),
            Milestone::Undoing(cause) => {
                self.interrupted = None;
                self.undoing = Some(cause.clone());
                self.undoing_since = Some(at);
                self.stood_still_ms = 0;
                self.kept = 0;
            }
            _ => {}
        }
        Ok(())
    }

    /// The first thing that is done after an interruption ends it; that time counts for nobody.
    fn goes_on(&mut self, at: Timestamp) {
        let Some(since) = self.interrupted.take() else { return };
        let ms = u64::try_from(at.duration_since(since).as_millis()).unwrap_or(0);
        self.stood_still_ms = self.stood_still_ms.saturating_add(ms);
    }

    fn intent(&mut self, effect: &Effect, at: Timestamp) {
        self.goes_on(at);
        self.undone.remove(effect);
        self.open.insert(effect.clone());
        self.intended.insert(effect.clone(), at);
    }

    fn fact(&mut self, fact: &Fact, at: Timestamp) {
        let effect = fact.effect();
        self.open.remove(&effect);
        self.undone.remove(&effect);
        self.settled.insert(effect.clone(), at);
        self.done.insert(effect, fact.clone());
    }

    fn taken_back(&mut self, effect: &Effect, at: Timestamp) {
        self.done.remove(effect);
        self.open.remove(effect);
        self.undo_open.remove(effect);
        self.settled.insert(effect.clone(), at);
        self.undone.insert(effect.clone());
    }

    fn illegal(&self, event: &impl std::fmt::Debug) -> Illegal {
        let undoing = self.undoing.is_some();
        Illegal { stage: self.stage, undoing, event: format!("{event:?}") }
    }

    /// The plan has had its last word here.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Begun (or being undone after that), and not over.
    pub fn in_hand(&self) -> bool {
        let begun = self.stage >= Stage::Begun || self.undoing.is_some();
        begun && !self.is_over()
    }

    /// This effect is in force, or may be: its intent was written and not settled.
    pub fn touched(&self, effect: &Effect) -> bool {
        self.done.contains_key(effect) || self.open.contains(effect)
    }

    /// Id of the successor, once it is verified to exist.
    pub fn successor(&self) -> Option<&str> {
        match self.done.get(&Effect::Create) {
            Some(Fact::Created { id }) => Some(id),
            _ => None,
        }
    }

    /// How the old container left, if the plan stopped it.
    pub fn exited(&self) -> Option<&Exited> {
        match self.done.get(&Effect::Stop) {
            Some(Fact::Exited(exited)) => Some(exited),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
