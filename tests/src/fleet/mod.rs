//! A whole fleet on this machine: referee, nodes in containers, agents and controller as
//! processes of their own. Used by the tests, the demo and the benchmark.

pub mod attendance;
pub mod board;
pub mod delegate;
pub mod observer;
pub mod officers;
pub mod planted;
pub mod process;
pub mod script;
pub mod sweep;
pub mod touched;
pub mod watcher;

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bollard::Docker;
use jiff::Timestamp;
use muster_agent::control::view::Status;
use muster_proto::documents::release::{ConfigChange, GenesisChange, Image, Priority, Release};
use muster_proto::documents::roster::{Consensus, Role};
use muster_proto::documents::{Digest, Roster};
use tempfile::TempDir;

use self::attendance::Attendance;
use self::board::Board;
use self::delegate::Delegate;
use self::observer::Observer;
use self::officers::Officers;
use self::process::binary;
use self::sweep::Sweep;
use self::watcher::Watcher;
use crate::image;
use crate::node::behaviour::Behaviour;
use crate::node::host::{Container, Home, Network, Place, Spec};
use crate::referee::{Referee, Setup};

/// The network of every test fleet.
pub const NETWORK: &str = "testnet";
/// The version that every fleet begins with.
pub const OLD: &str = "v2.4.3";
/// Nothing in a fleet takes longer than this when it works.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct Make {
    /// How many delegates.
    pub size: u8,
    /// What the first version does; also the fleet's scale of time.
    pub behaviour: Behaviour,
    /// How many boards.
    pub boards: u8,
    /// Further delegates without a seat: they follow the chain, and no budget counts them.
    pub followers: u8,
}

impl Make {
    /// `size` delegates whose blocks come every quarter of a second.
    pub fn quick(size: u8) -> Self {
        let behaviour = Behaviour::version(OLD).scaled(10.0).starting_in(100);
        Self { size, behaviour, boards: 1, followers: 0 }
    }

    /// `size` delegates in the time of the beat: a block every second.
    pub fn on_the_beat(size: u8) -> Self {
        let behaviour = Behaviour::version(OLD).scaled(2.5).starting_in(100);
        Self { size, behaviour, boards: 1, followers: 0 }
    }
}

/// A running fleet. Call [`Fleet::end`] when done: it looks at the observer's verdict.
pub struct Fleet {
    /// Label of everything it made.
    pub run: String,
    /// The Engine.
    pub docker: Docker,
    /// Watches for two nodes with one key.
    pub observer: Observer,
    /// Holds the chain.
    pub referee: Referee,
    /// The boards; the first one publishes.
    pub boards: Vec<Board>,
    /// Those who sign.
    pub officers: Officers,
    /// The hosts, in the roster's order.
    pub delegates: Vec<Delegate>,
    /// What the first version does.
    pub behaviour: Behaviour,
    // Fields are dropped in this order: agents before their containers, these before their files.
    _sweep: Sweep,
    folder: TempDir,
}

