//! The rule that makes the order safe: hostile worlds, every small world, simulation.

mod abort;
mod drafted;
mod properties;
mod simulate;
mod walk;
