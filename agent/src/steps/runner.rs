//! Runs one step at a time.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use muster_proto::documents::plan::Action;
use muster_proto::documents::{PlanId, canonical};
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::{Stage, Step};
use tokio::sync::watch;

use super::code;
use super::context::{PlanContext, Progress, Ran, Settings};
use super::error::StepError;
use super::examine::Examination;
use super::work::Work;
use crate::journal::{Cause, Effect, Journal, Last, Milestone, Record, StoredPlan};
use crate::node::{Probe, Seen};
use crate::runtime::{Container, Engine};

/// Carries out the rule's decisions on one node. One step at a time; looking is free.
pub struct Runner {
    pub(super) engine: Arc<Engine>,
    pub(super) journal: Journal,
    pub(super) probe: Probe,
    pub(super) settings: Settings,
    pub(super) examination: Mutex<Option<Examination>>,
    progress: watch::Sender<Option<Progress>>,
    /// Since when a plan is being prepared, without success so far.
    preparing: Mutex<Option<(PlanId, Timestamp)>>,
    pub(super) busy: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runner({})", self.settings.container)
    }
}

impl Runner {
    /// A runner for the node of `settings`.
    pub fn new(engine: Arc<Engine>, journal: Journal, settings: Settings) -> Self {
        let probe = Probe::new(engine.clone(), settings.probe_port, settings.grpc_port);
        Self {
            engine,
            journal,
            probe,
            settings,
            examination: Mutex::default(),
            progress: watch::Sender::new(None),
            preparing: Mutex::default(),
            busy: tokio::sync::Mutex::default(),
        }
    }

    /// Follows what the runner does right now.
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }

    pub(super) fn show(&self, plan: &PlanId, what: impl Into<String>) {
        let progress = Progress { plan: plan.clone(), what: what.into(), since: Timestamp::now() };
        self.progress.send_replace(Some(progress));
    }

    /// Since when this plan is being prepared; begins with the first question.
    pub(super) fn preparing_since(&self, plan: &PlanId) -> Timestamp {
        let mut preparing =
            self.preparing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match preparing.as_ref() {
            Some((known, since)) if known == plan => *since,
            _ => preparing.insert((plan.clone(), Timestamp::now())).1,
        }
    }

    pub(super) fn show_nothing(&self) {
        self.progress.send_replace(None);
    }

    /// Looks at the node: the container that is meant to run now. `closely` reads its metrics
    /// anew (290 kB), else they may be 10 s old.
    pub async fn look(&self, closely: bool) -> Seen {
        let seen = self.probe.look(&self.current(), closely).await;
        if let (Some(container), Some(version)) = (&seen.container, &seen.version)
            && let Err(error) = self.journal.learn_version(&container.image, version)
        {
            tracing::warn!(%error, "the version was not remembered");
        }
        seen
    }

    /// Id or name of the container that is meant to run now.
    pub(super) fn current(&self) -> String {
        let by_name = || self.settings.container.clone();
        let Some(id) = self.journal.in_hand() else { return by_name() };
        let fold = self.journal.fold(&id);
        let started = fold.touched(&Effect::Start);
        let successor = fold.successor().filter(|_| started).map(str::to_owned);
        successor.or(fold.found.map(|found| found.id)).unwrap_or_else(by_name)
    }

    /// Carries out one step.
    ///
    /// `Begin` waits for the beat, asks the rule again, and goes on until the old container is
    /// verified exited (for `start`: until the node is started). At the stage `Begun` every
    /// step first settles what a crash left open, and does no more.
    ///
    /// # Errors
    /// [`StepError`]; one that retrying does not cure is in the journal as the plan's failure.
    pub async fn run(&self, step: &Step, context: &PlanContext) -> Result<Ran, StepError> {
        let _one_at_a_time = self.busy.lock().await;
        let work = self.open(context)?;
        let ran = self.dispatch(step, &work, context).await;
        self.show_nothing();
        ran.map_err(|error| work.note(error))
    }

    /// Writes the plan's signed bytes down before anything else about it.
    fn open<'a>(&'a self, context: &PlanContext) -> Result<Work<'a>, StepError> {
        self.journal.open_plan(&StoredPlan {
            id: context.id.clone(),
            plan: context.plan_bytes.to_vec(),
            release: context.release.as_ref().map(|(_, bytes)| bytes.to_vec()),
        })?;
        let release = context.release.as_ref().map(|(release, _)| release.clone());
        let wanted = match &context.plan.action {
            Action::Upgrade(wanted) => Some(&wanted.digest),
            _ => None,
        };
        let bytes = context.release.as_ref().map(|(_, bytes)| bytes);
        let right = bytes.map(|bytes| muster_proto::documents::Digest::of(bytes));
        Ok(Work {
            runner: self,
            id: context.id.clone(),
            plan: context.plan.clone(),
            // Another release than the plan's would be a fault of the caller.
            release: release.filter(|_| right.as_ref() == wanted),
            genesis: context.genesis.clone(),
            tip: Mutex::default(),
        })
    }

    /// A plan by the journal alone, as it was opened.
    pub(super) fn reopen(&self, id: &PlanId) -> Result<Work<'_>, StepError> {
        let stored = self.journal.stored(id)?;
        let odd = |_| StepError::fatal(code::JOURNAL, "its signed bytes cannot be read");
        let release = stored.release.as_deref().map(canonical::from_bytes).transpose();
        Ok(Work {
            runner: self,
            id: id.clone(),
            plan: Arc::new(canonical::from_bytes(&stored.plan).map_err(odd)?),
            release: release.map_err(odd)?.map(Arc::new),
            genesis: None,
            tip: Mutex::default(),
        })
    }

    async fn dispatch(
        &self,
        step: &Step,
        work: &Work<'_>,
        context: &PlanContext,
    ) -> Result<Ran, StepError> {
        let fold = work.fold();
        if fold.stage == Stage::Begun && fold.undoing.is_none() {
            return match work.settle().await? {
                Stage::Prepared => Ok(Ran::AskAfresh),
                stage => Ok(Ran::Did(stage)),
            };
        }
        match step {
            Step::Acknowledge { in_hand } => work.acknowledge(in_hand.clone()),
            Step::Ask => work.ask(),
            Step::Decline(reason) => work.decline(reason).await,
            Step::Prepare => work.prepare().await,
            Step::Begin(_) => work.begin(context).await,
            Step::Stop => Ok(Ran::AskAfresh),
            Step::Swap => work.swap().await,
            Step::Start => work.start().await,
            Step::Test => work.test(context.fleet).await,
            Step::Commit => work.commit(context.fleet).await,
        }
    }

    /// Other containers that can write to the node's data.
    pub(super) async fn with_same_data(&self, id: &str) -> Result<Vec<Container>, StepError> {
        let Some(own) = self.engine.inspect(id).await? else { return Ok(Vec::new()) };
        let Some(data) = own.host_path(&self.settings.data) else { return Ok(Vec::new()) };
        let mut others = Vec::new();
        for other in self.engine.writers(&data).await? {
            if other != own.id {
                others.extend(self.engine.inspect(&other).await?);
            }
        }
        Ok(others)
    }
}

