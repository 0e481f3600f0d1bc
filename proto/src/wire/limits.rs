//! Limits that hold on every stream, both ways. Tonic limits nothing but decoding.

use std::time::Duration;

/// Largest message either side encodes or decodes, in bytes. A bulletin carries
/// a genesis file of at most 1 MiB beside documents of a few hundred KiB.
pub const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Largest receipt or beacon, in bytes. `began` names one head per node.
pub const EVIDENCE_BYTES: usize = 64 * 1024;

/// Longest chain of receipts under one key: ten thousand plans of ten receipts each.
pub const RECEIPTS_PER_NODE: usize = 100_000;

/// HTTP/2 streams per connection.
pub const STREAMS_PER_CONNECTION: u32 = 8;

/// Bytes of headers per request.
pub const HEADER_LIST_BYTES: u32 = 16 * 1024;

/// TLS handshake and HTTP/2 preface.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Any call that is not a stream.
pub const CALL: Duration = Duration::from_secs(20);

/// A ping goes out after this much silence.
pub const KEEPALIVE: Duration = Duration::from_secs(15);

/// The peer is gone when a ping is not answered for this long.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that wait in one direction of a stream before the sender does.
pub const STREAM_QUEUE: usize = 64;
