//! The node's gRPC: exact height, version, hash and time of the tip.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use muster_proto::wire::iotexapi::api_service_client::ApiServiceClient;
use muster_proto::wire::iotexapi::get_block_metas_request::Lookup;
use muster_proto::wire::iotexapi::{
    BlockMeta, GetBlockMetasByIndexRequest, GetBlockMetasRequest, GetChainMetaRequest,
    GetServerMetaRequest,
};
use tonic::transport::{Channel, Endpoint};

/// A healthy node answers in 15 to 30 ms, a busy gateway within a second.
const ANSWER: Duration = Duration::from_secs(2);

/// A block of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub height: u64,
    /// Lower-case hex.
    pub hash: String,
    /// When its producer began it.
    pub time: Option<Timestamp>,
}

/// One connection that is kept as long as the address stays the same.
#[derive(Debug, Default)]
pub(super) struct Grpc {
    open: Mutex<Option<(SocketAddr, Channel)>>,
}

impl Grpc {
    pub(super) async fn height(&self, at: SocketAddr) -> Option<u64> {
        let answer = self.client(at)?.get_chain_meta(GetChainMetaRequest {}).await.ok()?;
        Some(answer.into_inner().chain_meta?.height)
    }

    pub(super) async fn version(&self, at: SocketAddr) -> Option<String> {
        let answer = self.client(at)?.get_server_meta(GetServerMetaRequest {}).await.ok()?;
        Some(answer.into_inner().server_meta?.package_version)
    }

    /// `count` blocks from `start` on.
    pub(super) async fn blocks(&self, at: SocketAddr, start: u64, count: u64) -> Vec<Block> {
        let lookup = Lookup::ByIndex(GetBlockMetasByIndexRequest { start, count });
        let request = GetBlockMetasRequest { lookup: Some(lookup) };
        let Some(mut client) = self.client(at) else { return Vec::new() };
        let answer = client.get_block_metas(request).await;
        let metas = answer.map(|answer| answer.into_inner().blk_metas).unwrap_or_default();
        metas.into_iter().map(Block::from).collect()
    }

    fn client(&self, at: SocketAddr) -> Option<ApiServiceClient<Channel>> {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((known, channel)) = open.as_ref()
            && *known == at
        {
            return Some(ApiServiceClient::new(channel.clone()));
        }
        let endpoint = Endpoint::from_shared(format!("http://{at}")).ok()?;
        let channel = endpoint.connect_timeout(ANSWER).timeout(ANSWER).connect_lazy();
        *open = Some((at, channel.clone()));
        Some(ApiServiceClient::new(channel))
    }
}

impl From<BlockMeta> for Block {
    fn from(meta: BlockMeta) -> Self {
        let time = meta.timestamp.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
        Self { height: meta.height, hash: meta.hash, time }
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::wire::iotexapi::{
        GetBlockMetasResponse, GetChainMetaResponse, GetServerMetaResponse,
    };
    use prost::Message;

    use super::*;

    /// The messages of a recorded exchange: request and response, without the frame's five bytes.
    fn recorded(text: &str) -> (Vec<u8>, Vec<u8>) {
        let frame = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the line");
            hex::decode(line.trim()).expect("hex")[5..].to_vec()
        };
        (frame("request"), frame("response"))
    }

    #[test]
    fn the_recorded_chain_meta_is_read() {
        let (_, answer) = recorded(include_str!("../../testdata/grpc-raw/GetChainMeta.txt"));
        let meta = GetChainMetaResponse::decode(answer.as_slice()).expect("decodes");
        assert_eq!(meta.chain_meta.map(|chain| (chain.height, chain.chain_id)), Some((12, 1)));
    }

    #[test]
    fn the_recorded_server_meta_is_read() {
        let (_, answer) = recorded(include_str!("../../testdata/grpc-raw/GetServerMeta.txt"));
        let meta = GetServerMetaResponse::decode(answer.as_slice()).expect("decodes");
        let server = meta.server_meta.expect("a server meta");
        assert_eq!(server.package_version, "v2.4.4");
        assert_eq!(server.package_commit_id, "2b01c6574703324147364687c864201dc5c3b672");
        assert_eq!(server.build_time, "2026-11-22");
    }

    #[test]
    fn the_recorded_block_metas_are_read_and_asked_for_alike() {
        let (request, answer) = recorded(include_str!("../../testdata/grpc-raw/GetBlockMetas.txt"));
        let lookup = Lookup::ByIndex(GetBlockMetasByIndexRequest { start: 1, count: 2 });
        assert_eq!(GetBlockMetasRequest { lookup: Some(lookup) }.encode_to_vec(), request);

        let metas = GetBlockMetasResponse::decode(answer.as_slice()).expect("decodes").blk_metas;
        let blocks: Vec<Block> = metas.into_iter().map(Block::from).collect();
        assert_eq!(blocks.len(), 2);
        assert_eq!((blocks[0].height, blocks[1].height), (1, 2));
        assert!(blocks[0].hash.starts_with("2ceea4da212fbacfd27c65ba722a6882e5aaee1230a302f1309"));
        let [first, second] = [&blocks[0], &blocks[1]].map(|block| block.time.expect("a time"));
        assert_eq!(second.duration_since(first).as_millis(), 2_500);
    }
}
