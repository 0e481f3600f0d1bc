//! The daemon against boards, honest and false.

mod answers;
mod board;
mod daemon;
mod files;
mod forged;
mod full_disk;
mod host;
mod init;
mod lied_to;
mod unreachable;
