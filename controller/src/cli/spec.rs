//! From the author's root and keys to what is signed.

use jiff::Timestamp;
use muster_proto::documents::author::keys::{self, RoleYaml};
use muster_proto::documents::author::{KeysYaml, RootYaml, read};
use muster_proto::documents::keys::{KeysSpec, RoleSigners, RootSpec, Signers};

use super::failure::Failure;
use super::shell::read_text;

/// The root that `path` asks for; `previous` is the version of the one in force.
///
/// # Errors
/// Every refusal of the text.
pub fn root(
    path: &std::path::Path,
    previous: Option<u64>,
    now: Timestamp,
) -> Result<RootSpec, Failure> {
    let parsed = read::<RootYaml>(&path.display().to_string(), &read_text(path)?)?;
    keys::check_root(&parsed, previous, now)?;
    let yaml = parsed.value;
    Ok(RootSpec {
        version: yaml.version.unwrap_or(previous.unwrap_or(0) + 1),
        expires: yaml.expires,
        networks: vec![yaml.network],
        officers: yaml.officers,
        publishers: yaml.publisher,
        root: signers(yaml.root),
        targets: signers(yaml.targets),
        snapshot: signers(yaml.snapshot),
        timestamp: signers(yaml.timestamp),
        serial_floor: yaml.serial_floor,
    })
}

/// The keys of the roles that `path` asks for, for `network`.
///
/// # Errors
/// Every refusal of the text; `T023` when it is for another network.
pub fn role_keys(
    path: &std::path::Path,
    network: &str,
    now: Timestamp,
) -> Result<KeysSpec, Failure> {
    let parsed = read::<KeysYaml>(&path.display().to_string(), &read_text(path)?)?;
    keys::check_keys(&parsed, now)?;
    let yaml = parsed.value;
    if yaml.network != network {
        let what = format!("these keys are for {}, this directory follows {network}", yaml.network);
        return Err(Failure::new("T073", what).at(path.display()));
    }
    let mut roles = std::collections::BTreeMap::new();
    for (name, role) in yaml.roles {
        roles.insert(name.parse()?, role_signers(role));
    }
    Ok(KeysSpec { expires: yaml.expires, officers: yaml.officers, roles })
}

fn signers(yaml: keys::Signers) -> Signers {
    Signers { threshold: yaml.threshold, keys: yaml.keys }
}

fn role_signers(yaml: RoleYaml) -> RoleSigners {
    RoleSigners {
        threshold: yaml.signers.threshold,
        keys: yaml.signers.keys,
        expires_in_s: yaml.expires_in.0 / 1_000,
    }
}
