//! One delegate's host with a stand-in node on the real Engine, and a runner that is given
//! every permission.

pub(crate) mod by_hand;
mod documents;

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bollard::Docker;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::{FutureExt as _, Stream, StreamExt as _};
use jiff::Timestamp;
use muster_agent::journal::{Identity, Journal, JournalError, Seal, WriteHook};
use muster_agent::runtime::Engine;
use muster_agent::steps::{PlanContext, Ran, Runner, Settings};
use muster_proto::documents::NO_ABORTS;
use muster_proto::documents::ids::PlanId;
use muster_proto::evidence::{Chain, Envelope, Receipt};
use muster_proto::rule::decision::{Answer, OwnChain, Serials};
use muster_proto::rule::{
    Decision, Documents, Evidence, Final, Observations, Permit, Reason, decide_with,
};
use muster_tests::fleet::observer::Observer;
use muster_tests::fleet::process::binary;
use muster_tests::image::{self, Image};
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::{Container, Home, Network, Place, Spec};
use muster_tests::referee::{Referee, Setup};
use tempfile::TempDir;
use tokio::sync::mpsc;

use documents::{NETWORK, key, me, roster};
pub(crate) use documents::{changed, plan, release_of, upgrade};

pub(crate) const SOCKET: &str = "/var/run/docker.sock";
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A quarter of a second between blocks.
const SCALE: f64 = 10.0;

/// A delegate's host.
pub(crate) struct Host {
    pub(crate) docker: Docker,
    pub(crate) run: String,
    pub(crate) network: Network,
    pub(crate) referee: Referee,
    pub(crate) home: Home,
    pub(crate) observer: Observer,
    /// Id of the node's first container.
    pub(crate) first: String,
    folder: TempDir,
}

/// Runs `test` on a host of its own and cleans up, whatever comes of it.
pub(crate) async fn on_host<T>(name: &str, test: T) -> Result<()>
where
    T: AsyncFnOnce(&Host) -> Result<()>,
{
    on_host_with(name, SCALE, test).await
}

/// The same with a chain of another pace.
pub(crate) async fn on_host_with<T>(name: &str, scale: f64, test: T) -> Result<()>
where
    T: AsyncFnOnce(&Host) -> Result<()>,
{
    let docker = image::engine().await?;
    let run = format!("steps-{name}-{}", std::process::id());
    let done = async {
        let host = Host::new(docker.clone(), &run, scale).await?;
        test(&host).await?;
        host.observer.verdict().await?;
        let twins = host.referee.report(0).equivocations;
        ensure!(twins.is_empty(), "UNSAFE: two nodes with one key: {twins:?}");
        Ok(())
    }
    .await;
    image::clean_up(&docker, &run).await?;
    done
}

impl Host {
    async fn new(docker: Docker, run: &str, scale: f64) -> Result<Self> {
        let version = old_version().scaled(scale);
        let network = Network::create(&docker, run, run).await?;
        let (own, gateway) = (network.address(10), network.gateway());
        let mut spec = Spec::new(0, own, Vec::new());
        let referee = Referee::start(Setup {
            seats: vec![spec.address()],
            timing: version.timing(),
            p2p: (gateway, 0).into(),
            api: ([127, 0, 0, 1], 0).into(),
        })
        .await?;
        spec.bootstrap = vec![referee.p2p().to_string()];
        let folder = tempfile::tempdir()?;
        let home = Home::lay_out(folder.path().join("home"), &spec, Place::Container)?;
        let observer = Observer::start(docker.clone(), run).await?;
        let mut host = Self {
            docker,
            run: run.to_owned(),
            network,
            referee,
            home,
            observer,
            first: String::new(),
            folder,
        };
        let old = host.load(&version).await?;
        let container = Container {
            name: run,
            image: &old.tag,
            home: &host.home,
            network: (&host.network, own),
            run,
            env: Vec::new(),
        };
        host.first = container.run(&host.docker).await?;
        host.advances().await?;
        Ok(host)
    }

    /// Loads an image of this run's own repository.
    pub(crate) async fn load(&self, behaviour: &Behaviour) -> Result<Image> {
        let tag = format!("{}:{}", self.repository(), behaviour.version);
        let program = binary("iotex-server")?;
        Ok(image::build_as(&self.docker, &program, behaviour, &self.run, &tag).await?)
    }

    pub(crate) fn repository(&self) -> String {
        format!("muster-test/{}", self.run)
    }

    /// Waits until the chain has grown by two blocks from now.
    pub(crate) async fn advances(&self) -> Result<()> {
        let client = self.referee.client();
        let from = client.height().await?;
        let grown = |report: &muster_tests::referee::report::Report| report.height >= from + 2;
        client.until(0, PATIENCE, grown).await.context("the chain does not advance")?;
        Ok(())
    }