/// Tells fleets of one process apart.
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Fleet {
    /// Everything up: nodes at the tip, a signed roster, every agent attached.
    ///
    /// # Errors
    /// When any part does not come up; what was made is cleaned up.
    pub async fn up(make: Make) -> Result<Self> {
        let mut fleet = Self::founded(make).await?;
        let ready = fleet.enrol().await;
        match ready {
            Ok(()) => Ok(fleet),
            Err(error) => Err(error.context(fleet.logs())),
        }
    }

    /// Nodes, boards and officers; no agent yet.
    async fn founded(make: Make) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let run = format!("m{}-{number}", std::process::id());
        let docker = image::engine().await.context("no Engine")?;
        let sweep = Sweep::new(&run);
        let folder = tempfile::tempdir()?;
        let observer = Observer::start(docker.clone(), &run).await?;
        let nodes = nodes(&docker, &run, folder.path(), &make).await;
        let (referee, delegates) = nodes?;
        let mut boards = Vec::new();
        for index in 0..make.boards {
            boards.push(Board::init(&folder.path().join(format!("board-{index}")), NETWORK).await?);
        }
        // One publisher for each root: the others serve what they are given.
        boards[1..].iter().try_for_each(Board::serves_only)?;
        let officers = Officers::new(NETWORK, boards[0].publishers)?;
        let behaviour = make.behaviour;
        Ok(Self {
            run,
            docker,
            observer,
            referee,
            boards,
            officers,
            delegates,
            behaviour,
            _sweep: sweep,
            folder,
        })
    }

    async fn enrol(&mut self) -> Result<()> {
        for board in &mut self.boards {
            board.found(&self.officers).await?;
        }
        let address = self.boards[0].address.clone();
        self.officers.attach(&address).await?;
        self.officers.publish_keys().await?;
        let addresses: Vec<_> = self.boards.iter().map(|board| board.address.clone()).collect();
        let enrolled = self.delegates.iter();
        let enrolled = enrolled.map(|it| it.init(NETWORK, &self.officers, &addresses));
        let mut nodes = futures::future::try_join_all(enrolled).await?;
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let active = self.delegates.iter().filter(|delegate| delegate.seat).count();
        let roster = Roster {
            muster: "roster/v1".into(),
            network: NETWORK.into(),
            version: 1,
            issued: seconds(),
            consensus: Consensus { active: u32::try_from(active)? },
            nodes,
        };
        self.officers.publish_roster(&roster).await?;
        self.share().await?;
        for delegate in &mut self.delegates {
            delegate.start()?;
        }
        let all = self.delegates.len();
        self.until("every agent sends beacons", |view| view.beacons() == all).await
    }

    /// Waits until what an officer sees of the board satisfies `wanted`.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`], with the logs.
    pub async fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&script::Seen) -> bool,
    ) -> Result<()> {
        let waited = script::until(&mut self.officers, wanted).await;
        waited.with_context(|| format!("never: {what}\n{}", self.logs()))
    }

    /// Loads an image of `behaviour` and signs it as a release from every other version.
    ///
    /// # Errors
    /// When the Engine or the board refuses.
    pub async fn release(&mut self, behaviour: &Behaviour) -> Result<Release> {
        let release = self.unsigned_release(behaviour).await?;
        self.officers.publish_release(&release, None).await?;
        Ok(release)
    }

    /// The same without signing it.
    ///
    /// # Errors
    /// When the Engine refuses.
    pub async fn unsigned_release(&self, behaviour: &Behaviour) -> Result<Release> {
        let image = load(&self.docker, behaviour, &self.run).await?;
        let (repository, _) = image.tag.rsplit_once(':').context("a tag")?;
        let digest: Digest = image.id.parse()?;
        let entry = Image { repository: repository.into(), config: digest, manifest: None };
        Ok(Release {
            muster: "release/v1".into(),
            version: behaviour.version.clone(),
            issued: seconds(),
            images: [("linux/amd64".into(), entry)].into(),
            from: vec![OLD.into(), "v2.4.4".into()],
            compatible: true,
            activation_height: None,
            roles: [(Role::ConsensusDelegate, Priority::Must)].into(),
            config: ConfigChange::Unchanged,
            genesis: GenesisChange::Unchanged,
        })
    }

    /// The delegate of that name.
    ///
    /// # Panics
    /// When there is none.
    pub fn delegate(&mut self, name: &str) -> &mut Delegate {
        let found = self.delegates.iter_mut().find(|delegate| delegate.name == name);
        found.unwrap_or_else(|| panic!("no delegate {name}"))
    }

    /// What the Engine says of a delegate's container now: image id and whether it runs.
    ///
    /// # Errors
    /// When there is no container of that name.
    pub async fn container(&self, name: &str) -> Result<(String, bool)> {
        let delegate = self.delegates.iter().find(|delegate| delegate.name == name);
        let container = &delegate.with_context(|| format!("no delegate {name}"))?.container;
        let found = self.docker.inspect_container(container, None).await?;
        let running = found.state.and_then(|state| state.running).unwrap_or_default();
        Ok((found.image.unwrap_or_default(), running))
    }

    /// What the Engine says of a delegate's restart policy now.
    ///
    /// # Errors
    /// When there is no container of that name.
    pub async fn restart_policy(&self, name: &str) -> Result<String> {
        let delegate = self.delegates.iter().find(|delegate| delegate.name == name);
        let container = &delegate.with_context(|| format!("no delegate {name}"))?.container;
        let found = self.docker.inspect_container(container, None).await?;
        let policy = found.host_config.and_then(|host| host.restart_policy?.name);
        Ok(policy.map(|policy| policy.to_string()).unwrap_or_default())
    }

    /// When a delegate's container exited last, by the Engine's clock.
    ///
    /// # Errors
    /// When there is no container of that name, or it never exited.
    pub async fn finished(&self, name: &str) -> Result<jiff::Timestamp> {
        let delegate = self.delegates.iter().find(|delegate| delegate.name == name);
        let container = &delegate.with_context(|| format!("no delegate {name}"))?.container;
        let found = self.docker.inspect_container(container, None).await?;
        let at = found.state.and_then(|state| state.finished_at);
        Ok(at.with_context(|| format!("{name} never exited"))?.parse()?)
    }

    /// Signs and hands in a plan.
    ///
    /// # Errors
    /// When lint or the board refuses.
    pub async fn publish(&mut self, script: &script::Script) -> Result<()> {
        self.officers.publish_plan(&script.yaml()).await.map(drop)
    }

    /// Hands everything that the first board has signed to the others, as officers do.
    ///
    /// # Errors
    /// When a board cannot be reached or refuses.
    pub async fn share(&mut self) -> Result<()> {
        for at in 1..self.boards.len() {
            self.officers.refresh().await?;
            let address = self.boards[at].address.clone();
            self.officers.attach(&address).await?;
            self.officers.pass_on().await?;
            let first = self.boards[0].address.clone();
            self.officers.attach(&first).await?;
        }
        Ok(())
    }

    /// What an officer sees of the board now.
    ///
    /// # Errors
    /// When the board cannot be reached.
    pub async fn see(&mut self) -> Result<script::Seen> {
        script::see(&mut self.officers).await
    }

    /// Asks a delegate's agent for its `status` until `wanted` holds of it.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`], with what the agent said last.
    pub async fn until_status(
        &mut self,
        name: &str,
        wanted: impl Fn(&Status) -> bool,
    ) -> Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        let mut last = String::new();
        while tokio::time::Instant::now() < deadline {
            pace.tick().await;
            last = self.delegate(name).cli(&["status", "--json"]).await?.out;
            if serde_json::from_str(&last).is_ok_and(|status| wanted(&status)) {
                return Ok(());
            }
        }
        let log = self.delegate(name).log();
        bail!("the agent of {name} never said it; the last word was {last}\n---- its log\n{log}")
    }

    /// Somebody with the real `muster` who may watch. The board starts again to learn of him.
    ///
    /// # Errors
    /// When `muster init` refuses, or the board does not come back.
    pub async fn watcher(&mut self, name: &str) -> Result<Watcher> {
        self.person(name, "watch").await
    }

    /// The same with `rights` at the board, such as `watch, hold`.
    ///
    /// # Errors
    /// As [`Fleet::watcher`].
    pub async fn person(&mut self, name: &str, rights: &str) -> Result<Watcher> {
        let (home, board) = (self.folder.path().join(name), &self.boards[0]);
        let watcher = Watcher::new(name, &home, &self.officers, NETWORK, board, rights).await?;
        self.boards[0].kill().await?;
        self.boards[0].start().await?;
        let address = self.boards[0].address.clone();
        self.officers.attach(&address).await?;
        Ok(watcher)
    }

    /// From now on: who leaves the chain and comes back, by the referee.
    ///
    /// # Errors
    /// When the referee does not answer.
    pub async fn attendance(&self) -> Result<Attendance> {
        let name = |it: &Delegate| (it.home.operator().to_owned(), it.name.clone());
        Attendance::watch(self.referee.client(), self.delegates.iter().map(name).collect()).await
    }

    /// The last lines that every program wrote.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for delegate in &self.delegates {
            text.push_str(&tail(&delegate.name, &delegate.log()));
        }
        for board in &self.boards {
            text.push_str(&tail("controller", &board.output()));
        }
        text
    }

    /// Ends the fleet, removes what it made, and fails when two nodes ever ran with one key or
    /// an agent touched somebody else's container.
    ///
    /// # Errors
    /// The verdict.
    pub async fn end(self) -> Result<()> {
        self.observer.verdict().await?;
        let seen = self.observer.seen();
        let ran = |it: &Delegate| seen.iter().any(|seen| seen.operator == it.home.operator());
        let unseen = self.delegates.iter().find(|it| !ran(it)).map(|it| &it.name);
        let twins = self.referee.report(0).equivocations;
        let strangers = touched::strangers(&self.delegates, &seen);
        ensure!(unseen.is_none(), "the observer saw no start of {unseen:?}");
        ensure!(twins.is_empty(), "UNSAFE: two connections with one key: {twins:?}");
        ensure!(
            strangers.is_empty(),
            "UNSAFE: an agent touched another's container: {strangers:?}"
        );
        Ok(())
    }
}

