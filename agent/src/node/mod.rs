//! The node as it can be asked: probe, gRPC, metrics, the beat of its blocks, the self-test.

pub mod fleet;
pub mod redact;
