//! A node's part in consensus and sync: pure, `now` is an argument.
//!
//! Endorse during the first half of a round; once the referee says *locked*, commit at the round's end, on the
//! line or off it. A block that does not follow the tip waits in a buffer for the next sync tick to fill the hole.
//! A round that brings no block is complained of, and a block that does not fit is refused.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::forks::{Forks, objection};
use super::lack::{Lack, Lacks};
use crate::referee::wire::{Basis, Block, Hello, Mode, Round, ToNode, ToReferee};

/// A node endorses somewhere between these shares of a round, so that all are in by about half of it.
const ENDORSE: (f64, f64) = (0.2, 0.5);

/// Least number of blocks that one sync tick asks for (`recorded/log-stalled.txt`).
const SYNC_AHEAD: u64 = 20;

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Tell the referee.
    Say(ToReferee),
    /// Write the block; `own` when this node's own consensus made it certain.
    Commit {
        /// The block.
        block: Block,
        /// Not taken from a peer.
        own: bool,
    },
    /// Say in the log what this round lacks.
    Lack {
        /// What.
        what: Lack,
        /// The round as this node counts it.
        round: Round,
    },
    /// Say in the log why the block that this round is about is not endorsed.
    Unendorsed {
        /// The round.
        round: Round,
        /// Why.
        why: String,
    },
    /// Say in the log why a block is not committed.
    Refused {
        /// Why.
        why: String,
    },
    /// Say in the log which blocks a sync tick looks for, the first and the last.
    Ticked {
        /// The one after the tip.
        from: u64,
        /// Beyond all that it heard of.
        to: u64,
    },
}

/// When and with what a node leaves after SIGTERM.
#[derive(Debug, PartialEq, Eq)]
pub struct Leaving {
    /// The end of the round it is in, or now.
    pub at: Instant,
    /// The block that it commits then.
    pub block: Option<Block>,
}

#[derive(Debug)]
struct Current {
    round: Round,
    ends: Instant,
    endorse: Option<Instant>,
    locked: Option<(Block, Instant)>,
    lacks: Lacks,
}

/// A node's part in consensus and sync.
#[derive(Debug)]
pub struct Participant {
    address: String,
    mode: Mode,
    /// The mode that the referee knows.
    told: Mode,
    tip: u64,
    hash: String,
    forks: Forks,
    target: u64,
    received: u64,
    frozen: bool,
    current: Option<Current>,
    early: BTreeMap<u64, Block>,
    queue: VecDeque<Block>,
    apply: Duration,
    apply_at: Option<Instant>,
    tick: Duration,
    tick_at: Instant,
}

impl Participant {
    /// A node that has just connected with its tip at `who.height`.
    pub fn new(who: &Hello, forks: Forks, tick: Duration, apply: Duration, now: Instant) -> Self {
        Self {
            address: who.address.clone(),
            mode: who.mode,
            told: who.mode,
            tip: who.height,
            hash: who.hash.clone(),
            forks,
            target: who.height,
            received: who.height,
            frozen: false,
            current: None,
            early: BTreeMap::new(),
            queue: VecDeque::new(),
            apply,
            apply_at: None,
            tick,
            tick_at: now + tick,
        }
    }

    /// Its tip.
    pub fn tip(&self) -> u64 {
        self.tip
    }

    /// The highest block that it heard of.
    pub fn target(&self) -> u64 {
        self.target
    }

    /// The highest block that others sent.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether its height stands still by a defect.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// Whether old blocks are being applied: readiness is 503 meanwhile.
    pub fn applying(&self) -> bool {
        self.apply_at.is_some()
    }

    /// From now on its height stands still.
    pub fn freeze(&mut self) {
        self.frozen = true;
        self.lost();
        (self.queue, self.apply_at) = (VecDeque::new(), None);
    }

    /// It takes part, or does not, from now on. Who is to stand by finishes the round it is in, and who is paused
    /// commits nothing any more.
    pub fn set_mode(&mut self, mode: Mode, now: Instant) -> Vec<Act> {
        self.mode = mode;
        if mode.paused {
            if let Some(current) = &mut self.current {
                (current.endorse, current.locked) = (None, None);
            }
            (self.queue, self.apply_at) = (VecDeque::new(), None);
        }
        let finishes = |c: &Current| c.endorse.is_some() || c.locked.is_some();
        if !mode.active && self.current.as_ref().is_some_and(finishes) {
            return Vec::new();
        }
        let mut acts = self.tell_mode();
        acts.extend(self.join(now));
        acts
    }

    /// A connection to the referee is there, and it was told this mode.
    pub fn met(&mut self, told: Mode) {
        self.told = told;
    }

    fn tell_mode(&mut self) -> Vec<Act> {
        if self.told == self.mode {
            return Vec::new();
        }
        self.told = self.mode;
        vec![Act::Say(ToReferee::Mode(self.mode))]
    }

