//! Agents as processes of their own, and what a test asks them.

pub(crate) mod board;
pub(crate) mod host;
