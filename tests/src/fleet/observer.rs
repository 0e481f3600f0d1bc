//! Watches the Engine's event stream under every container test: at no moment may two
//! running containers hold one operator key.
//!
//! It knows containers by the label [`KEY_LABEL`], which the fixtures put on every node and
//! successors inherit. What counts is the Engine's own order of `start` and `die`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use bollard::Docker;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::StreamExt as _;
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
    /// The stream broke: nothing that it shows can be believed.
    broken: Option<String>,
}

/// A running observer of one fleet.
#[derive(Debug)]
pub struct Observer {
    state: Arc<Mutex<State>>,
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
        let filters = HashMap::from([("type", vec!["container"]), ("event", vec!["start", "die"])]);
        // From a little before now, so that nothing falls between this call and the stream.
        let since = (jiff::Timestamp::now().as_second() - 1).to_string();
        let options = EventsOptionsBuilder::default().since(&since).filters(&filters).build();
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(follow(docker, options, run.to_owned(), state.clone()));
        Ok(Self { state, task })
    }

    /// What was seen so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().expect("no holder panics").seen.clone()
    }

    /// Fails when two running nodes held one key, or when the stream broke.
    ///
    /// # Errors
    /// Says which two.
    pub fn verdict(&self) -> Result<()> {
        let state = self.state.lock().expect("no holder panics");
        if let Some(why) = &state.broken {
            anyhow::bail!("the Engine's event stream broke: {why}");
        }
        anyhow::ensure!(state.twins.is_empty(), "two nodes ran with one key: {:?}", state.twins);
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
    state: Arc<Mutex<State>>,
) {
    let mut events = docker.events(Some(options));
    while let Some(event) = events.next().await {
        let mut state = state.lock().expect("no holder panics");
        match event {
            Ok(event) => note(&mut state, event, &run),
            Err(error) => {
                state.broken = Some(error.to_string());
                return;
            }
        }
    }
}

fn note(state: &mut State, event: bollard::models::EventMessage, run: &str) {
    let (Some(what), Some(actor)) = (event.action, event.actor) else { return };
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
