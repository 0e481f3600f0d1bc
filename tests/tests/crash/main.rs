//! The crash matrix: at every mutating Engine call of every action an agent is killed before the
//! call and after it, and the Engine fails in four ways. Always exactly the old or the new node
//! in the end, and a receipt that says which.
//!
//! Agents are processes, each behind a proxy of its own in front of the Engine's socket. In every
//! plan one node is left undisturbed: its calls are what the cells are counted from, so that a
//! new step is covered unasked.

mod bench;
mod cells;
mod node;
mod simple;
mod table;
mod upgrade;
