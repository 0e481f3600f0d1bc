//! The agent's steps on the real Engine, with a stand-in node and every permission given.

mod crash;
mod faults;
mod kit;
mod pull;
mod same;
mod simple;
mod upgrade;
