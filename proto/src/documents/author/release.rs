//! A release as its author writes it, and what it becomes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::codes::Code;
use super::document::{AuthorDocument, Parsed};
use super::fields::{Fields, Read, Reader};
use super::finding::{Finding, Refused};
use super::node::Node;
use super::words::Unchanged;
use crate::documents::ids::Digest;
use crate::documents::release::{ConfigChange, GenesisChange, Image, Priority, Release};
use crate::documents::roster::Role;

/// Largest genesis file of a release, in bytes; mainnet's has about 10 KiB.
pub const GENESIS_MAX_BYTES: usize = 1024 * 1024;

/// `muster: release/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseYaml {
    /// What the node says it is.
    pub version: String,
    /// By platform.
    pub images: BTreeMap<String, ImageYaml>,
    /// Versions it may come from.
    pub from: Vec<String>,
    /// Whether old and new agree until the activation height.
    pub compatible: bool,
    /// The first block that follows new rules.
    pub activation_height: Option<u64>,
    /// Whom it concerns.
    pub roles: BTreeMap<Role, Priority>,
    /// A file beside the release's own, or unchanged.
    pub genesis: GenesisYaml,
}

/// One platform's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageYaml {
    /// Without tag.
    pub repository: String,
    /// The image id of a loaded image.
    pub config: Option<Digest>,
    /// What to pull.
    pub manifest: Option<Digest>,
}

/// What happens to the genesis file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenesisYaml {
    /// Stays as it is.
    Unchanged,
    /// Replaced by this file; the path is relative to the release's own.
    File(String),
}

impl AuthorDocument for ReleaseYaml {
    const KIND: &'static str = "release/v1";

    fn fields(mut f: Fields<'_>, r: &mut Reader<'_>) -> Option<Self> {
        let version = f.need("version", r);
        let images = f.need("images", r);
        let from = f.need("from", r);
        let compatible = f.need("compatible", r);
        let activation_height = f.may("activation-height", r);
        let roles = f.need::<Roles>("roles", r);
        let config = f.need::<Config>("config", r);
        let genesis = f.need("genesis", r);
        for name in ["patch", "patches"] {
            f.later(name, Code::D161, r);
        }
        for name in ["data", "data-steps", "steps"] {
            f.later(name, Code::D162, r);
        }
        f.end(r);
        config?;
        Some(Self {
            version: version?,
            images: images?,
            from: from?,
            compatible: compatible?,
            activation_height: activation_height?,
            roles: roles?.0,
            genesis: genesis?,
        })
    }
}

struct Roles(BTreeMap<Role, Priority>);

impl Read for Roles {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let mut roles = BTreeMap::new();
        for (name, role) in <Role as super::values::Word>::WORDS {
            if let Some(priority) = f.may::<Priority>(name, r)? {
                roles.insert(*role, priority);
            }
        }
        f.end(r);
        Some(Self(roles))
    }
}

/// Anything but `unchanged` is the config merge, which is not built yet.
struct Config;

impl Read for Config {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        if node.scalar() == Some("unchanged") {
            return Some(Self);
        }
        r.refuse(node, Finding::new(Code::D160, "").fix("`config: unchanged`"));
        None
    }
}

impl Read for ImageYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let repository = f.need("repository", r);
        let config = f.may("config", r);
        let manifest = f.may("manifest", r);
        f.end(r);
        Some(Self { repository: repository?, config: config?, manifest: manifest? })
    }
}

impl Read for GenesisYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        if node.scalar().is_some() {
            return Unchanged::read(node, r).map(|_| Self::Unchanged);
        }
        let mut f = Fields::of(node, r)?;
        let file = f.need("file", r);
        f.end(r);
        file.map(Self::File)
    }
}

