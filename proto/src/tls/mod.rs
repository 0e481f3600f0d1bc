//! Mutual TLS 1.3 between agents, boards, officers and watchers.
//!
//! There is no certificate authority: every side has one ed25519 key and a certificate that it
//! signed itself, and whoever is asked is known by his key. A board's key is pinned by the caller
//! (SHA-256 of its SPKI); a caller proves possession of his key, and what that key may do is looked
//! up per call, so that a roster change bites on open connections.

mod accept;
mod config;
mod connect;
mod identity;
mod verify;

pub use accept::{Doors, Peer, PeerStream, accept};
pub use config::{client_config, server_config};
pub use connect::{ConnectError, connect, connect_within};
pub use identity::{BadCertificate, Identity, IdentityError, peer_key};

pub use crate::trust::keys::spki_pin;

#[cfg(test)]
mod tests;