    /// Its height stands still, whatever comes.
    fn still(&self) -> bool {
        self.frozen || self.mode.paused
    }

    /// The connection is gone; what is locked stays certain.
    pub fn lost(&mut self) {
        if let Some(current) = &mut self.current {
            current.endorse = None;
        }
    }

    /// When [`Participant::elapse`] is to be called next.
    pub fn due(&self) -> Instant {
        let current = self.current.as_ref();
        let endorse = current.and_then(|c| c.endorse);
        let commit = current.and_then(|c| c.locked.as_ref()).map(|(_, at)| *at);
        let lack = current.and_then(|c| c.lacks.due());
        let times = [endorse, commit, lack, self.apply_at];
        let soonest = times.into_iter().flatten().min();
        soonest.map_or(self.tick_at, |at| at.min(self.tick_at))
    }

    /// The referee says something.
    pub fn hear(&mut self, said: ToNode, now: Instant) -> Vec<Act> {
        match said {
            ToNode::Round(round) => self.begin(round, now),
            ToNode::Locked { block, ends_in_ms } => {
                self.lock(block, now + Duration::from_millis(ends_in_ms));
                Vec::new()
            }
            ToNode::Proposal { height, round, basis } => self.judge((height, round), &basis),
            ToNode::Block(block) => self.receive(block),
            ToNode::Blocks(blocks) => self.catch_up(blocks, now),
            ToNode::Info { .. } | ToNode::Give { .. } => Vec::new(),
        }
    }

    fn begin(&mut self, round: Round, now: Instant) -> Vec<Act> {
        let mut acts = self.complain(Lacks::rest);
        self.target = self.target.max(round.height - 1);
        let ends = now + Duration::from_millis(round.interval_ms);
        let lacks = self.lacks(&round, now);
        self.current = Some(Current { round, ends, endorse: None, locked: None, lacks });
        acts.extend(self.tell_mode());
        acts.extend(self.join(now));
        acts
    }

    /// Takes part in the running round, if it may.
    fn join(&mut self, now: Instant) -> Option<Act> {
        let may = self.mode.takes_part() && !self.frozen;
        let next = self.tip + 1;
        let share = self.current.as_ref().map(|c| self.share(&c.round))?;
        let current = self.current.as_mut().filter(|c| may && c.round.height == next)?;
        let length = Duration::from_millis(current.round.interval_ms);
        current.endorse = Some((current.ends - length.mul_f64(1.0 - share)).max(now));
        let (height, round, basis) =
            (next, current.round.number, self.forks.basis(&self.hash, next));
        let propose = Act::Say(ToReferee::Propose { height, round, basis });
        (current.round.proposer == self.address).then_some(propose)
    }

    /// This round's block was proposed: it is not endorsed if it is built on something else.
    fn judge(&mut self, proposed: (u64, u64), theirs: &Basis) -> Vec<Act> {
        let may = self.mode.takes_part() && !self.frozen && proposed.0 == self.tip + 1;
        let asked = |c: &&mut Current| may && (c.round.height, c.round.number) == proposed;
        let Some(current) = self.current.as_mut().filter(asked) else {
            return Vec::new();
        };
        let ours = self.forks.basis(&self.hash, proposed.0);
        let Some(why) = objection(proposed.0, &ours, theirs) else {
            current.lacks.proposed();
            return Vec::new();
        };
        current.endorse = None;
        vec![Act::Unendorsed { round: current.round.clone(), why }]
    }

    /// What a round may lack for this node; another's proposal is not there yet.
    fn lacks(&self, round: &Round, now: Instant) -> Lacks {
        if !self.mode.active || self.frozen {
            return Lacks::default();
        }
        let at_hand = round.height == self.tip + 1 && round.proposer == self.address;
        Lacks::of(now, Duration::from_millis(round.interval_ms), at_hand)
    }

    /// Says what a round lacks; nothing, once its block is certain.
    fn complain(&mut self, which: impl FnOnce(&mut Lacks) -> Vec<Lack>) -> Vec<Act> {
        let Some(current) = self.current.as_mut() else {
            return Vec::new();
        };
        // Who is behind counts rounds since its own tip.
        let behind = current.round.height.saturating_sub(self.tip + 1);
        let (height, number) = (self.tip + 1, current.round.number + behind);
        let round = Round { height, number, ..current.round.clone() };
        let lacks = which(&mut current.lacks).into_iter();
        lacks.map(|what| Act::Lack { what, round: round.clone() }).collect()
    }

    /// Which share of this round passes before this node endorses: the same whenever it is asked.
    fn share(&self, round: &Round) -> f64 {
        let seed = format!("{}/{}/{}", self.address, round.height, round.number);
        let byte = f64::from(Sha256::digest(seed)[0]) / 255.0;
        ENDORSE.0 + byte * (ENDORSE.1 - ENDORSE.0)
    }

