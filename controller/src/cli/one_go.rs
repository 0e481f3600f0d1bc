//! A document that one command freezes, signs and hands in; what could not go out is kept as files.

use std::path::Path;

use muster_proto::documents::Digest;
use muster_proto::trust::draft::{Checked, DetachedSig, Draft, Merged};
use muster_proto::trust::keys::SecretKey;
use serde::Serialize;

use super::failure::Failure;
use super::shell::{Secrecy, create};
use crate::view::words::labelled;

/// Drafts of one name that may lie in one folder.
const NAMES: u32 = 100;

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing was signed.
    DryRun,
    /// Signatures are missing.
    Waiting,
    /// A board took it.
    Published,
}

/// Draft and own signature as files, so that others can sign or hand them in.
#[derive(Debug, Serialize)]
pub struct Files {
    draft: String,
    signature: String,
    digest: Digest,
}

/// Signs with one key.
///
/// # Errors
/// When the key has no say.
pub fn signed(checked: &Checked, key: &SecretKey) -> Result<(Merged, DetachedSig), Failure> {
    let signature = checked.sign(key)?;
    Ok((checked.merge(std::slice::from_ref(&signature))?, signature))
}

/// Writes draft and signature into the current folder as `NAME.draft` and `NAME.KEY.sig`, beside
/// older ones.
///
/// # Errors
/// `U004`.
pub fn kept(
    name: &str,
    key: &Path,
    draft: &Draft,
    signature: &DetachedSig,
) -> Result<Files, Failure> {
    let mut bytes = serde_json::to_vec(signature)?;
    bytes.push(b'\n');
    let signer = key.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = |number: u32| match number {
        1 => name.to_owned(),
        _ => format!("{name}-{number}"),
    };
    let paths = |number| {
        let name = numbered(number);
        (format!("{name}.draft"), format!("{name}.{signer}.sig"))
    };
    let free = |(draft, signature): &(String, String)| {
        !Path::new(draft).exists() && !Path::new(signature).exists()
    };
    let (to, sig) = (1..NAMES).map(paths).find(free).unwrap_or_else(|| paths(NAMES));
    let whole = draft.to_bytes();
    create(Path::new(&to), &whole, Secrecy::Public)?;
    create(Path::new(&sig), &bytes, Secrecy::Public)?;
    Ok(Files { draft: to, signature: sig, digest: Digest::of(&whole) })
}

impl Files {
    /// Nobody took it: what was signed is not lost.
    pub fn unsent(&self, failure: Failure) -> Failure {
        let Files { draft, signature, .. } = self;
        failure.next(format!("it is signed and kept: muster publish {draft} {signature}"))
    }

    /// What is left to do with them, a line each.
    pub fn lines(&self) -> [String; 3] {
        let Files { draft, signature, .. } = self;
        [
            labelled("wrote", &format!("{draft} and {signature}")),
            labelled("they", &format!("muster sign {draft} --key THEIR.pem")),
            labelled("then", &format!("muster publish {draft} {signature} THEIR.sig")),
        ]
    }
}
