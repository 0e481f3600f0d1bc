//! What boards say in their own words: who is attached, what agents refused, which holds are in
//! force. Nobody has signed it; it informs and proves nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::documents::Class;
use serde::Serialize;

/// All boards, in the order of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// One for each configured board.
    pub boards: Vec<BoardSeen>,
}

/// One board and what it said.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BoardSeen {
    /// `host:port`.
    pub address: String,
    /// It has sent everything it holds.
    pub caught_up: bool,
    /// When it last said anything.
    pub heard: Option<Timestamp>,
    /// Why it is not heard now.
    pub lost: Option<String>,
    /// What it sent that did not verify here.
    pub refused: u64,
    /// The newest such refusal.
    pub last_refused: Option<String>,
    /// By node.
    #[serde(skip)]
    pub attachments: BTreeMap<String, Attached>,
    /// Newest of each node.
    #[serde(skip)]
    pub refusals: BTreeMap<String, AgentRefused>,
    /// The holds in force.
    #[serde(skip)]
    pub holds: Vec<Hold>,
}

/// Whether an agent's stream is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// It is.
    pub now: bool,
    /// Of the last change.
    pub since: Timestamp,
}

/// A document that an agent refused, as it told its board.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AgentRefused {
    /// When.
    pub at: Timestamp,
    /// Which agent.
    pub node: String,
    /// Stable code.
    pub code: String,
    /// One line.
    pub text: String,
    /// Target path or role.
    pub subject: String,
}

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hold {
    /// Of the plan.
    pub class: Class,
    /// Of the plan.
    pub serial: u64,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// It ends by itself.
    pub until: Timestamp,
}

impl Told {
    /// Whether any board has the node's stream open, and since when.
    pub fn attached(&self, node: &str) -> Option<Attached> {
        let all = self.boards.iter().filter_map(|board| board.attachments.get(node).copied());
        all.max_by_key(|attached| (attached.now, attached.since))
    }

    /// The newest refusal of each agent, newest first.
    pub fn refusals(&self) -> Vec<AgentRefused> {
        let mut all: Vec<_> =
            self.boards.iter().flat_map(|board| board.refusals.values().cloned()).collect();
        all.sort();
        all.dedup();
        all.reverse();
        all
    }

    /// Every hold that is in force at `now`, each once.
    pub fn holds(&self, now: Timestamp) -> Vec<Hold> {
        let all = self.boards.iter().flat_map(|board| board.holds.iter().cloned());
        let mut all: Vec<_> = all.filter(|hold| hold.until > now).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The last moment at which any board said anything.
    pub fn heard(&self) -> Option<Timestamp> {
        self.boards.iter().filter_map(|board| board.heard).max()
    }

    /// Where this comes from and how old it is: `a.example:7443, 2 s ago; b.example:7443 lost: …`.
    pub fn sources(&self, now: Timestamp) -> String {
        let one = |board: &BoardSeen| {
            let state = match (&board.lost, board.heard) {
                (Some(why), _) => format!("not reached ({why})"),
                (None, None) => "not heard yet".into(),
                (None, Some(at)) if board.caught_up => super::words::ago(at, now),
                (None, Some(at)) => format!("{}, not all sent yet", super::words::ago(at, now)),
            };
            format!("{} {state}", board.address)
        };
        match self.boards.is_empty() {
            true => "this directory's own state; no board was asked".into(),
            false => self.boards.iter().map(one).collect::<Vec<_>>().join("; "),
        }
    }
}
