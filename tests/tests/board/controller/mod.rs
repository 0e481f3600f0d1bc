//! The controller against agents, officers, watchers and its own files.

mod agent;
mod attach;
mod desk;
mod forged;
mod full_disk;
mod limits;
mod old_copy;
mod process;
mod program;
mod refused;
mod restart;
mod slow;
