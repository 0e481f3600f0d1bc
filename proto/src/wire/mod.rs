//! Generated messages and services, and the limits that hold on every stream.

pub mod limits;

/// Messages and services between agents, boards, officers and watchers.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod muster {
    tonic::include_proto!("muster.v1");
}

/// The part of `iotex-core`'s API that an agent asks of its node.
#[allow(missing_docs, clippy::all, unreachable_pub)]
pub mod iotexapi {
    tonic::include_proto!("iotexapi");
}
