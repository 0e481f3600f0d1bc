//! The ledger of serials: what was admitted once is known for ever, what is older is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::SERIAL_STEP;
use crate::documents::ids::{Class, Counter};
use crate::documents::{Abort, Digest, PlanId};
use crate::rule::Final;

/// Entries kept per counter. Plans leave the board a week after they end; this is years of them.
const KEPT: usize = 2048;

/// Serials of plans by network and counter. Survives key rotation; only a root's floor resets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    networks: BTreeMap<String, BTreeMap<Counter, Track>>,
    /// By network, the newest emergency that a document of the full threshold has ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ended: BTreeMap<String, u64>,
    /// By network, every abort that ever verified here, oldest first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    aborted: BTreeMap<String, Vec<Abort>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Track {
    /// The highest serial so far, or the floor that replaced it.
    last: u64,
    /// The root's floor that was applied last; the same value does not apply twice.
    floor: Option<u64>,
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    class: Class,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

/// [`Final`] as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Done,
    RolledBack,
    Declined,
}

/// The plan may be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// Its serial is used from now on.
    New,
    /// This very plan was admitted before.
    Known,
}

/// Why a plan's serial was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Below the newest one.
    #[error(
        "R901: {plan} comes after {last}, which was admitted before it; a plan with an old serial is \
         not begun. Freeze it again under a serial above {last}"
    )]
    Below {
        /// Which plan.
        plan: PlanId,
        /// The newest serial of its counter.
        last: u64,
    },
    /// The serial stands for other bytes.
    #[error(
        "R902: serial {} was used for another {class} plan ({}); one serial, one plan. Freeze it \
         again under a new serial",
        plan.serial, digest.short()
    )]
    OtherBytes {
        /// Which plan.
        plan: PlanId,
        /// Class of the plan that used it.
        class: Class,
        /// Digest of the plan that used it.
        digest: Digest,
    },
    /// Too far above: a thief's way to burn all serials.
    #[error(
        "R903: {plan} skips more than {SERIAL_STEP} serials after {last}; freeze it again under a \
         serial up to {}",
        last + SERIAL_STEP
    )]
    TooFarAbove {
        /// Which plan.
        plan: PlanId,
        /// The newest serial of its counter.
        last: u64,
    },
    /// Serials begin at 1.
    #[error("R904: {0} has serial 0; serials begin at 1")]
    Zero(PlanId),
}

impl LedgerError {
    /// The stable code, such as `R901`.
    pub fn code(&self) -> &'static str {
        match self {
            LedgerError::Below { .. } => "R901",
            LedgerError::OtherBytes { .. } => "R902",
            LedgerError::TooFarAbove { .. } => "R903",
            LedgerError::Zero(_) => "R904",
        }
    }
}

impl Ledger {
    /// Admits `plan`, or says why not. Idempotent: a plan stays listed until it is over, so the same
    /// plan comes again and again. `floor` is the trusted root's for this counter.
    ///
    /// A floor that was not applied yet replaces the ledger: serials above it are forgotten (a thief
    /// burnt them), serials up to it are used up, whoever used them. Admit plans in order of their
    /// serials, or use [`Ledger::admit_all`].
    ///
    /// # Errors
    /// [`LedgerError`]; nothing but the floor has changed then.
    pub fn admit(
        &mut self,
        network: &str,
        plan: &PlanId,
        floor: Option<u64>,
    ) -> Result<Admitted, LedgerError> {
        let counter = plan.class.counter();
        let tracks = self.networks.entry(network.into()).or_default();
        let track = tracks.entry(counter).or_default();
        if track.apply(floor) && counter == Counter::Emergency {
            // What a thief has ended beyond the floor is not ended.
            self.ended.entry(network.into()).and_modify(|ended| *ended = track.last.min(*ended));
        }
        let admitted = track.admit(plan);
        // A refusal leaves no trace, not even an empty one.
        tracks.retain(|_, track| *track != Track::default());
        self.networks.retain(|_, tracks| !tracks.is_empty());
        admitted
    }

