//! The referee on the network: a listener for nodes, one for questions, and a clock.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::chain::{Chain, Line, Says};
use super::client::Client;
use super::report::Report;
use super::wire::{Greeting, ToNode, ToReferee};
use crate::node::http::{self, Answer};
use crate::node::timing::Timing;

/// Lines that may wait for one node; a node that reads slower than this is cut off.
const BACKLOG: usize = 1_024;

/// How to start a referee.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Operator addresses of the active set, in the order of their turns.
    pub seats: Vec<String>,
    /// The factor that the nodes use too.
    pub timing: Timing,
    /// Where nodes connect: what `network.bootstrapNodes` names. Port 0 takes a free one.
    pub p2p: SocketAddr,
    /// Where the oracle answers. Port 0 takes a free one.
    pub api: SocketAddr,
}

/// A running referee; dropping it stops it.
#[derive(Debug)]
pub struct Referee {
    p2p: SocketAddr,
    api: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chain: Chain,
    lines: HashMap<Line, mpsc::Sender<ToNode>>,
    next: Line,
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| d.as_millis() as u64)
}

impl Referee {
    /// Binds both ports and begins the first round.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        let nodes = TcpListener::bind(setup.p2p).await?;
        let questions = TcpListener::bind(setup.api).await?;
        let (p2p, api) = (nodes.local_addr()?, questions.local_addr()?);
        let chain = Chain::new(setup.seats, setup.timing.interval_ms(), now_ms());
        let shared =
            Arc::new(Shared { state: Mutex::new(State { chain, lines: HashMap::new(), next: 0 }) });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(nodes, Arc::clone(&shared)));
        tasks.spawn(keep_time(Arc::clone(&shared)));
        let oracle = Arc::clone(&shared);
        tasks.spawn(http::serve(questions, move |path, query| oracle.answer(path, query)));
        Ok(Self { p2p, api, shared, tasks })
    }

    /// Where nodes connect.
    pub fn p2p(&self) -> SocketAddr {
        self.p2p
    }

    /// Where the oracle answers.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// What happened since `since_ms` (0: ever), without going through the network.
    pub fn report(&self, since_ms: u64) -> Report {
        self.shared.lock().chain.report(since_ms, now_ms())
    }

    /// The next block reaches only the seats of these operator addresses, and after it the chain halts: a fleet with
    /// two tips, until [`Referee::mend`] or [`Referee::reverse`].
    pub fn split(&self, holders: &[&str]) {
        let holders = holders.iter().map(|address| (*address).to_owned()).collect();
        self.shared.lock().chain.split(holders);
    }

    /// The end of a split.
    pub fn mend(&self) {
        self.shared.lock().chain.mend();
    }

    /// Reverses all blocks above `height`, which nobody who is up may hold: the nodes at that height build others.
    /// A node that still holds them, and comes before others are built, brings them back.
    pub fn reverse(&self, height: u64) {
        let mut state = self.shared.lock();
        let says = state.chain.reverse(height, now_ms());
        state.send(says);
    }

    /// A client of this referee.
    pub fn client(&self) -> Client {
        Client::new(self.api)
    }

    /// Runs until the tasks end, which they do not by themselves.
    pub async fn forever(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, path: &str, query: &str) -> Answer {
        let since = query.strip_prefix("since=").unwrap_or("0");
        let (true, Ok(since)) = (path == "/report", since.parse()) else {
            return Answer::not_found();
        };
        let report = self.lock().chain.report(since, now_ms());
        let body = serde_json::to_string(&report).unwrap_or_default();
        Answer { status: 200, kind: "application/json", body }
    }
}

impl State {
    fn send(&mut self, says: Says) {
        for (line, what) in says {
            let full = |tx: &mpsc::Sender<ToNode>| tx.try_send(what).is_err();
            if self.lines.get(&line).is_some_and(full) {
                self.close(line);
            }
        }
    }

    fn close(&mut self, line: Line) {
        self.lines.remove(&line);
        self.chain.leave(line, now_ms());
    }
}

async fn keep_time(shared: Arc<Shared>) {
    loop {
        let due = shared.lock().chain.due_ms();
        let wait = Duration::from_millis(due.saturating_sub(now_ms()));
        tokio::time::sleep(wait).await;
        let mut state = shared.lock();
        let says = state.chain.elapse(now_ms());
        state.send(says);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut nodes = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        nodes.spawn(serve(stream, Arc::clone(&shared)));
        while nodes.try_join_next().is_some() {}
    }
}

/// One node's connection, from greeting to its end.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let (line, says) = {
        let (tx, rx) = mpsc::channel(BACKLOG);
        let mut state = shared.lock();
        state.next += 1;
        let line = state.next;
        state.lines.insert(line, tx);
        (line, rx)
    };
    // Small lines must not wait for each other.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    tokio::select! {
        () = listen(line, read, &shared) => {}
        () = speak(write, says) => {}
    }
    shared.lock().close(line);
}

async fn listen(line: Line, read: OwnedReadHalf, shared: &Shared) {
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let Ok(said) = serde_json::from_str::<ToReferee>(&text) else {
            return;
        };
        let mut state = shared.lock();
        let says = state.chain.hear(line, said, now_ms());
        state.send(says);
    }
}

async fn speak(mut write: OwnedWriteHalf, mut says: mpsc::Receiver<ToNode>) {
    let mut text = serde_json::to_string(&Greeting::Referee).unwrap_or_default();
    loop {
        text.push('\n');
        if write.write_all(text.as_bytes()).await.is_err() {
            return;
        }
        let Some(what) = says.recv().await else {
            return;
        };
        text = serde_json::to_string(&what).unwrap_or_default();
    }
}
