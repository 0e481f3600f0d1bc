//! Stand-in node, fleet, faults and benchmarks: the only crate that sees both sides.

pub mod bench;
pub mod demo;
pub mod disk;
pub mod faults;
pub mod fleet;
pub mod image;
pub mod node;
pub mod referee;
pub mod registry;
pub mod rules;
pub mod terminal;
pub mod tuf;
