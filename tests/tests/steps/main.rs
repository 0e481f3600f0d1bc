//! The agent's steps on the real Engine, with a stand-in node and every permission given.

mod kit;
mod refused;
mod same;
mod simple;
mod upgrade;
mod writes;
