//! What a step is given, and what it gives back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_proto::documents::{Plan, PlanId, Release};
use muster_proto::rule::decision::Test;
use muster_proto::rule::{Permit, Reason, Stage, Why};

use crate::node::fleet::Fleet;

/// A plan and what is known around it now.
#[derive(Clone)]
pub struct PlanContext {
    /// Which very plan.
    pub id: PlanId,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its canonical JSON, as it was verified.
    pub plan_bytes: Arc<[u8]>,
    /// Its release (for an upgrade), with its canonical JSON.
    pub release: Option<(Arc<Release>, Arc<[u8]>)>,
    /// The release's genesis file, if it brings one and the boards have handed it over.
    pub genesis: Option<Arc<[u8]>>,
    /// What the others say about the chain.
    pub fleet: Fleet,
    /// Asks the rule again, with the newest evidence. Called after the beat, before `began`.
    pub again: Again,
}

/// Asks the rule again.
pub type Again = Arc<dyn Fn() -> Result<Permit, Reason> + Send + Sync>;

/// How this agent treats its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the one container that this agent may touch.
    pub container: String,
    /// Port of probe and metrics inside the container.
    pub probe_port: u16,
    /// Port of gRPC inside the container.
    pub grpc_port: u16,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// For how long an old container stays after a commit.
    pub retention: Duration,
    /// Folder of the node's data inside the container; nobody else may use its host folder.
    pub data: PathBuf,
}

impl Settings {
    /// What suits an ordinary delegate's host.
    pub fn new(container: impl Into<String>) -> Self {
        Self {
            container: container.into(),
            probe_port: 8080,
            grpc_port: 14014,
            // A node leaves at the end of its round, 10 s at most; one that flushes 265 GB of
            // databases was seen to take longer.
            grace: Duration::from_secs(60),
            retention: Duration::from_secs(72 * 3600),
            data: PathBuf::from("/var/data"),
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// It took effect, now or before; the stage achieved.
    Did(Stage),
    /// After the beat the rule said no; nothing was journaled.
    NotNow(Reason),
    /// The permission is spent without an effect: ask the rule afresh (rule 11).
    AskAfresh,
    /// Under way, what it waits for is the test; call it again.
    Waits(Test),
}

/// How far a plan has come, and how the node is under it; for [`Observations`].
///
/// [`Observations`]: muster_proto::rule::Observations
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// By the journal.
    pub stage: Stage,
    /// What was done is being taken back.
    pub undoing: bool,
    /// An emergency stopped it in the middle, and nothing was done about it since.
    pub interrupted: bool,
    /// The first step that failed for good.
    pub failed: Option<Why>,
    /// Since when the operator is asked.
    pub asked: Option<Timestamp>,
    /// The self-test, or the test that the old node is back.
    pub test: Test,
}

/// What the runner does right now, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Under which plan.
    pub plan: PlanId,
    /// Such as `stop` or `undo swap`.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}
