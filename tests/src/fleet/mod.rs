//! A whole fleet on this machine: referee, nodes in containers, agents and controller as
//! processes of their own. Used by the tests, the demo and the benchmark.

pub mod observer;
pub mod process;
