//! TLS 1.3 only, one provider, HTTP/2 only, no tickets: a connection is always a full handshake.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};

use super::identity::{Identity, IdentityError};
use super::verify::{AnyClient, PinnedServer};
use crate::documents::Digest;

/// HTTP/2, which gRPC is.
pub(super) const ALPN: &[u8] = b"h2";

/// For who calls: shows `identity`, and talks to nobody but the holders of `pins`
/// (SHA-256 of the SPKI).
///
/// # Errors
/// [`IdentityError::Tls`].
pub fn client_config(
    identity: &Identity,
    pins: Vec<Digest>,
) -> Result<ClientConfig, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer { pins }))
        .with_client_auth_cert(identity.chain(), identity.private())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// For a board: demands a certificate with an ed25519 key and a proof of its possession.
///
/// # Errors
/// [`IdentityError::Tls`].
pub fn server_config(identity: &Identity) -> Result<ServerConfig, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(AnyClient))
        .with_single_cert(identity.chain(), identity.private())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Named explicitly: several crates in the tree would each choose one for the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
