//! The rule that makes the order safe, and the decision of one node about one plan.
//!
//! Pure: no clock, network, disk or runtime. The agent decides by it, the controller and
//! `muster` explain by it, `muster plan simulate` plays it through.
//!
//! A node may begin when its turn has come and the seats of
//!
//! - **A** everybody before it in the order without a final receipt for this very plan,
//! - **B** everybody anywhere who is away by his newest beacon ([`away`]),
//! - **C** everybody who has not promised to begin nothing older ([`promise`]),
//!
//! each counted once, plus its own, fit the budget ([`seats`]).
//!
//! Why this is safe: of all nodes that plans have taken down at one moment, take the newest
//! plan, and in it the last node in order. When it began, every other one was either before it
//! without a final receipt (A), or at work under an older plan without having promised (C).
//! So it counted them all, and the sum fitted. Receipts only grow, so what is delayed, replayed
//! or left out can only make a sum larger.

pub mod away;
pub mod decide;
pub mod decision;
pub mod emergency;
pub mod facts;
pub mod gates;
pub mod outside;
pub mod permission;
pub mod plans;
pub mod progress;
pub mod promise;
pub mod reason;
pub mod seats;
pub mod sight;
pub mod simulate;
pub mod turn;

pub use decide::{RESTORED, decide, decide_with};
pub use decision::{Decision, Final, Observations, Permit, Stage, Step};
pub use facts::{Documents, Evidence, NodeFacts, PlanFacts};
pub use outside::from_outside;
pub use permission::permission;
pub use progress::{PlanProgress, progress};
pub use reason::{Reason, Why};

#[cfg(test)]
mod tests;