    fn lock(&mut self, block: Block, at: Instant) {
        if let Some(current) = &mut self.current
            && !self.frozen
            && !self.mode.paused
            && block.height == self.tip + 1
        {
            current.locked = Some((block, at));
            current.lacks = Lacks::default();
        }
    }

    /// Why a block is refused that has the height after the tip.
    fn objection(&self, block: &Block) -> Option<String> {
        let ours = self.forks.basis(&self.hash, block.height);
        objection(block.height, &ours, &block.basis())
    }

    fn receive(&mut self, block: Block) -> Vec<Act> {
        self.target = self.target.max(block.height);
        self.received = self.received.max(block.height);
        if self.still() || block.height <= self.tip {
            return Vec::new();
        }
        if block.height > self.tip + 1 || self.applying() {
            self.early.insert(block.height, block);
            return Vec::new();
        }
        if let Some(why) = self.objection(&block) {
            return vec![Act::Refused { why }];
        }
        let own = self.current.as_ref().is_some_and(|c| c.locked.is_some());
        self.commit(block, own)
    }

    fn catch_up(&mut self, blocks: Vec<Block>, now: Instant) -> Vec<Act> {
        let new = blocks.into_iter().filter(|b| b.height > self.tip);
        self.queue = new.collect();
        let highest = self.queue.back().map_or(0, |b| b.height);
        self.received = self.received.max(highest);
        let why = self.queue.front().and_then(|block| self.objection(block));
        if why.is_some() || self.still() {
            self.queue.clear();
        }
        let any = !self.queue.is_empty();
        self.apply_at = any.then(|| now + self.apply);
        why.map(|why| Act::Refused { why }).into_iter().collect()
    }

    fn commit(&mut self, block: Block, own: bool) -> Vec<Act> {
        let height = block.height;
        self.tip = height;
        self.hash.clone_from(&block.hash);
        self.current = None;
        let hash = block.hash.clone();
        vec![Act::Commit { block, own }, Act::Say(ToReferee::Committed { height, hash })]
    }

    /// Time passes: endorse, commit, complain, apply a block, or ask for blocks.
    pub fn elapse(&mut self, now: Instant) -> Vec<Act> {
        let mut acts = self.endorse(now);
        acts.extend(self.complain(|lacks| lacks.until(now)));
        acts.extend(self.conclude(now));
        acts.extend(self.apply_next(now));
        if self.tick_at <= now {
            self.tick_at = now + self.tick;
            let from = self.tip + 1;
            acts.push(Act::Ticked { from, to: self.target.max(self.tip + SYNC_AHEAD) });
            if self.target > self.tip && !self.applying() && !self.still() {
                acts.push(Act::Say(ToReferee::Sync { from }));
            }
        }
        acts
    }

    fn endorse(&mut self, now: Instant) -> Vec<Act> {
        let due = |c: &&mut Current| c.endorse.is_some_and(|at| at <= now);
        let Some(current) = self.current.as_mut().filter(due) else {
            return Vec::new();
        };
        current.endorse = None;
        let (height, round) = (current.round.height, current.round.number);
        let basis = self.forks.basis(&self.hash, height);
        vec![Act::Say(ToReferee::Endorse { height, round, basis })]
    }

    fn conclude(&mut self, now: Instant) -> Vec<Act> {
        let due = |(_, at): &(Block, Instant)| *at <= now;
        let locked = self.current.as_ref().and_then(|c| c.locked.clone());
        match locked.filter(due) {
            Some((block, _)) => self.commit(block, true),
            None => Vec::new(),
        }
    }

    fn apply_next(&mut self, now: Instant) -> Vec<Act> {
        if self.apply_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.apply_at = Some(now + self.apply);
        let next = self.queue.pop_front();
        let next = next.or_else(|| self.early.remove(&(self.tip + 1)));
        self.early.retain(|height, _| *height > self.tip);
        match next.map(|block| (self.objection(&block), block)) {
            Some((None, block)) => self.commit(block, false),
            Some((Some(why), _)) => {
                (self.queue, self.apply_at) = (VecDeque::new(), None);
                vec![Act::Refused { why }]
            }
            None => {
                self.apply_at = None;
                Vec::new()
            }
        }
    }

    /// SIGTERM when ready: P2P closes at once, and the process leaves at the end of the round it is in.
    pub fn leave(&mut self, now: Instant) -> Leaving {
        let at_once = Leaving { at: now, block: None };
        match self.current.take() {
            Some(Current { locked: Some((block, at)), .. }) => {
                let block = Some(block);
                Leaving { at, block }
            }
            // In a later round of a height nothing is in the making: the real node leaves at once too.
            Some(c) if c.round.number == 0 && c.round.height == self.tip + 1 && !self.still() => {
                Leaving { at: c.ends, block: None }
            }
            _ => at_once,
        }
    }
}

#[cfg(test)]
#[path = "participant_tests.rs"]
mod tests;
