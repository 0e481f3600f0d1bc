//! The bulletin board, and the officers' command line.

pub mod cli;
pub mod store;
pub mod view;
