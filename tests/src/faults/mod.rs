//! Faults made on purpose: an Engine that fails at a chosen call, a board that lies.

pub mod board;
pub mod engine;
