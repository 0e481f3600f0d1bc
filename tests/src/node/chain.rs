//! Drives a node's part in consensus: the only place that knows both the wire and the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use super::behaviour::Defect;
use super::p2p::{self, Wire};
use super::participant::{Act, Participant};
use super::state::Node;
use super::store::Store;
use super::votes::Votes;
use super::watchdog::Watchdog;
use crate::referee::wire::{Block, Hello, Round, ToNode, ToReferee};

/// A node that takes part.
#[derive(Debug)]
pub struct Follower {
    node: Arc<Node>,
    store: Store,
    part: Participant,
    link: Link,
    committed: u64,
    votes: Votes,
    watchdog: Watchdog,
}

/// Most blocks that a node gives at once.
const GIVEN: usize = 200;

#[derive(Debug)]
enum Link {
    Dialling(JoinHandle<Wire>),
    Up(Wire),
}

enum Event {
    Reached(Wire),
    Said(ToNode),
    Lost,
}

impl Link {
    fn dial(node: &Arc<Node>) -> Self {
        Self::Dialling(tokio::spawn(p2p::reach_referee(Arc::clone(node))))
    }

    /// May be cancelled and asked again.
    async fn next(&mut self) -> Event {
        match self {
            Self::Dialling(task) => task.await.map_or(Event::Lost, Event::Reached),
            Self::Up(wire) => wire.hear().await.map_or(Event::Lost, Event::Said),
        }
    }

    fn close(&mut self) {
        if let Self::Dialling(task) = self {
            task.abort();
        }
    }
}

impl Follower {
    /// A node that is ready and looks for its referee.
    pub fn new(node: Arc<Node>, store: Store) -> Self {
        let timing = node.timing();
        let tick = timing.seconds(node.config.sync_seconds);
        let (who, forks) = (hello(&node), node.forks.clone());
        let mut part = Participant::new(&who, forks, tick, timing.apply(), Instant::now());
        if node.behaviour.defect == Defect::ReadyNotAdvancing {
            part.freeze();
        }
        let link = Link::dial(&node);
        let votes = Votes::open(&node.config.consensus_db);
        Self { node, store, part, link, committed: 0, votes, watchdog: Watchdog::default() }
    }

