//! What a test may script: two tips, blocks that are reversed, and the nodes that bring them back.

use std::collections::BTreeSet;

use super::{Chain, Line, Says};
use crate::referee::report::Mined;
use crate::referee::wire::{Block, ToNode};

/// What is scripted.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// Whom the next block reaches, once that is scripted.
    holders: Option<BTreeSet<String>>,
    /// It was made: nothing more is certain.
    halted: bool,
    /// How often blocks were reversed: what is made anew has a hash of its own.
    reversals: u64,
    /// The blocks that were, oldest first.
    reversed: Vec<Mined>,
}

impl Chain {
    /// The next block reaches only these seats, and after it the chain halts, until it is mended or reversed:
    /// a halted fleet with two tips.
    pub fn split(&mut self, holders: BTreeSet<String>) {
        (self.script.holders, self.script.halted) = (Some(holders), false);
    }

    /// The end of a split: who lacks its block asks for it with the next sync tick.
    pub fn mend(&mut self) {
        (self.script.holders, self.script.halted) = (None, false);
    }

    /// Nobody who is up holds the blocks above `height`, this referee included: the nodes at that height build others,
    /// whatever they endorsed before. A node that still holds them brings them back.
    pub fn reverse(&mut self, height: u64, now_ms: u64) -> Says {
        self.mend();
        let kept = self.blocks.len().min(height as usize);
        let dropped = self.blocks.split_off(kept);
        self.script.reversed.extend(dropped);
        self.script.reversals += 1;
        let mut says = self.begin(0, now_ms);
        let holders = self.members.iter().filter(|(_, m)| m.who.height > height);
        says.extend(holders.map(|(line, _)| (*line, ToNode::Give { from: height + 1 })));
        says
    }

    /// The blocks that were reversed, oldest first.
    pub(super) fn reversed(&self) -> &[Mined] {
        &self.script.reversed
    }

    /// Whether a split lets no block be certain.
    pub(super) fn halted(&self) -> bool {
        self.script.halted
    }

    /// A block was committed: the one that splits the fleet, if that is scripted.
    pub(super) fn after_commit(&mut self) {
        self.script.halted = self.script.holders.is_some();
    }

    /// Whether the block of a split reaches this node; every other block does.
    pub(super) fn reaches(&self, line: Line) -> bool {
        let holds = |holders: &BTreeSet<String>| {
            self.members.get(&line).is_some_and(|m| holders.contains(&m.who.address))
        };
        self.script.holders.as_ref().is_none_or(holds)
    }

    /// The block as it is made now, with a hash of its own after a reversal.
    pub(super) fn made_anew(&self, block: Block) -> Block {
        block.again(self.script.reversals)
    }

    /// Asks a node for the blocks that it has and nobody else.
    pub(super) fn ask_for_more(&self, line: Line, height: u64) -> Says {
        let from = self.tip() + 1;
        let more = height >= from && self.script.holders.is_none();
        more.then_some((line, ToNode::Give { from })).into_iter().collect()
    }

    /// Blocks that a node still holds: those that follow the tip come back, and the others get them by sync.
    pub(super) fn adopt(&mut self, line: Line, blocks: Vec<Block>, now_ms: u64) -> Says {
        let before = self.tip();
        // The round that runs ends with this very block.
        let certain = self.round.locked.as_ref().map(|block| &block.hash);
        if blocks.first().is_some_and(|block| Some(&block.hash) == certain) {
            return Vec::new();
        }
        for block in blocks {
            if block.height == self.tip() + 1 && block.previous == self.tip_hash() {
                self.blocks.push(Mined { block, round: 0, endorsed: 0, time_ms: now_ms });
            }
        }
        if self.tip() == before {
            return Vec::new();
        }
        let mut says = self.begin(0, now_ms);
        let height = self.members.get(&line).map_or(0, |m| m.who.height);
        says.extend(self.ask_for_more(line, height));
        says
    }
}
