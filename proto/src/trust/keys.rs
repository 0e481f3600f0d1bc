//! ed25519 keys: made, kept as PKCS#8 PEM, named as TUF names them.

use ed25519_dalek::pkcs8::{KeypairBytes, PrivateKeyInfoRef};
use ed25519_dalek::{Signer as _, SigningKey};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, SecretDocument};
use zeroize::{Zeroize as _, Zeroizing};

use super::limits::KEY_FILE_BYTES;
use super::metadata::TufKey;
use crate::documents::{Digest, PublicKey};

/// scrypt N = 2^16, r = 8, p = 2: OWASP's second choice. 64 MiB and about 0.3 s for one guess.
const SCRYPT: (u8, u32, u32) = (16, 8, 2);

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const PLAIN: &str = "PRIVATE KEY";

/// DER of `SubjectPublicKeyInfo` up to the 32 bytes of an ed25519 key (RFC 8410).
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a private key could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither of the two PEM forms, or not an ed25519 key.
    #[error("K001: this is no ed25519 private key in PKCS#8 PEM; make one with `muster key new`")]
    NotAKey,
    /// The passphrase does not open it.
    #[error("K002: the passphrase does not open this key, or the file is damaged; try again")]
    WrongPassphrase,
    /// Encrypted, and no passphrase was given.
    #[error("K003: this key is encrypted; a passphrase is needed")]
    PassphraseNeeded,
    /// A passphrase was given for a key that lies open.
    #[error("K004: this key is not encrypted; an officer's key must be, make a new one")]
    NotEncrypted,
    /// An empty passphrase protects nothing.
    #[error("K005: an empty passphrase protects nothing; choose one of several words")]
    EmptyPassphrase,
}

impl KeyError {
    /// The stable code, such as `K001`.
    pub fn code(&self) -> &'static str {
        match self {
            KeyError::NotAKey => "K001",
            KeyError::WrongPassphrase => "K002",
            KeyError::PassphraseNeeded => "K003",
            KeyError::NotEncrypted => "K004",
            KeyError::EmptyPassphrase => "K005",
        }
    }
}

/// A private key. Wiped from memory when dropped; shows only its public half.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

impl SecretKey {
    /// A new key from the kernel's randomness.
    ///
    /// # Panics
    /// When the kernel has none to give: no program can go on without.
    pub fn generate() -> Self {
        Self::from_seed(&Zeroizing::new(random::<32>()))
    }

    /// The key of this seed (RFC 8032: 32 secret bytes).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads PKCS#8 PEM, encrypted exactly when a passphrase is given.
    ///
    /// # Errors
    /// [`KeyError`]; which says whether another passphrase may help.
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        if pem.len() > KEY_FILE_BYTES {
            return Err(KeyError::NotAKey);
        }
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyError::NotAKey)?;
        match (label, passphrase) {
            (PLAIN, None) => Self::from_der(document.as_bytes()),
            (PLAIN, Some(_)) => Err(KeyError::NotEncrypted),
            (ENCRYPTED, None) => Err(KeyError::PassphraseNeeded),
            (ENCRYPTED, Some(passphrase)) => {
                let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|_| KeyError::NotAKey)?;
                let plain = encrypted.decrypt(passphrase).map_err(|_| KeyError::WrongPassphrase)?;
                Self::from_der(plain.as_bytes())
            }
            _ => Err(KeyError::NotAKey),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyError::NotAKey)?;
        let mut pair = KeypairBytes::try_from(info).map_err(|_| KeyError::NotAKey)?;
        let key = SigningKey::try_from(&pair).map(Self).map_err(|_| KeyError::NotAKey);
        pair.secret_key.zeroize();
        key
    }

    /// PKCS#8 PEM, encrypted (scrypt, AES-256-CBC) when a passphrase is given.
    ///
    /// # Errors
    /// [`KeyError::EmptyPassphrase`].
    pub fn to_pem(&self, passphrase: Option<&str>) -> Result<Zeroizing<String>, KeyError> {
        let der = self.document();
        let Some(passphrase) = passphrase else {
            return der.to_pem(PLAIN, LineEnding::LF).map_err(|_| KeyError::NotAKey);
        };
        if passphrase.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        let (log_n, r, p) = SCRYPT;
        let cost = scrypt::Params::new(log_n, r, p).expect("a cost that scrypt allows");
        let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &random::<16>(), random())
            .expect("a salt of 16 bytes fits");
        let info = PrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        let sealed = info.encrypt_with_params(scheme, passphrase).map_err(|_| KeyError::NotAKey)?;
        sealed.to_pem(ENCRYPTED, LineEnding::LF).map_err(|_| KeyError::NotAKey)
    }

    /// Unencrypted PKCS#8 DER (version 1), as TLS libraries take it.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.document().to_bytes()
    }

    /// Version 1, without the public half: every implementation reads that.
    fn document(&self) -> SecretDocument {
        use pkcs8::EncodePrivateKey as _;
        let mut pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let document = pair.to_pkcs8_der().expect("32 bytes have a DER form");
        pair.secret_key.zeroize();
        document
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::try_from(self.0.verifying_key().to_bytes())
            .expect("the public half of a private key is no weak point")
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The key as the envelopes of receipts and beacons take it.
    pub fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes
}

/// The TUF key id: SHA-256 of the canonical JSON of type, scheme and public half (lower-case hex).
pub fn key_id(key: &PublicKey) -> String {
    let canonical = crate::documents::canonical::to_bytes(&TufKey::of(key))
        .expect("three strings have a canonical form");
    Digest::of(&canonical).hex().to_owned()
}

/// `SubjectPublicKeyInfo` in DER, as it stands in certificates.
pub fn spki_der(key: &PublicKey) -> [u8; 44] {
    let mut der = [0; 44];
    der[..SPKI_HEAD.len()].copy_from_slice(&SPKI_HEAD);
    der[SPKI_HEAD.len()..].copy_from_slice(key.as_bytes());
    der
}

/// What is pinned of a TLS identity: SHA-256 of its [`spki_der`].
pub fn spki_pin(key: &PublicKey) -> Digest {
    Digest::of(&spki_der(key))
}
