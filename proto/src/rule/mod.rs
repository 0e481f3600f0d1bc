//! The rule that makes the order safe, and the decision of one node about one plan.
//!
//! Pure: no clock, network, disk or runtime. The agent decides by it, the controller and
//! `muster` explain by it, `muster plan simulate` plays it through.

pub mod decision;
pub mod facts;
pub mod reason;

pub use decision::{Decision, Final, Observations, Permit, Stage, Step};
pub use facts::{Documents, Evidence, NodeFacts, PlanFacts};
pub use reason::{Reason, Why};
