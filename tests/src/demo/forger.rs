//! Somebody between officers and controller who leaves out every check of `muster`: he hands in
//! what he likes over a connection that the controller lets in.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use muster_proto::documents::Digest;
use muster_proto::tls::{self, Identity};
use muster_proto::trust::draft::{DetachedSig, Draft};
use muster_proto::trust::{Publication, SecretKey, Trust};
use muster_proto::wire::muster::PublishRequest;
use muster_proto::wire::muster::desk_client::DeskClient;

use crate::fleet::NETWORK;
use crate::fleet::board::Address;

/// What officers signed, ready to be handed in; `home` is the folder of one who has it all.
///
/// # Errors
/// When draft and signatures do not belong together.
pub fn signed(home: &Path, draft: &str, signatures: &[String]) -> Result<Publication> {
    let root = std::fs::read(home.join("1.root.json"))?;
    let trust = Trust::pin(&root, &Digest::of(&root), NETWORK)?;
    let draft = Draft::from_bytes(&std::fs::read(home.join(draft))?)?;
    let checked = draft.verify(Some(&trust), Timestamp::now())?;
    let read = |file: &String| -> Result<DetachedSig> {
        Ok(serde_json::from_slice(&std::fs::read(home.join(file))?)?)
    };
    let signatures = signatures.iter().map(read).collect::<Result<Vec<_>>>()?;
    let merged = checked.merge(&signatures)?;
    Ok(merged.publication().context("signatures are missing")?.clone())
}

/// Hands it to the controller, with the TLS key of the officer in `home`; answers the refusal.
///
/// # Errors
/// When the controller cannot be reached, or takes it.
pub async fn refused(home: &Path, board: &Address, publication: Publication) -> Result<String> {
    let key = SecretKey::from_pem(&std::fs::read_to_string(home.join("muster/tls.pem"))?, None)?;
    let channel = tls::connect(&board.addr, &Identity::from_key(&key)?, &board.pin).await?;
    match DeskClient::new(channel).publish(PublishRequest::from(publication)).await {
        Ok(taken) => bail!("the controller took it: {taken:?}"),
        Err(status) => Ok(status.message().into()),
    }
}
