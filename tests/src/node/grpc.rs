//! `:14014`: the part of `iotexapi.APIService` that an agent asks, on every node and not only on gateways.

use std::io;
use std::sync::Arc;

use muster_proto::wire::iotexapi as api;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::state::Node;
use crate::referee::now_ms;
use crate::referee::wire::Block;

/// Opens the gRPC server.
///
/// # Errors
/// When the port is taken: the node exits 1.
pub async fn open(node: &Arc<Node>) -> io::Result<()> {
    let place = (node.config.host.as_str(), node.config.grpc_port);
    let incoming = TcpListenerStream::new(TcpListener::bind(place).await?);
    let service = api::api_service_server::ApiServiceServer::new(Service(Arc::clone(node)));
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(incoming));
    Ok(())
}

struct Service(Arc<Node>);

#[tonic::async_trait]
impl api::api_service_server::ApiService for Service {
    async fn get_chain_meta(
        &self,
        _: Request<api::GetChainMetaRequest>,
    ) -> Result<Response<api::GetChainMetaResponse>, Status> {
        let height = self.0.view().height();
        Ok(Response::new(chain_meta(height, self.speed())))
    }

    async fn get_server_meta(
        &self,
        _: Request<api::GetServerMetaRequest>,
    ) -> Result<Response<api::GetServerMetaResponse>, Status> {
        let behaviour = &self.0.behaviour;
        let meta = server_meta(behaviour.reported_version(), &behaviour.commit);
        Ok(Response::new(meta))
    }

    async fn get_block_metas(
        &self,
        request: Request<api::GetBlockMetasRequest>,
    ) -> Result<Response<api::GetBlockMetasResponse>, Status> {
        let Some(api::get_block_metas_request::Lookup::ByIndex(wanted)) =
            request.into_inner().lookup
        else {
            return Err(Status::not_found("invalid GetBlockMetasRequest type"));
        };
        let view = self.0.view();
        let skip = wanted.start.saturating_sub(1) as usize;
        let found = view.blocks.iter().skip(skip).take(wanted.count as usize);
        let metas: Vec<api::BlockMeta> = found.map(block_meta).collect();
        let total = metas.len() as u64;
        Ok(Response::new(api::GetBlockMetasResponse { blk_metas: metas, total }))
    }
}

impl Service {
    /// Blocks a second of late: the real node's sync stage says so on healthy nodes too.
    fn speed(&self) -> f64 {
        let timing = self.0.timing();
        let round = self.0.view().round(now_ms(), timing.interval_ms());
        if round > 0 { 0.0 } else { timing.interval().as_secs_f64().recip() }
    }
}

/// The recorded answer for these values.
pub fn chain_meta(height: u64, blocks_per_second: f64) -> api::GetChainMetaResponse {
    api::GetChainMetaResponse {
        chain_meta: Some(api::ChainMeta { height, chain_id: 1 }),
        sync_stage: format!("sync in progress at {blocks_per_second:.1} blocks/sec"),
    }
}

/// The recorded answer for these values.
pub fn server_meta(version: &str, commit: &str) -> api::GetServerMetaResponse {
    api::GetServerMetaResponse {
        server_meta: Some(api::ServerMeta {
            package_version: version.to_owned(),
            package_commit_id: commit.to_owned(),
            git_status: "clean".into(),
            go_version: "NoBuildInfo".into(),
            build_time: "2026-11-22".into(),
        }),
    }
}

/// A block of one action, as empty blocks of the real chain are (the reward).
fn block_meta(block: &Block) -> api::BlockMeta {
    let nothing = "0".repeat(64);
    api::BlockMeta {
        hash: block.hash.clone(),
        height: block.height,
        timestamp: Some(api::Timestamp {
            seconds: (block.time_ms / 1_000) as i64,
            nanos: (block.time_ms % 1_000 * 1_000_000) as i32,
        }),
        num_actions: 1,
        producer_address: block.producer.clone(),
        transfer_amount: "0".into(),
        tx_root: nothing.clone(),
        receipt_root: nothing.clone(),
        delta_state_digest: nothing,
        logs_bloom: "0".repeat(512),
        previous_block_hash: block.previous.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    /// The recorded frame without its five bytes of flag and length, which are checked here.
    fn recorded(name: &str, kind: &str) -> Vec<u8> {
        let path = format!("{}/recorded/grpc-raw/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
        let frame = hex::decode(line.trim()).unwrap();
        let length = u32::from_be_bytes(frame[1..5].try_into().unwrap()) as usize;
        assert_eq!((frame[0], length), (0, frame.len() - 5));
        frame[5..].to_vec()
    }

    #[test]
    fn chain_meta_has_the_recorded_bytes() {
        assert_eq!(chain_meta(12, 0.4).encode_to_vec(), recorded("GetChainMeta", "response"));
    }

    #[test]
    fn server_meta_has_the_recorded_bytes() {
        let behaviour = super::super::behaviour::Behaviour::default();
        let meta = server_meta(&behaviour.version, &behaviour.commit);
        assert_eq!(meta.encode_to_vec(), recorded("GetServerMeta", "response"));
    }

    #[test]
    fn block_metas_decode_and_encode_to_the_recorded_bytes() {
        let request = recorded("GetBlockMetas", "request");
        let asked = api::GetBlockMetasRequest::decode(&*request).unwrap();
        assert_eq!(asked.encode_to_vec(), request);
        let response = recorded("GetBlockMetas", "response");
        let metas = api::GetBlockMetasResponse::decode(&*response).unwrap();
        assert_eq!((metas.total, metas.blk_metas.len()), (2, 2));
        assert_eq!(metas.encode_to_vec(), response);
        let first = &metas.blk_metas[0];
        let time = first.timestamp.as_ref().unwrap();
        let block = Block {
            height: first.height,
            hash: first.hash.clone(),
            previous: first.previous_block_hash.clone(),
            producer: first.producer_address.clone(),
            time_ms: time.seconds as u64 * 1_000 + time.nanos as u64 / 1_000_000,
            rules: String::new(),
        };
        // Roots and digests are those of real state; everything else is made by the stand-in itself.
        let ours = api::BlockMeta {
            tx_root: first.tx_root.clone(),
            receipt_root: first.receipt_root.clone(),
            delta_state_digest: first.delta_state_digest.clone(),
            ..block_meta(&block)
        };
        assert_eq!(&ours, first);
    }
}
