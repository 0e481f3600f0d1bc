//! Operator addresses: secp256k1 → keccak-256 → bech32 `io1…`.

use bech32::{Bech32, Hrp};
use k256::ecdsa::SigningKey;
use sha3::{Digest, Keccak256};

/// The address of a private key in hex. `None` when it is no key: the node panics then.
pub fn operator_address(private_hex: &str) -> Option<String> {
    let bytes = hex::decode(private_hex.trim_start_matches("0x")).ok()?;
    let key = SigningKey::from_slice(&bytes).ok()?;
    let point = key.verifying_key().to_sec1_point(false);
    // The first byte only says that the point is not compressed.
    let hash = Keccak256::digest(&point.as_bytes()[1..]);
    let hrp = Hrp::parse("io").ok()?;
    bech32::encode::<Bech32>(hrp, &hash[12..]).ok()
}

/// A private key for tests, the same for the same number.
pub fn test_key(number: u64) -> String {
    let seed = format!("stand-in delegate {number}");
    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(seed))
}

/// A key that nobody else has, for a node whose config names none.
pub fn random_key() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_key_has_its_known_address() {
        // A key pair that iotex-core's own tests publish.
        let key = "cfa6ef757dee2e50351620dca002d32b9c090cfda55fb81f37f1d26b273743f1";
        let address = operator_address(key);
        assert_eq!(address.as_deref(), Some("io1mflp9m6hcgm2qcghchsdqj3z3eccrnekx9p0ms"));
    }

    #[test]
    fn what_is_no_key_has_no_address() {
        assert_eq!(operator_address("not hex"), None);
        assert_eq!(operator_address(""), None);
        assert_eq!(operator_address(&"00".repeat(32)), None);
    }
}
