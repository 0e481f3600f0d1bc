//! What people see: pure functions from what is verified to a typed report, and its text.
//!
//! A report is `Serialize` (for `--json`) and `Display` (for people, at most 80 columns,
//! readable without colour). Every wait carries its reason, every fact that may be old its age.

pub mod abort;
pub mod attendance;
pub mod draft;
pub mod emergency;
pub mod fleet;
pub mod history;
pub mod keys;
pub mod log;
pub mod order;
pub mod release;
pub mod rollout;
pub mod roster;
pub mod standing;
pub mod table;
pub mod told;
pub mod why;
pub mod words;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
