//! One plan at work: what every effect reads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_proto::documents::plan::{Action, Compatibility};
use muster_proto::documents::release::GenesisChange;
use muster_proto::documents::{Plan, PlanId, Release};

use super::code;
use super::error::StepError;
use super::runner::Runner;
use crate::journal::record::Genesis;
use crate::journal::{Effect, Fact, Fold, Found, Milestone, Record};
use crate::node::Block;
use crate::runtime::Engine;

/// One plan at work.
pub(super) struct Work<'a> {
    pub(super) runner: &'a Runner,
    pub(super) id: PlanId,
    pub(super) plan: Arc<Plan>,
    pub(super) release: Option<Arc<Release>>,
    pub(super) genesis: Option<Arc<[u8]>>,
    /// The newest block that the node told before it left.
    pub(super) tip: Mutex<Option<Block>>,
}

impl Work<'_> {
    pub(super) fn engine(&self) -> &Engine {
        &self.runner.engine
    }

    pub(super) fn fold(&self) -> Fold {
        self.runner.journal.fold(&self.id)
    }

    pub(super) fn record(&self, record: Record) -> Result<(), StepError> {
        Ok(self.runner.journal.record(&self.id, &[record], None)?)
    }

    pub(super) fn milestone(&self, milestone: Milestone) -> Result<(), StepError> {
        self.record(Record::Milestone(milestone))
    }

    /// The node as it was found; every step after `Prepare` has one.
    pub(super) fn found(&self) -> Result<Found, StepError> {
        let missing = || StepError::fatal(code::OUT_OF_ORDER, "the node was never looked at");
        self.fold().found.ok_or_else(missing)
    }

    /// The release of an upgrade.
    pub(super) fn release(&self) -> Result<&Release, StepError> {
        let missing = || StepError::passing(code::NO_RELEASE, "");
        self.release.as_deref().ok_or_else(missing)
    }

    pub(super) fn is_upgrade(&self) -> bool {
        matches!(self.plan.action, Action::Upgrade(_))
    }

    /// The node is taken away for a while, or for good.
    pub(super) fn takes_away(&self) -> bool {
        !self.plan.action.only_gives()
    }

    /// It takes effect whatever else is in hand.
    pub(super) fn is_emergency(&self) -> bool {
        self.plan.schedule.is_some()
    }

    /// From the stop signal to SIGKILL: an emergency says itself how long it waits.
    pub(super) fn grace(&self) -> Duration {
        let own = self.plan.schedule.map(|schedule| Duration::from_millis(schedule.grace_ms));
        own.unwrap_or(self.runner.settings.grace)
    }

    /// Where nobody can tell, running and not crashing is enough.
    pub(super) fn is_halted(&self) -> bool {
        self.plan.action.only_gives() || self.plan.compatibility == Compatibility::Halting
    }

    /// The container that runs after `Start`: the successor of an upgrade, else the old one.
    pub(super) fn target(&self) -> Result<String, StepError> {
        if !self.is_upgrade() {
            return Ok(self.found()?.id);
        }
        let missing = || StepError::fatal(code::OUT_OF_ORDER, "there is no successor");
        self.fold().successor().map(str::to_owned).ok_or_else(missing)
    }

    /// Image of the successor, once it is verified to be here.
    pub(super) fn new_image(&self) -> Option<muster_proto::documents::Digest> {
        match self.fold().done.get(&Effect::Pull) {
            Some(Fact::Pulled { image }) => Some(image.clone()),
            _ => None,
        }
    }

    /// The genesis file that the release puts in the old one's place, if it is another one.
    pub(super) fn genesis_swap(&self) -> Result<Option<GenesisSwap>, StepError> {
        let Some(release) = self.release.as_deref().filter(|_| self.is_upgrade()) else {
            return Ok(None);
        };
        let GenesisChange::Replaced { digest, .. } = &release.genesis else { return Ok(None) };
        let Some(old) = self.found()?.genesis else {
            return Err(StepError::fatal(code::NO_GENESIS, ""));
        };
        if old.digest == *digest {
            return Ok(None);
        }
        let new = Genesis { path: old.path.clone(), digest: digest.clone() };
        let beside = |end: &str| beside(&old.path, self.id.serial, end);
        Ok(Some(GenesisSwap { staged: beside("new"), before: beside("before"), old, new }))
    }

    /// Name of the successor until the commit.
    pub(super) fn successor_name(&self, found: &Found) -> String {
        format!("{}-muster-{}", found.name, self.id.serial)
    }

    /// Name of the old container after the commit.
    pub(super) fn kept_name(&self, found: &Found) -> String {
        format!("{}-before-{}", found.name, self.id.serial)
    }

    /// When an effect was last intended.
    pub(super) fn intended(&self, effect: &Effect) -> Option<jiff::Timestamp> {
        self.fold().intended.get(effect).copied()
    }
}

/// A genesis file and the one that takes its place.
#[derive(Debug)]
pub(super) struct GenesisSwap {
    pub(super) old: Genesis,
    pub(super) new: Genesis,
    /// The new file before the swap.
    pub(super) staged: PathBuf,
    /// The old file after the swap.
    pub(super) before: PathBuf,
}

/// `genesis.yaml.muster-42.before`: beside the file, so that a rename stays on its file system.
fn beside(path: &Path, serial: u64, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.muster-{serial}.{end}"))
}