impl Work<'_> {
    fn acknowledge(&self, in_hand: Option<PlanId>) -> Result<Ran, StepError> {
        if self.fold().stage == Stage::Verified {
            let record = Record::Milestone(Milestone::Acknowledged { in_hand: in_hand.clone() });
            let event = Event::Acknowledged { in_hand };
            self.runner.journal.record(&self.id, &[record], Some(event))?;
        }
        Ok(Ran::Did(self.fold().stage))
    }

    fn ask(&self) -> Result<Ran, StepError> {
        if self.fold().asked.is_none() {
            let record = Record::Milestone(Milestone::Asked);
            self.runner.journal.record(&self.id, &[record], Some(Event::Asked))?;
        }
        Ok(Ran::Did(self.fold().stage))
    }

    /// What was prepared goes first: after the last word nothing is written any more.
    async fn decline(&self, reason: &str) -> Result<Ran, StepError> {
        if !self.fold().is_over() {
            self.clear_away().await?;
            let record = Record::Milestone(Milestone::Final(Last::Declined));
            let reason = crate::node::redact::redact(reason);
            self.runner.journal.record(&self.id, &[record], Some(Event::Declined { reason }))?;
        }
        Ok(Ran::Did(self.fold().stage))
    }

    /// Writes a failure down that retrying does not cure, or whose time is up.
    fn note(&self, mut error: StepError) -> StepError {
        let fold = self.fold();
        if error.retry && self.is_late(&fold, Timestamp::now()) {
            error.retry = false;
            error.text.push_str(", and the time for this node is up");
        }
        let open = fold.stage > Stage::Verified && !fold.is_over();
        tracing::warn!(plan = %self.id, %error, retry = error.retry, "step not done");
        if error.retry || !open || fold.failed.is_some() || fold.undoing.is_some() {
            return error;
        }
        match self.failed(error.cause()) {
            Ok(()) => error,
            Err(unwritten) => unwritten,
        }
    }

    /// Writes a failure down and says so.
    pub(super) fn failed(&self, cause: Cause) -> Result<(), StepError> {
        let event = Event::Failed { code: cause.code.clone(), why: cause.text.clone() };
        let record = Record::Milestone(Milestone::Failed(cause));
        Ok(self.runner.journal.record(&self.id, &[record], Some(event))?)
    }
}
