//! From permission to effect: the beat, the rule again, `began`, the old container down.

use std::time::Duration;

use jiff::Timestamp;
use muster_proto::documents::{Class, PlanId};
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::{Permit, Stage};
use tokio::time::Instant;

use super::code;
use super::context::{PlanContext, Ran};
use super::error::StepError;
use super::policy::{Disarm, inspect};
use super::stop::Stop;
use super::work::Work;
use crate::journal::{Found, Milestone, Record, Tip};
use crate::node::beat::{Advice, Beat};
use crate::runtime::Container;

impl Work<'_> {
    pub(super) async fn begin(&self, context: &PlanContext) -> Result<Ran, StepError> {
        let fold = self.fold();
        if fold.stage != Stage::Prepared || fold.undoing.is_some() {
            return Ok(Ran::Did(fold.stage));
        }
        let beside = self.runner.journal.in_hand_beside(&self.id);
        let binds = |other: &PlanId| !self.is_emergency() || other.class == Class::Emergency;
        if beside.as_ref().is_some_and(binds) {
            return Err(StepError::passing(code::OUT_OF_ORDER, "another plan is in hand"));
        }
        let Some(found) = self.still_as_prepared().await? else {
            self.clear_away().await?;
            self.milestone(Milestone::Unprepared)?;
            return Ok(Ran::Did(Stage::Acknowledged));
        };
        let node = inspect(self, &found.id).await?;
        let tip = match node.state.running {
            true => self.meet_the_beat(&node).await?,
            false => None,
        };
        match (context.again)() {
            Err(reason) => Ok(Ran::NotNow(reason)),
            Ok(permit) if self.is_dry() => self.rehearse(permit, tip).await,
            Ok(permit) => self.go(permit, tip).await,
        }
    }

    /// From here on there is nothing to wait for.
    async fn go(&self, permit: Permit, tip: Option<Tip>) -> Result<Ran, StepError> {
        let record = Record::Milestone(Milestone::Begun { tip });
        let event = Event::Began { sum: permit.sum, heads: permit.heads };
        self.runner.journal.record(&self.id, &[record], Some(event))?;
        if !self.takes_away() {
            return self.start().await;
        }
        self.interrupt()?;
        match self.take_away().await {
            Ok(ran) => Ok(ran),
            // The permission is spent. What was done of the effect is seen to, or taken back.
            Err(error) => match self.settle().await? {
                Stage::Stopped => Ok(Ran::Did(Stage::Stopped)),
                _ => Err(error),
            },
        }
    }

    async fn take_away(&self) -> Result<Ran, StepError> {
        self.carry(&Disarm).await?;
        self.carry(&Stop).await?;
        self.stopped()
    }

    /// Writes down that the old container is verified exited, with its last words.
    pub(super) fn stopped(&self) -> Result<Ran, StepError> {
        let fold = self.fold();
        let missing = || StepError::fatal(code::OUT_OF_ORDER, "no exit was seen");
        let exited = fold.exited().cloned().ok_or_else(missing)?;
        let event = Event::Stopped {
            height: exited.height,
            block_hash: exited.block_hash,
            exit: exited.exit,
            beside: self.beside()?,
        };
        let record = Record::Milestone(Milestone::Stopped);
        self.runner.journal.record(&self.id, &[record], Some(event))?;
        Ok(Ran::Did(Stage::Stopped))
    }

    /// The node as it is now; none when it is another one than it was prepared for.
    async fn still_as_prepared(&self) -> Result<Option<Found>, StepError> {
        let then = self.found()?;
        let now = self.find().await?;
        if (&now.id, &now.image, &now.genesis) != (&then.id, &then.image, &then.genesis) {
            return Ok(None);
        }
        if now != then {
            self.record(Record::Found(now.clone()))?;
        }
        Ok(Some(now))
    }

    /// Waits for the moment in the round in which a stop misses no block; a few intervals at
    /// most. In an emergency, and for a start, there is nothing to wait for.
    async fn meet_the_beat(&self, node: &Container) -> Result<Option<Tip>, StepError> {
        if !self.takes_away() {
            return Ok(None);
        }
        self.is_past_startup(node).await?;
        if self.plan.class != Class::Emergency {
            self.runner.show(&self.id, "waiting for the beat");
            self.wait_for_beat(node).await;
        }
        let newest = self.runner.probe.newest(node).await;
        Ok(newest.map(|block| Tip { height: block.height, hash: block.hash }))
    }

    /// A node in start-up is deaf to its stop signal: it is left alone until it is ready, or has
    /// had its time for that.
    async fn is_past_startup(&self, node: &Container) -> Result<(), StepError> {
        let ran = node.state.started_at.map(|at| Timestamp::now().duration_since(at).as_millis());
        let ran_ms = u64::try_from(ran.unwrap_or(0)).unwrap_or(0);
        if ran_ms >= self.plan.health.ready_ms || self.plan.class == Class::Emergency {
            return Ok(());
        }
        match self.runner.probe.look(&node.id, false).await.ready {
            true => Ok(()),
            false => Err(StepError::passing(code::STARTING, &node.name)),
        }
    }

    async fn wait_for_beat(&self, node: &Container) {
        let probe = &self.runner.probe;
        let Some(height) = probe.height(node).await else { return };
        let began = Instant::now();
        let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut beat = Beat::new(now_ms(), &probe.block_times(node, height).await);
        beat.heard(height, now_ms());
        loop {
            match beat.advise(now_ms()) {
                Advice::Send { permille } => {
                    tracing::info!(plan = %self.id, permille, waited_ms = now_ms(), "on the beat");
                    return;
                }
                Advice::NoBeat => {
                    tracing::info!(plan = %self.id, waited_ms = now_ms(), "no beat to wait for");
                    return;
                }
                Advice::Wait { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            }
            if let Some(height) = probe.height(node).await {
                beat.heard(height, now_ms());
            }
        }
    }
}