    /// The agent's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("agent")
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { grace: Duration::from_secs(4), ..Settings::new(&self.run) }
    }

    /// An agent's runner as it starts: the journal is opened and folded anew.
    pub(crate) fn runner(&self, hook: WriteHook) -> Result<(Runner, Journal)> {
        self.runner_with(self.settings(), hook)
    }

    /// The same with other settings.
    pub(crate) fn runner_with(
        &self,
        settings: Settings,
        hook: WriteHook,
    ) -> Result<(Runner, Journal)> {
        self.runner_on(Engine::new(SOCKET, Duration::from_secs(5)), settings, hook)
    }

    /// The same with a way of its own to the Engine.
    pub(crate) fn runner_on(
        &self,
        engine: Engine,
        settings: Settings,
        hook: WriteHook,
    ) -> Result<(Runner, Journal)> {
        std::fs::create_dir_all(self.data())?;
        let identity = || Identity { network: NETWORK.into(), node: me(), key: key().public() };
        let seal: Seal =
            Arc::new(|receipt| Envelope::sign(receipt, key().signing_key()).map_err(Into::into));
        let deadline = Instant::now() + PATIENCE;
        let journal = loop {
            // A program that another test thread starts holds the folder's lock until it runs.
            match Journal::open_hooked(&self.data(), identity(), seal.clone(), hook.clone()) {
                Err(JournalError::Locked { .. }) if Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                opened => break opened?,
            }
        };
        Ok((Runner::new(Arc::new(engine), journal.clone(), settings), journal))
    }

    /// The state of a container, as the Engine says.
    pub(crate) async fn inspect(&self, id: &str) -> Result<serde_json::Value> {
        let engine = Engine::new(SOCKET, PATIENCE);
        Ok(engine.inspect(id).await?.with_context(|| format!("no container {id}"))?.raw)
    }

    /// What counts as exactly the old node: the same container under its name, its policy and
    /// its files, running, and no other container of this host.
    pub(crate) async fn is_the_old_node(&self, genesis: &[u8]) -> Result<()> {
        let node = self.inspect(&self.run).await?;
        ensure!(node["Id"] == *self.first, "another container: {}", node["Id"]);
        ensure!(node["State"]["Running"] == true, "not running: {}", node["State"]);
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure", "another policy");
        ensure!(std::fs::read(self.home.genesis())? == genesis, "another genesis");
        let folder = self.home.genesis();
        let files = std::fs::read_dir(folder.parent().context("a folder")?)?.count();
        ensure!(files == 2, "{files} files beside config and genesis");
        let containers = Engine::new(SOCKET, PATIENCE).writers(&self.home.data()).await?;
        ensure!(containers == [self.first.clone()], "left behind: {containers:?}");
        self.advances().await
    }

    /// What counts as exactly the new node: a successor under the old one's name and policy,
    /// running, the old container kept beside it, down and disarmed.
    pub(crate) async fn is_the_new_node(&self, image: &Image, serial: u64) -> Result<()> {
        let node = self.inspect(&self.run).await?;
        ensure!(node["Id"] != *self.first, "still the old container");
        ensure!(node["Image"] == *image.id, "another image: {}", node["Image"]);
        ensure!(node["State"]["Running"] == true, "not running: {}", node["State"]);
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure", "another policy");
        let kept = self.inspect(&self.first).await?;
        let name = format!("/{}-before-{serial}", self.run);
        ensure!(kept["Name"] == *name, "another name: {}", kept["Name"]);
        ensure!(kept["State"]["Running"] == false && kept["State"]["Restarting"] == false);
        ensure!(kept["HostConfig"]["RestartPolicy"]["Name"] == "no");
        self.advances().await
    }
}

/// The version that runs first. It does not know the newer genesis keys.
pub(crate) fn old_version() -> Behaviour {
    let known = Behaviour::version("v2.4.4").scaled(SCALE).starting_in(100);
    Behaviour { genesis_keys: Vec::new(), ..known }
}

/// The version after it.
pub(crate) fn new_version() -> Behaviour {
    Behaviour::version("v2.4.5").scaled(SCALE).starting_in(100)
}

/// A hook that never interferes.
pub(crate) fn undisturbed() -> WriteHook {
    Arc::new(|_| {})
}

/// Counts the points around journal writes.
pub(crate) type Points = Arc<AtomicUsize>;

/// A hook that ends everything at its `nth` point as a crash would: nothing more is done, and
/// what was under way is dropped.
pub(crate) fn crash_at(nth: usize) -> (WriteHook, Points) {
    let points = Points::default();
    let passed = points.clone();
    let hook: WriteHook = Arc::new(move |_| {
        if passed.fetch_add(1, Ordering::SeqCst) == nth {
            std::panic::resume_unwind(Box::new(Crash));
        }
    });
    (hook, points)
}

/// What a crash unwinds with; it prints nothing.
pub(crate) struct Crash;

