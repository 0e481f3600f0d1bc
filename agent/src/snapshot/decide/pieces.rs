//! Digests of files, piece by piece: a file of 100 GiB in which one page was written is told
//! apart, and copied anew, by pieces.

use muster_proto::documents::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Long enough that 265 GB have 63,000 of them, short enough that a page written in place costs
/// little.
pub const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// The SHA-256 of each piece of a file, in order; of none for an empty file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pieces(Vec<[u8; 32]>);

impl Pieces {
    /// The digest of one piece.
    pub fn digest(piece: &[u8]) -> [u8; 32] {
        Sha256::digest(piece).into()
    }

    /// Adds the next one.
    pub fn push(&mut self, digest: [u8; 32]) {
        self.0.push(digest);
    }

    /// The digest of piece `at`.
    pub fn get(&self, at: usize) -> Option<&[u8; 32]> {
        self.0.get(at)
    }

    /// The file's digest: that of its content where it has one piece at most (so that `sha256sum`
    /// says the same), else that of all pieces' digests one after the other.
    pub fn root(&self) -> Digest {
        match self.0.as_slice() {
            [] => Digest::of(&[]),
            [one] => format!("sha256:{}", hex::encode(one)).parse().expect("32 bytes in hex"),
            many => Digest::of(&many.concat()),
        }
    }
}

impl From<Pieces> for String {
    fn from(pieces: Pieces) -> Self {
        hex::encode(pieces.0.concat())
    }
}

impl TryFrom<String> for Pieces {
    type Error = hex::FromHexError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = hex::decode(text)?;
        let (pieces, rest) = bytes.as_chunks::<32>();
        match rest.is_empty() {
            true => Ok(Self(pieces.to_vec())),
            false => Err(hex::FromHexError::InvalidStringLength),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_has_the_digest_that_sha256sum_says() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.root(), Digest::of(b""));
        pieces.push(Pieces::digest(b"one"));
        assert_eq!(pieces.root(), Digest::of(b"one"));
        pieces.push(Pieces::digest(b"two"));
        assert_ne!(pieces.root(), Digest::of(b"onetwo"));
        assert_eq!(Pieces::try_from(String::from(pieces.clone())), Ok(pieces));
        assert!(Pieces::try_from("ab".repeat(33)).is_err());
    }
}
