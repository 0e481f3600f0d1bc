//! The agent's steps on the real Engine, with a stand-in node and every permission given.

mod dry;
mod engine;
mod kit;
mod pull;
mod refused;
mod same;
mod simple;
mod state;
mod torn;
mod upgrade;
mod writes;
