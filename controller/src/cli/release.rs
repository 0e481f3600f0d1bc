//! `muster release`: reading what an author wrote.

use std::path::Path;

use muster_proto::documents::author::ReleaseYaml;
use muster_proto::documents::author::document::Parsed;
use muster_proto::documents::author::release::{GENESIS_MAX_BYTES, GenesisYaml};

use super::failure::Failure;
use super::shell::read;

/// The genesis file that a release names, beside the release's own file.
///
/// # Errors
/// `U004`.
pub fn genesis(file: &Path, parsed: &Parsed<ReleaseYaml>) -> Result<Option<Vec<u8>>, Failure> {
    match &parsed.value.genesis {
        GenesisYaml::Unchanged => Ok(None),
        GenesisYaml::File(name) => {
            let beside = file.parent().unwrap_or(Path::new(".")).join(name);
            read(&beside, GENESIS_MAX_BYTES as u64).map(Some)
        }
    }
}
