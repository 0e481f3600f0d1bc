//! Real connections on loopback; each refusal is provoked by a peer that does just that one thing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::verify::PinnedServer;
use super::*;
use crate::documents::{Digest, PublicKey};
use crate::trust::SecretKey;
use crate::wire::muster::board_client::BoardClient;
use crate::wire::muster::board_server::{Board, BoardServer};
use crate::wire::muster::{AgentMessage, BoardMessage};

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(10);

fn identity(seed: u8) -> Identity {
    Identity::from_key(&SecretKey::from_seed(&[seed; 32])).unwrap()
}

/// Answers every call with the caller's key.
struct Mirror;

#[tonic::async_trait]
impl Board for Mirror {
    type AttachStream = ReceiverStream<Result<BoardMessage, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = request.extensions().get::<Peer>().unwrap();
        Err(Status::already_exists(peer.key.to_string()))
    }
}

/// A board with the key of seed 1, which knows the key of seed 2.
async fn board(doors: Doors) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let known = identity(2).public();
    let config = server_config(&identity(1)).unwrap();
    let incoming = accept(listener, config, doors, move |key| *key == known);
    let server = Server::builder().add_service(BoardServer::new(Mirror));
    tokio::spawn(server.serve_with_incoming(incoming));
    addr
}

async fn call(addr: SocketAddr, seed: u8) -> Result<Status, ConnectError> {
    let channel = connect(&addr.to_string(), &identity(seed), &identity(1).pin()).await?;
    let stream = tokio_stream::empty::<AgentMessage>();
    Ok(BoardClient::new(channel).attach(stream).await.map(|_| ()).unwrap_err())
}

/// A handshake with a configuration of one's own, and one byte from the other side after it: in
/// TLS 1.3 a refused client learns of it only there.
async fn raw(addr: SocketAddr, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(addr).await?;
    let name = ServerName::try_from("board").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    let mut byte = [0];
    timeout(PATIENCE, tls.read_exact(&mut byte)).await??;
    Ok(tls)
}

fn builder(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let pins = vec![identity(1).pin()];
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer { pins }))
}

