//! Who is at the other end: one ed25519 key, wrapped in a certificate because TLS wants one.

use std::fmt;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::documents::{Digest, PublicKey};
use crate::trust::keys::{SecretKey, spki_der, spki_pin};

/// Why a key could not be made into a TLS identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The certificate could not be made.
    #[error("N001: no certificate can be made for this key")]
    Certificate(#[from] rcgen::Error),
    /// TLS refuses the certificate or the key.
    #[error("N002: TLS does not take this certificate and key")]
    Tls(#[from] rustls::Error),
}

/// The certificate is none, or its key is no usable ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("N003: the peer's certificate holds no ed25519 key")]
pub struct BadCertificate;

/// A key with the certificate that it signed for itself.
pub struct Identity {
    certificate: CertificateDer<'static>,
    pkcs8: Zeroizing<Vec<u8>>,
    key: PublicKey,
}

impl Identity {
    /// Wraps `key`. The certificate says nothing but the key: no name, no date that anybody reads.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn from_key(key: &SecretKey) -> Result<Self, IdentityError> {
        let pkcs8 = key.to_pkcs8_der();
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(pkcs8.as_slice()),
            &rcgen::PKCS_ED25519,
        )?;
        let params = rcgen::CertificateParams::new(Vec::<String>::new())?;
        let certificate = params.self_signed(&pair)?.der().clone();
        Ok(Self { certificate, pkcs8, key: key.public() })
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.key
    }

    /// What callers pin.
    pub fn pin(&self) -> Digest {
        spki_pin(&self.key)
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    pub(super) fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.to_vec()).into()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.key)
    }
}

/// The key in a peer's certificate. Nothing else in it is believed.
///
/// # Errors
/// [`BadCertificate`] when it cannot be parsed or holds another kind of key.
pub fn peer_key(certificate: &CertificateDer<'_>) -> Result<PublicKey, BadCertificate> {
    let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| BadCertificate)?;
    let spki = parsed.public_key().raw;
    let (_, raw) = spki.split_last_chunk::<32>().ok_or(BadCertificate)?;
    let key = PublicKey::try_from(*raw).map_err(|_| BadCertificate)?;
    if rest.is_empty() && spki == spki_der(&key) { Ok(key) } else { Err(BadCertificate) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_gives_back_the_key_it_was_made_for() {
        let identity = Identity::from_key(&SecretKey::from_seed(&[7; 32])).unwrap();
        let [certificate] = identity.chain().try_into().unwrap();
        assert_eq!(peer_key(&certificate), Ok(identity.public()));
        let (_, parsed) = X509Certificate::from_der(&certificate).unwrap();
        assert_eq!(Digest::of(parsed.public_key().raw), identity.pin());
    }

    #[test]
    fn a_certificate_with_another_kind_of_key_is_refused() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        let certificate = params.self_signed(&pair).unwrap();
        assert_eq!(peer_key(certificate.der()), Err(BadCertificate));
    }

    #[test]
    fn an_identity_never_shows_its_private_key() {
        let identity = Identity::from_key(&SecretKey::from_seed(&[7; 32])).unwrap();
        assert!(!format!("{identity:?}").contains(&hex::encode([7; 32])));
    }
}
