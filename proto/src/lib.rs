//! What agent and controller share: documents, evidence, the rule, trust and the wire.

pub mod audit;
pub mod documents;
pub mod evidence;
pub mod rule;
pub mod tls;
pub mod trust;
pub mod wire;
