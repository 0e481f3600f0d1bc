//! Watches the Engine's event stream under every container test: at no moment may two
//! running containers hold one operator key.
//!
//! It knows containers by the label [`KEY_LABEL`], which the fixtures put on every node and
//! successors inherit. What counts is the Engine's own order of `start` and `die`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::Docker;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{EventsOptionsBuilder, RemoveVolumeOptions};
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Label of every node container: the operator address whose key it holds.
pub const KEY_LABEL: &str = "muster.test.operator";

/// One event that matters, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Engine time in nanoseconds since the epoch.
    pub at: i64,
    /// `start` or `die`.
    pub what: String,
    /// Container id.
    pub container: String,
    /// Container name at that time.
    pub name: String,
    /// Operator address.
    pub operator: String,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<String, BTreeSet<String>>,
    seen: Vec<Seen>,
    /// Containers that ran at one moment with one key.
    twins: Vec<String>,
    /// Marks of [`Observer::verdict`] that came back.
    marks: BTreeSet<String>,
    /// The stream broke or ended: nothing that it shows can be believed.
    broken: Option<String>,
}

/// The Engine hands events on at once; a loaded one within seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running observer of one fleet.
#[derive(Debug)]
pub struct Observer {
    docker: Docker,
    run: String,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Starts to watch the containers that carry `run` in their label `muster.test`. Begin
    /// before the first of them starts.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub async fn start(docker: Docker, run: &str) -> Result<Self> {
        let version = docker.version().await.context("the Engine does not answer")?;
        tracing::debug!(api = version.api_version, "observing");
        let filters = HashMap::from([
            ("type", vec!["container", "volume"]),
            ("event", vec!["start", "die", "create"]),
        ]);
        // From a little before now, so that nothing falls between this call and the stream.
        let since = (jiff::Timestamp::now().as_second() - 1).to_string();
        let options = EventsOptionsBuilder::default().since(&since).filters(&filters).build();
        let state = watch::Sender::default();
        let task = tokio::spawn(follow(docker.clone(), options, run.to_owned(), state.clone()));
        Ok(Self { docker, run: run.to_owned(), state, task })
    }

    /// What was seen so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.borrow().seen.clone()
    }

    /// Waits until `found` finds something in what was seen.
    ///
    /// # Errors
    /// When the observer ended.
    pub async fn until<T>(&self, found: impl Fn(&[Seen]) -> Option<T>) -> Result<T> {
        let mut state = self.state.subscribe();
        let state = state.wait_for(|state| found(&state.seen).is_some()).await;
        found(&state.context("the observer ended")?.seen).context("it was just there")
    }

    /// Waits for everything that the Engine has done until now, and fails when two running nodes
    /// held one key, when no node ever started, or when the stream broke.
    ///
    /// # Errors
    /// Says which two.
    pub async fn verdict(&self) -> Result<()> {
        self.caught_up().await?;
        let state = self.state.borrow();
        anyhow::ensure!(!state.seen.is_empty(), "not one start of a node was seen");
        if let Some(why) = &state.broken {
            anyhow::bail!("the Engine's event stream broke: {why}");
        }
        anyhow::ensure!(
            state.twins.is_empty(),
            "UNSAFE: two nodes ran with one key: {:?}",
            state.twins
        );
        Ok(())
    }

    /// The Engine tells events in their order: when the one of a volume made now has come, all
    /// before it have.
    async fn caught_up(&self) -> Result<()> {
        let mark = format!("{}-{}", self.run, jiff::Timestamp::now().as_nanosecond());
        let made = VolumeCreateRequest { name: Some(mark.clone()), ..Default::default() };
        self.docker.create_volume(made).await.context("no volume as a mark")?;
        let mut state = self.state.subscribe();
        let told = |state: &State| state.broken.is_some() || state.marks.contains(&mark);
        // What is borrowed from the state must not be held while the Engine is waited for.
        let came =
            tokio::time::timeout(PATIENCE, state.wait_for(told)).await.map(|it| it.map(drop));
        self.docker.remove_volume(&mark, None::<RemoveVolumeOptions>).await?;
        came.context("the Engine's events do not come")?.context("the observer ended")?;
        Ok(())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    docker: Docker,
    options: bollard::query_parameters::EventsOptions,
    run: String,
    state: watch::Sender<State>,
) {
    let mut events = docker.events(Some(options));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => state.send_modify(|state| note(state, event, &run)),
            Err(error) => {
                state.send_modify(|state| state.broken = Some(error.to_string()));
                return;
            }
        }
    }
    state.send_modify(|state| state.broken = Some("it ended".into()));
}

fn note(state: &mut State, event: bollard::models::EventMessage, run: &str) {
    let (Some(what), Some(actor)) = (event.action, event.actor) else { return };
    if what == "create" {
        // Containers are created too; only the names of volumes are waited for.
        state.marks.extend(actor.id);
        return;
    }
    let labels = actor.attributes.unwrap_or_default();
    let ours = labels.get("muster.test").is_some_and(|label| label == run);
    let (Some(operator), Some(id)) = (labels.get(KEY_LABEL).filter(|_| ours), actor.id) else {
        return;
    };
    let name = labels.get("name").cloned().unwrap_or_default();
    let running = state.running.entry(operator.clone()).or_default();
    match what.as_str() {
        "start" => running.insert(id.clone()),
        _ => running.remove(&id),
    };
    if running.len() > 1 {
        let twins = format!("{operator}: {running:?}");
        state.twins.push(twins);
    }
    let operator = operator.clone();
    let at = event.time_nano.unwrap_or_default();
    state.seen.push(Seen { at, what, container: id, name, operator });
}
