//! What a snapshot holds, what has to be copied, what may be removed: no disk, no clock.

pub mod manifest;
pub mod name;
pub mod pieces;
pub mod retention;
pub mod size;
pub mod tree;
pub mod work;
