//! What agent and controller share: the wire, the documents, trust, evidence and the rule.
pub mod wire;
