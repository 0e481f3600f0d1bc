//! The agent: the only program that touches a node.

pub mod journal;
pub mod node;
pub mod runtime;
pub mod steps;