/// Starts `make.size` nodes and their referee, and waits until all are at the tip.
///
/// # Errors
/// When a container does not start or the chain does not advance.
pub async fn nodes(
    docker: &Docker,
    run: &str,
    folder: &Path,
    make: &Make,
) -> Result<(Referee, Vec<Delegate>)> {
    let image = load(docker, &make.behaviour, run).await?;
    let network = Network::create(docker, run, run).await?;
    let mut specs: Vec<Spec> = (0..make.size + make.followers)
        .map(|index| Spec {
            sync: format!("{}ms", (30_000.0 / make.behaviour.scale) as u64),
            ..Spec::new(u64::from(index), network.address(10 + index), vec![])
        })
        .collect();
    let referee = Referee::start(Setup {
        seats: specs.iter().take(make.size.into()).map(Spec::address).collect(),
        timing: make.behaviour.timing(),
        p2p: (network.gateway(), 4_689).into(),
        api: (Ipv4Addr::LOCALHOST, 0).into(),
    })
    .await
    .context("the referee cannot listen")?;
    let hosts = specs.iter_mut().enumerate().map(async |(index, spec)| {
        spec.bootstrap = vec![referee.p2p().to_string()];
        let mut delegate = host(docker, run, folder, (index, spec), (&network, &image.id)).await?;
        delegate.seat = index < usize::from(make.size);
        anyhow::Ok(delegate)
    });
    let delegates = futures::future::try_join_all(hosts).await?;
    let tip = referee.client().until(0, PATIENCE, |r| r.height >= 2 && r.all_at_tip()).await;
    tip.context("the nodes never reached the tip")?;
    Ok((referee, delegates))
}

