//! What the agent's loop decides, apart from the rule itself. Pure: time and facts are arguments.
//!
//! The rule (`muster_proto::rule`) says what happens to *one* plan; here stands which plan is
//! asked about first, what the operator's policy answers, what the boards know of the own chain,
//! and how fast to speak.

pub mod answer;
pub mod own_chain;
pub mod pace;
pub mod turns;
pub mod words;

#[cfg(test)]
pub(crate) mod example;
