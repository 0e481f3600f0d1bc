//! Everything that can be done while the node runs: look, check, pull, stage, create.

use jiff::Timestamp;
use muster_proto::documents::plan::Action;
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::Stage as Achieved;

use super::code;
use super::context::Ran;
use super::create::{self, Connect, Create};
use super::error::StepError;
use super::pull::Pull;
use super::stage::{Stage, io};
use super::work::Work;
use crate::journal::{Fold, Found, Milestone, Record};
use crate::node::genesis;
use crate::runtime::Container;

impl Work<'_> {
    pub(super) async fn prepare(&self) -> Result<Ran, StepError> {
        if self.fold().stage != Achieved::Acknowledged {
            return Ok(Ran::Did(self.fold().stage));
        }
        let found = self.find().await?;
        if self.fold().found.as_ref() != Some(&found) {
            self.record(Record::Found(found.clone()))?;
        }
        if self.is_upgrade() {
            self.may_follow(&found)?;
            self.carry(&Pull).await?;
            if let Some(swap) = self.genesis_swap()? {
                self.carry(&Stage(swap)).await?;
            }
            self.carry(&Create).await?;
            for (network, end) in create::spec(self, &found).await?.more_networks {
                self.carry(&Connect { network, end }).await?;
            }
        }
        let record = Record::Milestone(Milestone::Prepared);
        self.runner.journal.record(&self.id, &[record], Some(Event::Prepared))?;
        Ok(Ran::Did(Achieved::Prepared))
    }

    /// The node as it is now, if it may be touched at all.
    pub(super) async fn find(&self) -> Result<Found, StepError> {
        // A stop takes what runs, also when a step that it interrupts has brought a successor.
        let which = match self.is_emergency() {
            true => self.runner.current(),
            false => self.runner.settings.container.clone(),
        };
        let missing = || StepError::fatal(code::NO_CONTAINER, &which);
        let container = self.engine().inspect(&which).await?.ok_or_else(missing)?;
        self.may_be_touched(&container).await?;
        let mut policy = container.policy.clone();
        if policy.is_no()
            && let Some(remembered) = self.runner.journal.remembered_policy(&container.id)?
        {
            policy = remembered;
        }
        let known = self.runner.journal.known_version(&container.image)?;
        Ok(Found {
            version: known,
            genesis: genesis::mounted(&container).map_err(|error| io("genesis", &error))?,
            running: container.state.running,
            id: container.id,
            name: container.name,
            image: container.image,
            policy,
        })
    }

    async fn may_be_touched(&self, container: &Container) -> Result<(), StepError> {
        if container.auto_remove {
            return Err(StepError::fatal(code::AUTO_REMOVE, &container.name));
        }
        if container.state.paused {
            return Err(StepError::passing(code::PAUSED, &container.name));
        }
        for other in self.runner.with_same_data(&container.id).await? {
            let plan = other.labels.get(crate::runtime::successor::LABEL_PLAN);
            let mine = plan.is_some_and(|plan| plan == self.id.digest.as_str());
            if !mine && (!other.state.is_down() || !other.policy.is_no()) {
                return Err(StepError::fatal(code::SHARED_DATA, &other.name));
            }
        }
        Ok(())
    }

    /// The release may follow the version that runs, and was not rolled back here.
    fn may_follow(&self, found: &Found) -> Result<(), StepError> {
        let release = self.release()?;
        if let Action::Upgrade(wanted) = &self.plan.action
            && let Some(failure) = self.runner.journal.sticky(&wanted.digest)?
        {
            let text = format!("{} at {}: {}", failure.version, failure.at, failure.cause);
            return Err(StepError::fatal(code::STICKY, text));
        }
        let Some(version) = &found.version else {
            return Err(StepError::passing(code::UNKNOWN_VERSION, &found.name));
        };
        if release.from.contains(version) {
            return Ok(());
        }
        let text = format!("{} from {version}, only from {:?}", release.version, release.from);
        Err(StepError::fatal(code::WRONG_VERSION, text))
    }

    /// Takes the successor and the staged file away again.
    pub(super) async fn clear_away(&self) -> Result<(), StepError> {
        self.take_back(&Create).await?;
        if let Ok(Some(swap)) = self.genesis_swap() {
            self.take_back(&Stage(swap)).await?;
        }
        Ok(())
    }

    /// The time for this node is up: counted from the first attempt while it prepares (the agent's
    /// restart begins anew), from `began` afterwards, without the time in which nobody could tell.
    pub(super) fn is_late(&self, fold: &Fold, now: Timestamp) -> bool {
        let since = match fold.stage {
            Achieved::Acknowledged => Some(self.runner.preparing_since(&self.id)),
            Achieved::Verified | Achieved::Prepared | Achieved::Over(_) => None,
            _ => fold.undoing_since.or(fold.began),
        };
        let used = since.map_or(0, |since| now.duration_since(since).as_millis());
        let used = u64::try_from(used).unwrap_or(0).saturating_sub(fold.stood_still_ms);
        used >= self.plan.deadline.per_node_ms
    }
}

impl super::Runner {
    /// The plan can no longer begin (it expired, or another took its place): takes away what was
    /// prepared for it. The promise stands.
    ///
    /// # Errors
    /// [`StepError`]
    pub async fn unprepare(&self, id: &muster_proto::documents::PlanId) -> Result<(), StepError> {
        let _one_at_a_time = self.busy.lock().await;
        let fold = self.journal.fold(id);
        if !matches!(fold.stage, Achieved::Acknowledged | Achieved::Prepared) {
            return Ok(());
        }
        let work = self.reopen(id)?;
        let cleared = work.clear_away().await;
        self.show_nothing();
        cleared?;
        match fold.stage {
            Achieved::Prepared => work.milestone(Milestone::Unprepared),
            _ => Ok(()),
        }
    }
}
