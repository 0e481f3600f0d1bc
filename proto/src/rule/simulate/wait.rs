//! When it is worth asking a waiting node again: when what its reason names has changed.
//!
//! Asking everybody at every event gives the same timelines, two hundred times more slowly.

use crate::rule::reason::Reason;

/// What would end a wait. Numbers are indexes of actors.
pub(super) enum Until {
    /// Fewer than so many of these still hold their turn.
    Turn(Vec<usize>, u32),
    /// So many of these have changed since.
    Changes(Vec<(usize, u32)>, u32),
    /// So many of a wave are done.
    Gate(usize, u32),
    /// Time passes, or anything changes: an alarm is set.
    Alarm,
    /// The chain makes blocks again.
    Chain,
    /// Nothing will.
    Never,
}

/// What is asked about the world.
pub(super) trait Facts {
    /// The actor of that name.
    fn index(&self, node: &crate::documents::NodeName) -> Option<usize>;
    /// It has neither failed nor said its last word.
    fn holds_turn(&self, actor: usize) -> bool;
    /// Grows with everything that others learn of it.
    fn version(&self, actor: usize) -> u32;
    /// How many of a wave are done.
    fn done(&self, wave: usize) -> u32;
    /// The wave of that name.
    fn wave(&self, name: &str) -> Option<usize>;
    /// Blocks are made.
    fn chain_advances(&self) -> bool;
}

impl Until {
    pub(super) fn of(reason: &Reason, world: &impl Facts) -> Self {
        match reason {
            Reason::Turn { nodes, parallel } => {
                Until::Turn(nodes.iter().filter_map(|node| world.index(node)).collect(), *parallel)
            }
            Reason::Budget { nodes, sum, budget } => {
                let known = nodes.iter().filter_map(|node| world.index(node));
                let versions = known.map(|actor| (actor, world.version(actor))).collect();
                Until::Changes(versions, sum.saturating_sub(*budget).max(1))
            }
            Reason::Gate { wave, gate, .. } => {
                world.wave(wave).map_or(Until::Alarm, |wave| Until::Gate(wave, *gate))
            }
            // The slot is scheduled; evidence can only make it sooner.
            Reason::Slot { nodes, .. } => {
                let known = nodes.iter().filter_map(|node| world.index(node));
                Until::Changes(known.map(|actor| (actor, world.version(actor))).collect(), 1)
            }
            Reason::CannotTell(_) => Until::Chain,
            Reason::Soak { .. } | Reason::NotYetValid(_) => Until::Alarm,
            _ => Until::Never,
        }
    }

    pub(super) fn is_over(&self, world: &impl Facts) -> bool {
        match self {
            Until::Turn(nodes, parallel) => {
                let holding = nodes.iter().filter(|actor| world.holds_turn(**actor)).count();
                (holding as u32) < *parallel
            }
            Until::Changes(nodes, enough) => {
                let changed = nodes.iter().filter(|(actor, then)| world.version(*actor) > *then);
                changed.count() as u32 >= *enough
            }
            Until::Gate(wave, gate) => world.done(*wave) >= *gate,
            Until::Chain => world.chain_advances(),
            Until::Alarm | Until::Never => false,
        }
    }
}
