//! The chain and its rounds: pure, times are milliseconds since the Unix epoch.

mod tips;

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Equivocation, Join, Mined, Report, SeatState};
use super::wire::{Basis, Block, GENESIS_HASH, Hello, Round, ToNode, ToReferee};

/// Most blocks that one sync tick brings (IOTEX.md).
const SYNC_LIMIT: usize = 200;

/// A connection that said nothing for so many rounds is dead: its host vanished without a word.
const SILENT_ROUNDS: u64 = 4;

/// Names a connection.
pub type Line = u64;

/// What to say, and to whom.
pub type Says = Vec<(Line, ToNode)>;

/// One connected node.
#[derive(Debug)]
struct Member {
    who: Hello,
    heard_ms: u64,
}

/// The round that runs.
#[derive(Debug, Default)]
struct Running {
    height: u64,
    number: u64,
    proposer: String,
    ends_ms: u64,
    /// What the block that was proposed is built on.
    proposed: Option<Basis>,
    /// Line of who endorsed, and what he would build on.
    endorsed: BTreeMap<String, (Line, Basis)>,
    locked: Option<Block>,
}

/// The chain of one fleet.
#[derive(Debug)]
pub struct Chain {
    seats: Vec<String>,
    interval_ms: u64,
    blocks: Vec<Mined>,
    members: BTreeMap<Line, Member>,
    round: Running,
    /// Seats that take part, from each moment at which their number changed.
    present: Vec<(u64, u64)>,
    endorsing: Vec<(u64, u64)>,
    joins: Vec<Join>,
    equivocations: Vec<Equivocation>,
    script: tips::Script,
}

impl Chain {
    /// An empty chain whose first round begins at once.
    pub fn new(seats: Vec<String>, interval_ms: u64, now_ms: u64) -> Self {
        let mut chain = Self {
            seats,
            interval_ms,
            blocks: Vec::new(),
            members: BTreeMap::new(),
            round: Running::default(),
            present: vec![(now_ms, 0)],
            endorsing: Vec::new(),
            joins: Vec::new(),
            equivocations: Vec::new(),
            script: tips::Script::default(),
        };
        chain.begin(0, now_ms);
        chain
    }

    /// When [`Chain::elapse`] is to be called next.
    pub fn due_ms(&self) -> u64 {
        self.round.ends_ms
    }

    /// Endorsements that a block needs: more than two thirds of the seats.
    pub fn quorum(&self) -> usize {
        self.seats.len() * 2 / 3 + 1
    }

    fn tip(&self) -> u64 {
        self.blocks.len() as u64
    }

    fn tip_hash(&self) -> &str {
        self.blocks.last().map_or(GENESIS_HASH, |mined| &mined.block.hash)
    }

    /// A node says who it is.
    pub fn join(&mut self, line: Line, who: Hello, now_ms: u64) -> Says {
        let twin = self.members.values().find(|m| m.who.address == who.address);
        if let Some(twin) = twin {
            self.equivocations.push(Equivocation {
                time_ms: now_ms,
                address: who.address.clone(),
                versions: vec![twin.who.version.clone(), who.version.clone()],
            });
        }
        self.joins.push(Join {
            time_ms: now_ms,
            address: who.address.clone(),
            height: who.height,
            tip: self.tip(),
        });
        let (heard_ms, height) = (now_ms, who.height);
        self.members.insert(line, Member { who, heard_ms });
        self.count_present(now_ms);
        self.ask_for_more(line, height)
    }

    /// A connection ended.
    pub fn leave(&mut self, line: Line, now_ms: u64) {
        if self.members.remove(&line).is_some() {
            self.count_present(now_ms);
        }
    }