    /// Admits all of them, lowest serial first.
    pub fn admit_all<'a>(
        &mut self,
        network: &str,
        plans: impl IntoIterator<Item = &'a PlanId>,
        floor: impl Fn(Counter) -> Option<u64>,
    ) -> Vec<(PlanId, Result<Admitted, LedgerError>)> {
        let mut plans: Vec<_> = plans.into_iter().collect();
        plans.sort_by_key(|plan| (plan.class.counter(), plan.serial));
        let mut admit = |plan: &&PlanId| self.admit(network, plan, floor(plan.class.counter()));
        plans.iter().map(|plan| ((*plan).clone(), admit(plan))).collect()
    }

    /// Whether this very plan was admitted.
    pub fn knows(&self, network: &str, plan: &PlanId) -> bool {
        let entry = self.track(network, plan.class.counter());
        let entry = entry.and_then(|track| track.entries.get(&plan.serial));
        entry.is_some_and(|entry| entry.class == plan.class && entry.digest == plan.digest)
    }

    /// The newest serial of a counter; 0 for none.
    pub fn last(&self, network: &str, counter: Counter) -> u64 {
        self.track(network, counter).map_or(0, |track| track.last)
    }

    /// How this agent's part of a plan ended, if it did.
    pub fn outcome(&self, network: &str, plan: &PlanId) -> Option<Final> {
        let track = self.track(network, plan.class.counter())?;
        let entry = track.entries.get(&plan.serial).filter(|it| it.digest == plan.digest)?;
        entry.outcome.map(|outcome| match outcome {
            Outcome::Done => Final::Done,
            Outcome::RolledBack => Final::RolledBack,
            Outcome::Declined => Final::Declined,
        })
    }

    /// Notes how this agent's part of an admitted plan ended. Returns whether anything changed.
    pub fn settle(&mut self, network: &str, plan: &PlanId, outcome: Final) -> bool {
        let counter = plan.class.counter();
        let tracks = self.networks.get_mut(network);
        let track = tracks.and_then(|tracks| tracks.get_mut(&counter));
        let entry = track.and_then(|track| track.entries.get_mut(&plan.serial));
        let Some(entry) = entry.filter(|entry| entry.digest == plan.digest) else { return false };
        let outcome = Some(match outcome {
            Final::Done => Outcome::Done,
            Final::RolledBack => Outcome::RolledBack,
            Final::Declined => Outcome::Declined,
        });
        std::mem::replace(&mut entry.outcome, outcome) != outcome
    }

    /// Notes that an admitted plan ends emergencies up to `serial`. It is never taken back: the
    /// document leaves the boards when it runs out, and what it let go stays free. Returns whether
    /// anything changed.
    pub fn end(&mut self, network: &str, serial: u64) -> bool {
        let ended = self.ended.entry(network.into()).or_default();
        let newer = serial > *ended;
        *ended = serial.max(*ended);
        newer
    }

    /// The newest emergency that was ended; 0 for none.
    pub fn ended(&self, network: &str) -> u64 {
        self.ended.get(network).copied().unwrap_or(0)
    }

    /// Notes an abort, admitted plan or not: it may come first. It is never taken back, also when
    /// its role may not speak any more. Returns whether anything changed.
    pub fn abort(&mut self, abort: &Abort) -> bool {
        let known = self.aborted.entry(abort.network.clone()).or_default();
        if known.iter().any(|other| other.plan == abort.plan) {
            return false;
        }
        known.push(abort.clone());
        if known.len() > KEPT {
            known.remove(0);
        }
        true
    }

    /// Every abort that is known, oldest first.
    pub fn aborts(&self, network: &str) -> impl Iterator<Item = &Abort> {
        self.aborted.get(network).into_iter().flatten()
    }

    fn track(&self, network: &str, counter: Counter) -> Option<&Track> {
        self.networks.get(network)?.get(&counter)
    }
}

impl Track {
    /// Whether the floor is one that was not applied yet.
    fn apply(&mut self, floor: Option<u64>) -> bool {
        let Some(floor) = floor.filter(|floor| self.floor != Some(*floor)) else { return false };
        self.entries.split_off(&floor.saturating_add(1));
        self.last = floor;
        self.floor = Some(floor);
        true
    }

    fn admit(&mut self, plan: &PlanId) -> Result<Admitted, LedgerError> {
        let (plan_id, last) = (plan.clone(), self.last);
        match self.entries.get(&plan.serial) {
            _ if plan.serial == 0 => return Err(LedgerError::Zero(plan_id)),
            Some(it) if it.class == plan.class && it.digest == plan.digest => {
                return Ok(Admitted::Known);
            }
            Some(it) => {
                let (class, digest) = (it.class, it.digest.clone());
                return Err(LedgerError::OtherBytes { plan: plan_id, class, digest });
            }
            None if plan.serial <= last => return Err(LedgerError::Below { plan: plan_id, last }),
            None if plan.serial - last > SERIAL_STEP => {
                return Err(LedgerError::TooFarAbove { plan: plan_id, last });
            }
            None => {}
        }
        let entry = Entry { class: plan.class, digest: plan.digest.clone(), outcome: None };
        self.entries.insert(plan.serial, entry);
        self.last = plan.serial;
        while self.entries.len() > KEPT {
            self.entries.pop_first();
        }
        Ok(Admitted::New)
    }
}