/// Makes the release that is signed. `genesis` are the bytes of the file it names.
///
/// # Errors
/// `D131`–`D135`.
pub fn release(
    parsed: &Parsed<ReleaseYaml>,
    genesis: Option<&[u8]>,
    now: Timestamp,
) -> Result<Release, Refused> {
    let yaml = &parsed.value;
    let mut findings = Vec::new();
    check(yaml, &mut findings);
    let images = images(yaml, &mut findings);
    let genesis = genesis_change(yaml, genesis, &mut findings);
    let findings: Vec<_> = findings.into_iter().map(|f| f.at(&parsed.places)).collect();
    match genesis {
        Some(genesis) if findings.is_empty() => Ok(Release {
            muster: ReleaseYaml::KIND.into(),
            version: yaml.version.clone(),
            issued: now,
            images,
            from: yaml.from.clone(),
            compatible: yaml.compatible,
            activation_height: yaml.activation_height,
            roles: yaml.roles.clone(),
            config: ConfigChange::Unchanged,
            genesis,
        }),
        _ => Err(Refused(findings)),
    }
}

fn check(yaml: &ReleaseYaml, findings: &mut Vec<Finding>) {
    if yaml.from.is_empty() || yaml.from.contains(&yaml.version) {
        let fix = "list the versions that run today, without this one";
        findings.push(Finding::new(Code::D132, "from").fix(fix));
    }
    if !yaml.version.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c)) {
        let finding = Finding::new(Code::D109, "version").note("letters, digits and `._-+` only");
        findings.push(finding.why("the version is part of a path"));
    }
    if !yaml.roles.values().any(|priority| *priority != Priority::NotRequired) {
        findings.push(Finding::new(Code::D134, "roles").fix("`consensus-delegate: must`"));
    }
    if !yaml.compatible && yaml.activation_height.is_none() {
        let fix = "add `activation-height`, or `compatible: true`";
        findings.push(Finding::new(Code::D135, "compatible").fix(fix));
    }
}

fn images(yaml: &ReleaseYaml, findings: &mut Vec<Finding>) -> BTreeMap<String, Image> {
    if yaml.images.is_empty() {
        let finding = Finding::new(Code::D131, "images").note("no platform at all");
        findings.push(finding.fix("`linux/amd64: {repository: …, config: sha256:…}`"));
    }
    let mut images = BTreeMap::new();
    for (platform, image) in &yaml.images {
        let path = format!("images.{platform}");
        let last = image.repository.rsplit('/').next().unwrap_or_default();
        if last.contains([':', '@']) {
            let finding = Finding::new(Code::D131, format!("{path}.repository"))
                .note("a tag does not belong here");
            findings.push(finding.fix("the repository alone, and `config: sha256:…`"));
        }
        match &image.config {
            Some(config) => {
                let (repository, manifest) = (image.repository.clone(), image.manifest.clone());
                let config = config.clone();
                images.insert(platform.clone(), Image { repository, config, manifest });
            }
            None => findings.push(
                Finding::new(Code::D131, path)
                    .note("`config` is missing")
                    .fix("`config: sha256:…`, the image id that `docker inspect` shows"),
            ),
        }
    }
    images
}

fn genesis_change(
    yaml: &ReleaseYaml,
    bytes: Option<&[u8]>,
    findings: &mut Vec<Finding>,
) -> Option<GenesisChange> {
    match (&yaml.genesis, bytes) {
        (GenesisYaml::Unchanged, _) => Some(GenesisChange::Unchanged),
        (GenesisYaml::File(_), Some(bytes))
            if !bytes.is_empty() && bytes.len() <= GENESIS_MAX_BYTES =>
        {
            let length = bytes.len() as u64;
            Some(GenesisChange::Replaced { digest: Digest::of(bytes), length })
        }
        (GenesisYaml::File(_), bytes) => {
            let note = format!("{} bytes", bytes.map_or(0, <[u8]>::len));
            let finding = Finding::new(Code::D133, "genesis.file").note(note);
            findings.push(finding.fix("name the node's genesis file, at most 1 MiB"));
            None
        }
    }
}