fn h2(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// The certificate of `shown` with the private key of `held`.
fn stolen(shown: u8, held: u8) -> CertifiedKey {
    let key = aws_lc_rs::sign::any_eddsa_type(&match identity(held).private() {
        PrivateKeyDer::Pkcs8(key) => key,
        _ => unreachable!("identities are PKCS#8"),
    });
    CertifiedKey::new(identity(shown).chain(), key.unwrap())
}

#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Thief {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[tokio::test]
async fn a_call_carries_the_key_that_the_caller_proved() {
    let addr = board(Doors::default()).await;
    for seed in [2, 3] {
        let status = call(addr, seed).await.unwrap();
        assert_eq!(status.message().parse::<PublicKey>(), Ok(identity(seed).public()));
    }
}

#[tokio::test]
async fn a_board_with_another_key_than_the_pinned_one_is_refused_by_name() {
    let addr = board(Doors::default()).await.to_string();
    let expected = Digest::of(b"another key");
    match connect(&addr, &identity(2), &expected).await {
        Err(ConnectError::WrongPin { expected: e, found, .. }) => {
            assert_eq!((e, found), (expected, identity(1).pin()));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_board_that_shows_the_pinned_certificate_without_its_key_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Thief(Arc::new(stolen(1, 9)))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(tcp).await.map(|_| ())
    });
    let refused = connect(&addr, &identity(2), &identity(1).pin()).await;
    assert!(matches!(refused, Err(ConnectError::Handshake { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_board_whose_certificate_holds_another_kind_of_key_is_refused_by_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    let chain = vec![params.self_signed(&pair).unwrap().der().clone()];
    // It signs with the key that is pinned, so that nothing but the certificate is wrong.
    let shown = CertifiedKey::new(chain, stolen(1, 1).key.clone());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Thief(Arc::new(shown))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let board = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(tcp).await.map(|_| ())
    });
    let refused = connect(&addr, &identity(2), &identity(1).pin()).await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(matches!(refused, ConnectError::Handshake { .. }), "{refused:?}");
    assert!(cause.starts_with("N001: "), "{cause}");
    // No certificate was shown and no byte was sent to whoever that is.
    assert!(board.await.unwrap().is_err());
}

#[tokio::test]
async fn a_board_that_takes_the_connection_and_stays_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let silent = tokio::spawn(async move { listener.accept().await });
    let patience = Duration::from_millis(50);
    let late = connect_within(&addr, &identity(2), &identity(1).pin(), patience).await;
    let said = late.unwrap_err().to_string();
    assert_eq!(said, format!("N011: {addr} did not answer within 50ms"));
    silent.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused() {
    let addr = board(Doors::default()).await;
    let refused = raw(addr, h2(builder(&[&TLS13]).with_no_client_auth())).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_caller_who_shows_a_certificate_without_its_key_is_refused() {
    let addr = board(Doors::default()).await;
    let resolver = |key| Arc::new(Thief(Arc::new(key)));
    let honest = builder(&[&TLS13]).with_client_cert_resolver(resolver(stolen(2, 2)));
    raw(addr, h2(honest)).await.unwrap();
    let thief = builder(&[&TLS13]).with_client_cert_resolver(resolver(stolen(2, 9)));
    assert!(raw(addr, h2(thief)).await.is_err());
}

#[tokio::test]
async fn a_caller_with_a_key_that_is_not_ed25519_is_refused() {
    let addr = board(Doors::default()).await;
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    let chain = vec![params.self_signed(&pair).unwrap().der().clone()];
    let key = PrivatePkcs8KeyDer::from(pair.serialize_der()).into();
    let config = builder(&[&TLS13]).with_client_auth_cert(chain, key).unwrap();
    assert!(raw(addr, h2(config)).await.is_err());
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let addr = board(Doors::default()).await;
    let with = |version| {
        let me = identity(2);
        h2(builder(&[version]).with_client_auth_cert(me.chain(), me.private()).unwrap())
    };
    raw(addr, with(&TLS13)).await.unwrap();
    assert!(raw(addr, with(&TLS12)).await.is_err());
}

#[tokio::test]
async fn a_connection_that_does_not_speak_h2_is_refused() {
    let addr = board(Doors::default()).await;
    let me = identity(2);
    let plain = builder(&[&TLS13]).with_client_auth_cert(me.chain(), me.private()).unwrap();
    assert!(raw(addr, plain).await.is_err());
}

#[tokio::test]
async fn nothing_listens_is_told_from_a_wrong_pin() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    assert!(matches!(call(addr, 2).await, Err(ConnectError::Unreachable { .. })));
}

#[tokio::test]
async fn strangers_share_few_places_and_take_none_from_those_who_are_known() {
    let addr = board(Doors { strangers: 1, known: 2, ..Doors::default() }).await;
    let open = |seed| {
        let me = identity(seed);
        let config = builder(&[&TLS13]).with_client_auth_cert(me.chain(), me.private()).unwrap();
        raw(addr, h2(config))
    };
    let _stranger = open(3).await.unwrap();
    assert!(open(4).await.is_err());
    let _known = open(2).await.unwrap();
    let _known_again = open(2).await.unwrap();
    assert!(open(2).await.is_err());
}

#[tokio::test]
async fn one_key_has_a_bounded_number_of_connections_and_gets_them_back() {
    let addr = board(Doors { per_key: 1, ..Doors::default() }).await;
    let open = || {
        let me = identity(2);
        let config = builder(&[&TLS13]).with_client_auth_cert(me.chain(), me.private()).unwrap();
        raw(addr, h2(config))
    };
    let first = open().await.unwrap();
    assert!(open().await.is_err());
    drop(first);
    let again = async {
        loop {
            if let Ok(stream) = open().await {
                return stream;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_strangers_connection_is_cut_after_its_time() {
    let life = Duration::from_millis(50);
    let addr = board(Doors { stranger_life: life, ..Doors::default() }).await;
    let me = identity(3);
    let config = builder(&[&TLS13]).with_client_auth_cert(me.chain(), me.private()).unwrap();
    let mut stream = raw(addr, h2(config)).await.unwrap();
    let mut rest = Vec::new();
    // Ended by the board, cleanly or not.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
}