    /// A node says something.
    pub fn hear(&mut self, line: Line, said: ToReferee, now_ms: u64) -> Says {
        if let ToReferee::Hello(who) = said {
            return self.join(line, who, now_ms);
        }
        let Some(member) = self.members.get_mut(&line) else {
            return Vec::new();
        };
        member.heard_ms = now_ms;
        match said {
            ToReferee::Hello(_) | ToReferee::Ping => Vec::new(),
            ToReferee::Mode(mode) => {
                member.who.mode = mode;
                self.count_present(now_ms);
                Vec::new()
            }
            ToReferee::Committed { height, hash } => {
                (member.who.height, member.who.hash) = (height, hash);
                Vec::new()
            }
            ToReferee::Propose { height, round, basis } => {
                let mine =
                    member.who.address == self.round.proposer && member.who.mode.takes_part();
                let current = (height, round) == (self.round.height, self.round.number);
                if !mine || !current || basis.previous != self.tip_hash() {
                    return Vec::new();
                }
                self.round.proposed = Some(basis.clone());
                let mut says = self.everybody(&ToNode::Proposal { height, round, basis });
                says.extend(self.lock(now_ms));
                says
            }
            ToReferee::Endorse { height, round, basis } => {
                self.endorse(line, (height, round), basis, now_ms)
            }
            ToReferee::Sync { from } => vec![(line, ToNode::Blocks(self.since(from, line)))],
            ToReferee::Have(blocks) => self.adopt(line, blocks, now_ms),
            ToReferee::Info { height } => {
                let (address, version) = (member.who.address.clone(), member.who.version.clone());
                self.everybody(&ToNode::Info { address, version, height })
            }
        }
    }

    fn endorse(&mut self, line: Line, round: (u64, u64), basis: Basis, now_ms: u64) -> Says {
        let who = &self.members[&line].who;
        let current = round == (self.round.height, self.round.number);
        if !current || !who.mode.takes_part() || !self.seats.contains(&who.address) {
            return Vec::new();
        }
        self.round.endorsed.insert(who.address.clone(), (line, basis.clone()));
        match self.round.locked.clone() {
            Some(block) if block.basis() == basis && self.reaches(line) => {
                vec![(line, self.locked(block, now_ms))]
            }
            Some(_) => Vec::new(),
            None => self.lock(now_ms),
        }
    }

    /// Who endorsed the block that was proposed, and not one that is built on something else.
    fn endorsers(&self) -> Vec<Line> {
        let agrees = |basis: &Basis| self.round.proposed.as_ref() == Some(basis);
        let endorsed = self.round.endorsed.values().filter(|(_, basis)| agrees(basis));
        endorsed.map(|(line, _)| *line).collect()
    }

    /// Quorum and proposal are in: the round's block is certain.
    fn lock(&mut self, now_ms: u64) -> Says {
        let endorsers = self.endorsers();
        let Some(basis) = self.round.proposed.clone() else { return Vec::new() };
        let enough = endorsers.len() >= self.quorum() && !self.halted();
        if !enough || self.round.locked.is_some() {
            return Vec::new();
        }
        let last = self.blocks.last().map(|m| &m.block);
        let block = Block::under(&basis.rules, last, &self.round.proposer, self.round.ends_ms);
        let block = self.made_anew(block);
        self.round.locked = Some(block.clone());
        let told = self.locked(block, now_ms);
        let reached = endorsers.into_iter().filter(|line| self.reaches(*line));
        reached.map(|line| (line, told.clone())).collect()
    }

    fn locked(&self, block: Block, now_ms: u64) -> ToNode {
        let ends_in_ms = self.round.ends_ms.saturating_sub(now_ms);
        ToNode::Locked { block, ends_in_ms }
    }

    /// The round's end: a locked block is committed, and the next round begins.
    pub fn elapse(&mut self, now_ms: u64) -> Says {
        if now_ms < self.round.ends_ms {
            return Vec::new();
        }
        self.bury_the_silent(now_ms);
        self.endorsing.push((now_ms, self.round.endorsed.len() as u64));
        let endorsed = self.endorsers().len() as u64;
        let mut says = Vec::new();
        let number = match self.round.locked.take() {
            Some(block) => {
                says = self.everybody(&ToNode::Block(block.clone()));
                says.retain(|(line, _)| self.reaches(*line));
                self.blocks.push(Mined {
                    block,
                    round: self.round.number,
                    endorsed,
                    time_ms: now_ms,
                });
                self.after_commit();
                0
            }
            None => self.round.number + 1,
        };
        says.extend(self.begin(number, now_ms));
        says
    }

    fn begin(&mut self, number: u64, now_ms: u64) -> Says {
        let height = self.tip() + 1;
        let turn = (height + number) as usize % self.seats.len().max(1);
        let proposer = self.seats.get(turn).cloned().unwrap_or_default();
        self.round = Running {
            height,
            number,
            proposer: proposer.clone(),
            ends_ms: now_ms + self.interval_ms,
            ..Running::default()
        };
        self.everybody(&ToNode::Round(Round {
            height,
            number,
            proposer,
            interval_ms: self.interval_ms,
            peers: (self.members.len() as u64).saturating_sub(1),
        }))
    }

