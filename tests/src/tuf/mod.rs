//! A world of officers, publisher and board for tests of trust, and ways to cheat in it.

pub mod client;
mod documents;
mod forge;
mod world;

pub use documents::{genesis, operator, plan, release, roster};
pub use forge::{resigned, unsigned};
pub use world::{NETWORK, World, at, key};
