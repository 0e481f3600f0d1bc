//! The bulletin board, and the officers' command line.

pub mod store;
