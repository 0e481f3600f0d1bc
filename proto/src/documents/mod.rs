//! The signed documents in the form that is signed: canonical JSON, typed, complete.
//!
//! YAML exists on the author's side only (`author`); what stands here is what
//! officers sign and agents parse, and only after it verified.

pub mod abort;
pub mod author;
pub mod canonical;
pub mod ids;
pub mod keys;
pub mod plan;
pub mod release;
pub mod roster;

pub use abort::{Abort, Aborts, NO_ABORTS};
pub use ids::{Class, Digest, NodeName, OperatorAddress, PlanId, PublicKey};
pub use keys::{KeysSpec, RootSpec, SigningRole};
pub use plan::Plan;
pub use release::Release;
pub use roster::Roster;