/// One delegate's host, its node started.
async fn host(
    docker: &Docker,
    run: &str,
    folder: &Path,
    (index, spec): (usize, &Spec),
    (network, image): (&Network, &str),
) -> Result<Delegate> {
    let name = format!("robot-{}", index + 1);
    let host = folder.join(&name);
    let home = Home::lay_out(host.join("iotex-var"), spec, Place::Container)?;
    let config = std::fs::read_to_string(home.config())?;
    std::fs::write(home.config(), planted::plant(&config))?;
    let container = format!("{run}-{name}");
    let address = spec.external_host;
    Container {
        name: &container,
        image,
        home: &home,
        network: (network, address),
        run,
        env: vec![planted::environment()],
    }
    .run(docker)
    .await?;
    let endpoint = (address, 8_080).into();
    Delegate::new(&name, &container, home, endpoint, &host.join("agent"))
}

/// Loads an image of `behaviour`, labelled with `run`.
///
/// # Errors
/// When the Engine refuses it.
pub async fn load(docker: &Docker, behaviour: &Behaviour, run: &str) -> Result<image::Image> {
    let tag = format!("{run}/iotex-core:{}", behaviour.version);
    Ok(image::build_as(docker, &binary("iotex-server")?, behaviour, run, &tag).await?)
}

/// Documents carry whole seconds.
fn seconds() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// The end of a program's output under its name.
pub fn tail(name: &str, output: &str) -> String {
    const LINES: usize = 25;
    let lines: Vec<_> = output.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    format!("---- {name}\n{last}\n")
}

/// Fails when a `Result` that should be a refusal is none, or lacks the code.
///
/// # Errors
/// Says what came instead.
pub fn expect_refusal<T: std::fmt::Debug>(result: Result<T>, code: &str) -> Result<()> {
    match result {
        Ok(taken) => bail!("taken instead of refused with {code}: {taken:?}"),
        Err(error) => {
            let text = format!("{error:#}");
            ensure!(text.contains(code), "expected {code}, refused with: {text}");
            Ok(())
        }
    }
}