/// Runs `context` to its end with a crash at point `at`; says whether that was reached.
pub(crate) async fn crashed(host: &Host, context: &PlanContext, at: usize) -> Result<(End, bool)> {
    let (hook, _) = crash_at(at);
    let (runner, journal) = host.runner(hook)?;
    let end = AssertUnwindSafe(drive(&runner, context)).catch_unwind().await;
    drop((runner, journal));
    match end {
        Ok(end) => Ok((end?, false)),
        Err(crash) if crash.is::<Crash>() => {
            let (runner, _journal) = host.runner(undisturbed())?;
            let end = drive(&runner, context).await;
            Ok((end.with_context(|| format!("after a crash at point {at}"))?, true))
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The rule without the rule: every permission is given.
fn permit(
    _: &Documents<'_>,
    _: &Evidence,
    _: &Observations,
    _: Timestamp,
) -> Result<Permit, Reason> {
    Ok(Permit { sum: Some(1), heads: BTreeMap::new() })
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Final(Final),
    /// With the code that the rule gives.
    Stuck(String),
}

/// Asks the rule and does what it says, as the daemon does, until the plan is over.
pub(crate) async fn drive(runner: &Runner, context: &PlanContext) -> Result<End> {
    drive_with(runner, context, || {}).await
}

/// The same; calls `turns` before anything is taken back.
pub(crate) async fn drive_with(
    runner: &Runner,
    context: &PlanContext,
    turns: impl Fn(),
) -> Result<End> {
    let driven = driven(runner, context, turns);
    tokio::time::timeout(4 * PATIENCE, driven).await.context("no end in sight")?
}

async fn driven(runner: &Runner, context: &PlanContext, turns: impl Fn()) -> Result<End> {
    let (roster, evidence, others) = (roster(), Evidence::default(), BTreeMap::new());
    let documents = Documents {
        id: &context.id,
        plan: &context.plan,
        roster: &roster,
        others: &others,
        aborts: &NO_ABORTS,
    };
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    loop {
        let seen = runner.look(false).await;
        // An Engine that fails now may not fail at the next turn.
        let _ = runner.keep().await;
        let Ok(observed) = runner.observe(context).await else {
            pace.tick().await;
            continue;
        };
        let me = Observations {
            me: me(),
            stage: observed.stage,
            in_hand: None,
            policy: Answer::Apply,
            test: observed.test,
            failed: observed.failed,
            undoing: observed.undoing,
            own_chain: OwnChain::Agrees,
            interrupted: observed.interrupted,
            ended: 0,
            admitted: Serials::default(),
            held: None,
            fresh_until: Some(Timestamp::MAX),
            height: seen.height,
        };
        let ran = match decide_with(permit, &documents, &evidence, &me, Timestamp::now()) {
            Decision::Do(step) => runner.run(&step, context).await,
            Decision::Undo(why) => {
                turns();
                runner.undo(&why, context).await
            }
            Decision::Finished(last) => return Ok(End::Final(last)),
            Decision::Stuck(why) => return Ok(End::Stuck(why.code.into())),
            Decision::Wait(_) => Ok(Ran::AskAfresh),
        };
        if !matches!(ran, Ok(Ran::Did(_))) {
            pace.tick().await;
        }
    }
}

/// Every signal that the node's container is sent from now on, by the Engine's clock in
/// milliseconds.
pub(crate) fn kills(host: &Host) -> impl Stream<Item = Result<u64>> + Unpin + use<> {
    let (name, since) = (host.run.clone(), Timestamp::now());
    let filters = HashMap::from([("event", vec!["kill"])]);
    let second = since.as_second().to_string();
    let options = EventsOptionsBuilder::new().since(&second).filters(&filters).build();
    let docker = host.docker.clone();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut events = docker.events(Some(options));
        while let Some(event) = events.next().await {
            let read = event.map_err(anyhow::Error::from).map(|event| {
                let names = event.actor.and_then(|actor| actor.attributes);
                let ours = names.is_some_and(|all| all.get("name") == Some(&name));
                let at = u64::try_from(event.time_nano.unwrap_or_default()).unwrap_or_default();
                ours.then_some(at / 1_000_000)
            });
            // The test has ended when nobody listens.
            if let Some(read) = read.transpose()
                && tell.send(read).is_err()
            {
                return;
            }
        }
    });
    let told = tokio_stream::wrappers::UnboundedReceiverStream::new(told);
    let since = u64::try_from(since.as_millisecond()).unwrap_or_default();
    Box::pin(told.filter(move |at| {
        let fresh = at.as_ref().map_or(true, |at| *at >= since);
        std::future::ready(fresh)
    }))
}

/// What the node's agent has said, verified as everybody else would.
pub(crate) fn receipts(journal: &Journal) -> Result<Vec<Receipt>> {
    let mut chain = Chain::new(NETWORK, me(), key().public());
    for (_, bytes) in journal.since(0, 1_000)? {
        chain.add(&Envelope::parse::<Receipt>(&bytes)?)?;
    }
    Ok(chain.receipts().cloned().collect())
}

/// The events of a plan, in words.
pub(crate) fn words(journal: &Journal, plan: &PlanId) -> Result<Vec<&'static str>> {
    let all = receipts(journal)?;
    Ok(all.iter().filter(|one| one.plan == *plan).map(|one| one.event.word()).collect())
}
