//! Snapshots of a node's data on real file systems: ext4, XFS and btrfs on loop devices, and with
//! a real container that is down or not.

mod command;
mod container;
mod crash;
mod full;
mod kit;
mod manifest;
mod precopy;
mod refused;
mod restore;
mod take;