    /// Takes part until `stop`; then P2P is closed, and the round it is in has ended.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let timing = self.node.timing();
        let mut ping = every(timing.interval() / 2);
        let mut info = every(timing.node_info());
        let mut beat = every(timing.heartbeat());
        let mut watch = every(timing.watchdog());
        let mut modes = self.node.modes();
        loop {
            let due = self.part.due().into();
            tokio::select! {
                event = self.link.next() => self.on(event).await,
                () = sleep_until(due) => {
                    let acts = self.part.elapse(Instant::now());
                    self.carry_out(acts).await;
                }
                _ = ping.tick() => self.say(ToReferee::Ping).await,
                _ = info.tick() => {
                    let height = self.part.tip();
                    self.say(ToReferee::Info { height }).await;
                }
                _ = beat.tick() => self.node.beat(),
                _ = watch.tick() => self.watch(),
                // Never an error: the node, which holds the sender, is held here.
                Ok(()) = modes.changed() => {
                    let mode = *modes.borrow_and_update();
                    let acts = self.part.set_mode(mode, Instant::now());
                    self.carry_out(acts).await;
                }
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.leave().await;
    }

    async fn leave(mut self) {
        self.link.close();
        let leaving = self.part.leave(Instant::now());
        drop(self.link);
        self.node.log.info("p2p/agent.go:510", "p2p is shutting down.");
        self.node.log.info("dispatcher/dispatcher.go:175", "Dispatcher is shutting down.");
        let more = json!({ "scheme": "ROLLDPOS" });
        let message = "Stopping IotxConsensus scheme.";
        self.node.log.line("info", "consensus/consensus.go:229", message, &more);
        sleep_until(leaving.at.into()).await;
        if let Some(block) = leaving.block {
            write(&self.node, &mut self.store, &block);
        }
        for listener in 0..6 {
            let more = json!({ "listener": listener });
            let message = "Successfully unsubscribe block creation.";
            let caller = "blockchain/pubsubmanager.go:108";
            self.node.log.line("info", caller, message, &more);
        }
        sleep(self.node.timing().leave()).await;
    }

    async fn on(&mut self, event: Event) {
        match event {
            Event::Reached(wire) => {
                self.link = Link::Up(wire);
                let hello = hello(&self.node);
                self.part.met(hello.mode);
                self.say(ToReferee::Hello(hello)).await;
            }
            Event::Lost => {
                self.part.lost();
                self.link = Link::dial(&self.node);
            }
            Event::Said(ToNode::Give { from }) => {
                let held = self.node.view().since(from, GIVEN);
                self.say(ToReferee::Have(held)).await;
            }
            Event::Said(said) => {
                self.note(&said);
                let acts = self.part.hear(said, Instant::now());
                self.carry_out(acts).await;
            }
        }
    }

    /// What probes and metrics show of what was said.
    fn note(&self, said: &ToNode) {
        let mut view = self.node.view();
        match said {
            ToNode::Round(round) => view.peers = round.peers,
            ToNode::Info { address, version, height } => {
                let key = (address.clone(), version.clone());
                view.infos.insert(key, *height);
            }
            _ => {}
        }
    }

    async fn carry_out(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Say(what) => {
                    if let ToReferee::Endorse { height, round, .. } = &what {
                        self.votes.cast(*height, *round);
                    }
                    self.say(what).await;
                }
                Act::Commit { block, own } => self.commit(&block, own),
                Act::Lack { what, round } => {
                    let (caller, message) = what.words();
                    self.complain(caller, message, &round, None);
                }
                Act::Unendorsed { round, why } => {
                    let why = format!("error when validating the proposed block: {why}");
                    let message = "Failed to generate proposal endorsement";
                    self.complain("consensusfsm/fsm.go:475", message, &round, Some(&why));
                }
                Act::Refused { why } => {
                    // The real node goes on with the stack of its own source.
                    let more = [("error", json!(why)), ("errorVerbose", json!(why))];
                    let message = "failed to commit block";
                    self.node.log.fields("error", "blocksync/blocksync.go:185", message, &more);
                }
                Act::Ticked { from, to } => self.ticked(from, to),
            }
        }
        let mut view = self.node.view();
        view.applying = self.part.applying();
        view.target = self.part.target();
    }

    async fn say(&mut self, what: ToReferee) {
        if let Link::Up(wire) = &mut self.link {
            wire.say(&what).await;
        }
    }

    fn complain(&self, caller: &str, message: &str, round: &Round, why: Option<&str>) {
        let genesis = &self.node.genesis;
        let epoch = (round.height - 1) / genesis.epoch_blocks.max(1) + 1;
        let last = self.node.view().blocks.last().map(|b| b.hash.clone());
        let mut more = vec![
            ("height", json!(round.height)),
            ("epoch", json!(epoch)),
            ("round", json!(round.number)),
            ("proposer", json!(round.proposer)),
            ("prevHash", json!(last.as_ref().unwrap_or(&genesis.hash))),
        ];
        if let Some(why) = why {
            more.extend([("error", json!(why)), ("errorVerbose", json!(why))]);
        }
        self.node.log.fields("warn", caller, message, &more);
    }

    fn watch(&mut self) {
        let silent = self.node.mode().paused || self.part.frozen();
        if self.watchdog.look(self.part.tip(), self.part.received(), silent) {
            let message = "Blockchain height has not changed, restarting service";
            let caller = "chainservice/chainservice.go:114";
            self.node.log.line("panic", caller, message, &json!({}));
            println!("panic: {message}\n\ngoroutine 1043 [running]:");
            std::process::exit(2);
        }
    }

    fn ticked(&self, from: u64, to: u64) {
        let intervals = json!([{ "Start": from, "End": to }]);
        let more = [("intervals", intervals), ("targetHeight", json!(self.part.target()))];
        let message = "block sync intervals.";
        self.node.log.fields("info", "blocksync/blocksync.go:210", message, &more);
    }

    fn commit(&mut self, block: &Block, own: bool) {
        write(&self.node, &mut self.store, block);
        if !own {
            let more = json!({ "height": block.height });
            let message = "Successfully committed block.";
            let caller = "chainservice/builder.go:655";
            self.node.log.line("info", caller, message, &more);
        }
        self.committed += 1;
        match self.node.behaviour.defect {
            Defect::CrashAfterBlocks(n) if self.committed >= n => crash(),
            Defect::FailsAfterBlocks(n) if self.committed >= n => self.part.freeze(),
            _ => {}
        }
    }
}

fn hello(node: &Node) -> Hello {
    let view = node.view();
    Hello {
        address: node.address.clone(),
        version: node.behaviour.reported_version().to_owned(),
        height: view.height(),
        hash: view.tip_hash().to_owned(),
        mode: node.mode(),
    }
}

fn write(node: &Node, store: &mut Store, block: &Block) {
    if let Err(error) = store.append(block) {
        let more = json!({ "error": error.to_string() });
        let message = "Failed to commit the block.";
        node.log.line("panic", "blockchain/blockchain.go:412", message, &more);
        std::process::exit(2);
    }
    node.view().blocks.push(block.clone());
}

/// A panic in a goroutine, as Go prints it.
fn crash() -> ! {
    println!("panic: runtime error: invalid memory address or nil pointer dereference");
    println!("\ngoroutine 214 [running]:");
    std::process::exit(2);
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
