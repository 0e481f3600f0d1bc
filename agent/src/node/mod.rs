//! The node as it can be asked: probe, gRPC, metrics, the beat of its blocks, the self-test.

pub mod beat;
pub mod fleet;
pub mod genesis;
mod grpc;
mod http;
pub mod keeper;
pub mod metrics;
pub mod post;
mod probe;
pub mod redact;
mod seen;

pub use grpc::Block;
pub use probe::Probe;
pub use seen::Seen;
