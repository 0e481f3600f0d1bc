//! The agent: the only program that touches a node.

pub mod boards;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod decide;
pub mod enrol;
pub mod journal;
pub mod node;
pub mod policy;
pub mod runtime;
pub mod snapshot;
pub mod steps;