    fn bury_the_silent(&mut self, now_ms: u64) {
        let limit = SILENT_ROUNDS * self.interval_ms;
        self.members.retain(|_, m| m.heard_ms + limit >= now_ms);
        self.count_present(now_ms);
    }

    fn everybody(&self, what: &ToNode) -> Says {
        let lines = self.members.keys();
        lines.map(|line| (*line, what.clone())).collect()
    }

    fn since(&self, from: u64, line: Line) -> Vec<Block> {
        let skip = from.saturating_sub(1) as usize;
        let withheld = usize::from(self.halted() && !self.reaches(line));
        let shown = self.blocks.len() - withheld;
        let wanted = self.blocks[..shown].iter().skip(skip).take(SYNC_LIMIT);
        wanted.map(|m| m.block.clone()).collect()
    }

    fn count_present(&mut self, now_ms: u64) {
        let here = self.members.values().filter(|m| m.who.mode.takes_part());
        let here: BTreeSet<&String> = here.map(|m| &m.who.address).collect();
        let seats = self.seats.iter().filter(|s| here.contains(s)).count() as u64;
        if self.present.last().map(|(_, n)| *n) != Some(seats) {
            self.present.push((now_ms, seats));
        }
    }

    /// What happened since `since_ms`.
    pub fn report(&self, since_ms: u64, now_ms: u64) -> Report {
        Report {
            now_ms,
            interval_ms: self.interval_ms,
            active: self.seats.len() as u64,
            quorum: self.quorum() as u64,
            height: self.tip(),
            blocks: self.blocks_since(since_ms),
            longest_gap_ms: self.longest_gap(since_ms, now_ms),
            lowest_online: lowest(&self.present, since_ms, true),
            lowest_endorsing: lowest(&self.endorsing, since_ms, false),
            joins: after(&self.joins, since_ms, |j| j.time_ms),
            equivocations: after(&self.equivocations, since_ms, |e| e.time_ms),
            reversed: self.reversed().to_vec(),
            seats: self.seats.iter().map(|s| self.seat(s)).collect(),
        }
    }

    fn blocks_since(&self, since_ms: u64) -> Vec<Mined> {
        after(&self.blocks, since_ms, |m| m.time_ms)
    }

    /// The longest time without a block, the one that still runs included.
    fn longest_gap(&self, since_ms: u64, now_ms: u64) -> u64 {
        let times = self.blocks.iter().map(|m| m.time_ms);
        let ends: Vec<u64> = times.chain([now_ms]).collect();
        let gaps = ends.windows(2).filter(|w| w[1] >= since_ms);
        gaps.map(|w| w[1] - w[0]).max().unwrap_or(0)
    }

    fn seat(&self, address: &str) -> SeatState {
        let mine = || self.members.values().filter(|m| m.who.address == address);
        let highest = mine().map(|m| (m.who.height, &m.who.hash)).max();
        let height = highest.map(|(height, _)| height);
        // A node may be a moment ahead of this clock.
        let at_tip = |(height, hash): (u64, &String)| {
            height > self.tip() || (height == self.tip() && hash == self.tip_hash())
        };
        SeatState {
            address: address.to_owned(),
            connections: mine().count() as u64,
            active: mine().any(|m| m.who.mode.active),
            paused: mine().any(|m| m.who.mode.paused),
            version: mine().next().map(|m| m.who.version.clone()),
            at_tip: highest.is_some_and(at_tip),
            height,
            hash: highest.map(|(_, hash)| hash.clone()),
        }
    }
}

fn after<T: Clone>(all: &[T], since_ms: u64, time: impl Fn(&T) -> u64) -> Vec<T> {
    let wanted = all.iter().filter(|x| time(x) >= since_ms);
    wanted.cloned().collect()
}

/// The least value since then; a `lasting` value holds until the next one, so the one before counts too.
fn lowest(values: &[(u64, u64)], since_ms: u64, lasting: bool) -> Option<u64> {
    let before = values.iter().rev().find(|(t, _)| *t < since_ms);
    let since = values.iter().filter(|(t, _)| *t >= since_ms);
    let held = before.filter(|_| lasting);
    held.into_iter().chain(since).map(|(_, n)| *n).min()
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
