//! The referee of one fleet: holds the chain, and is the oracle of the tests.
//!
//! It plays the boot node that `network.bootstrapNodes` names. Every block interval is a round: the proposer
//! whose turn it is proposes, the others endorse by about half the interval, and with more than two thirds of
//! the seats the block is *locked* and commits at the round's end. A proposer who is away costs a second round.
//!
//! In process: [`Referee::start`]; as a program: the binary `referee`. Either way [`client::Client`] asks it, and
//! [`report::Report`] is what it answers. Questions carry a mark, so that several askers do not disturb each other.

pub mod chain;
pub mod client;
pub mod report;
mod server;
pub mod wire;

pub use server::{Referee, Setup, now_ms};
