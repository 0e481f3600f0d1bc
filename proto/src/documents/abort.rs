//! An abort: nobody who has not begun this very plan ever begins it. One emergency key is enough,
//! because it can only keep nodes as they are, or put them back to what they were.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::canonical::Document as _;
use super::{Plan, PlanId};

/// The aborts that are known, by the plan that each ends.
pub type Aborts = BTreeMap<PlanId, Abort>;

/// No abort.
pub static NO_ABORTS: Aborts = BTreeMap::new();

/// Ends one very plan for good. It carries no serial: two of one plan say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Always `abort/v1`.
    pub muster: String,
    /// The network of the plan.
    pub network: String,
    /// Which very plan.
    pub plan: PlanId,
    /// The end of that plan's own validity; after it there is nothing left to abort.
    pub until: Timestamp,
    /// When it was frozen.
    pub issued: Timestamp,
    /// For everybody who looks.
    pub reason: String,
}

impl Abort {
    /// The abort of a plan, frozen at `issued`.
    pub fn of(id: &PlanId, plan: &Plan, issued: Timestamp, reason: impl Into<String>) -> Self {
        Self {
            muster: Self::KIND.into(),
            network: plan.network.clone(),
            plan: id.clone(),
            until: plan.valid.until,
            issued,
            reason: reason.into(),
        }
    }

    /// Where it lies among the targets.
    pub fn path(&self) -> String {
        format!("abort/{}/{}-{}.json", self.network, self.plan.class, self.plan.serial)
    }
}
