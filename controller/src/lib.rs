//! The bulletin board, and the officers' command line.

pub mod audience;
pub mod board;
pub mod cli;
pub mod config;
pub mod desk;
pub mod init;
pub mod keys;
pub mod mark;
pub mod publisher;
pub mod report;
pub mod serve;
pub mod store;
pub mod view;
