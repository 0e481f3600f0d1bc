//! A small TUF client over the project's own driver, for the public conformance suite.
//!
//! Only what the suite's protocol asks for: `init`, `refresh`, `download`, metadata in a directory
//! under names without versions. The driver verifies; this fetches, keeps files and walks delegations.

mod http;
mod search;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use muster_proto::trust::{TrustError, Tuf};

use http::Http;

/// New roots in one refresh.
const ROOTS: u64 = 32;

/// Roles that one search visits.
const ROLES: usize = 32;

/// Largest metadata file that is fetched, in bytes; the driver's own limits are lower.
const METADATA_BYTES: usize = 1024 * 1024;

/// Largest target that is fetched, in bytes.
const TARGET_BYTES: u64 = 16 * 1024 * 1024;

/// Trusts `root` from here on: it is written into the metadata directory.
///
/// # Errors
/// When it is no root, or cannot be written.
pub fn init(dir: &Path, root: &Path) -> Result<()> {
    let bytes = fs::read(root).with_context(|| format!("reading {}", root.display()))?;
    Tuf::from_root(&bytes)?;
    write(&dir.join("root.json"), &bytes)
}

/// One client: what it trusts, where that lies, whom it asks.
pub struct Client {
    tuf: Tuf,
    dir: PathBuf,
    http: Http,
    now: Timestamp,
}

impl Client {
    /// Begins with the root in the metadata directory.
    ///
    /// # Errors
    /// Without a good root there.
    pub fn open(dir: &Path, metadata_url: &str, now: Timestamp) -> Result<Self> {
        let root = fs::read(dir.join("root.json")).context("no trusted root; init comes first")?;
        let http = Http::new(metadata_url)?;
        Ok(Self { tuf: Tuf::from_root(&root)?, dir: dir.into(), http, now })
    }

    /// Brings root, timestamp, snapshot and top-level targets up to date.
    ///
    /// # Errors
    /// The first thing that does not verify; what verified before it stays.
    pub async fn refresh(&mut self) -> Result<()> {
        self.refresh_root().await?;
        self.tuf.check_root(self.now)?;
        self.restore();
        self.refresh_timestamp().await?;
        self.refresh_snapshot().await?;
        self.tuf.check_fresh(self.now)?;
        self.refresh_targets().await
    }

    async fn refresh_root(&mut self) -> Result<()> {
        for _ in 0..ROOTS {
            let next = self.tuf.trusted_root().version.saturating_add(1);
            let Some(root) = self.metadata(&format!("{next}.root.json")).await? else {
                return Ok(());
            };
            self.tuf.root(&root)?;
            write(&self.dir.join("root.json"), &root)?;
        }
        bail!("more than {ROOTS} new roots at once")
    }

    /// What was trusted before is a floor, expired or not; what no longer verifies is nothing.
    fn restore(&mut self) {
        if let Ok(timestamp) = fs::read(self.dir.join("timestamp.json")) {
            let _ = self.tuf.restore_timestamp(&timestamp);
        }
        if let Ok(snapshot) = fs::read(self.dir.join("snapshot.json")) {
            let _ = self.tuf.restore_snapshot(&snapshot);
        }
    }

    async fn refresh_timestamp(&mut self) -> Result<()> {
        let timestamp = self.metadata("timestamp.json").await?.context("no timestamp.json")?;
        match self.tuf.timestamp(&timestamp, self.now) {
            Ok(_) => write(&self.dir.join("timestamp.json"), &timestamp),
            // Another file under the version that is held: TUF lets a client keep what it has.
            Err(TrustError::TwoContents { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn refresh_snapshot(&mut self) -> Result<()> {
        if self.tuf.check_fresh(self.now).is_ok() {
            return Ok(());
        }
        let pin = self.tuf.trusted_timestamp().and_then(|it| it.snapshot_meta());
        let version = pin.context("the timestamp pins no snapshot")?.version;
        let name = self.named("snapshot", version);
        let snapshot = self.metadata(&name).await?.with_context(|| format!("no {name}"))?;
        self.tuf.snapshot(&snapshot, self.now)?;
        write(&self.dir.join("snapshot.json"), &snapshot)
    }

    async fn refresh_targets(&mut self) -> Result<()> {
        if let Ok(held) = fs::read(self.dir.join("targets.json"))
            && self.tuf.targets(&held, self.now).is_ok()
        {
            return Ok(());
        }
        let targets = self.role_metadata("targets").await?;
        self.tuf.targets(&targets, self.now)?;
        write(&self.dir.join("targets.json"), &targets)
    }

    /// Metadata of a targets role, in the version that the snapshot pins.
    async fn role_metadata(&self, role: &str) -> Result<Vec<u8>> {
        let pins = self.tuf.trusted_snapshot().map(|it| &it.meta);
        let pin = pins.and_then(|pins| pins.get(&format!("{role}.json")));
        let version = pin.with_context(|| format!("the snapshot pins no {role}"))?.version;
        let name = self.named(&http::encoded(role), version);
        self.metadata(&name).await?.with_context(|| format!("no {name}"))
    }

    fn named(&self, role: &str, version: u64) -> String {
        match self.tuf.trusted_root().consistent_snapshot {
            true => format!("{version}.{role}.json"),
            false => format!("{role}.json"),
        }
    }

    async fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.http.get(name, METADATA_BYTES).await
    }

    /// Fetches a target into `into`, unless it lies there already.
    ///
    /// # Errors
    /// When no role lists it, or what comes is something else.
    pub async fn download(&mut self, target: &str, base: &str, into: &Path) -> Result<()> {
        let listed = self.find(target).await?;
        let place = into.join(http::encoded(target));
        if fs::read(&place).is_ok_and(|held| Tuf::is_target(&listed, &held)) {
            return Ok(());
        }
        if listed.length > TARGET_BYTES {
            bail!("{target} has {} bytes, more than are fetched", listed.length);
        }
        let hash = ["sha256", "sha512"].iter().find_map(|name| listed.hashes.get(*name));
        let relative = match (self.tuf.trusted_root().consistent_snapshot, target.rsplit_once('/'))
        {
            (false, _) => target.to_owned(),
            (true, parts) => {
                let hash = hash.with_context(|| format!("no digest of {target}"))?;
                match parts {
                    Some((dir, name)) => format!("{dir}/{hash}.{name}"),
                    None => format!("{hash}.{target}"),
                }
            }
        };
        let limit = usize::try_from(listed.length)?;
        let content = Http::new(base)?.get(&relative, limit).await?;
        let content = content.with_context(|| format!("no {relative}"))?;
        if !Tuf::is_target(&listed, &content) {
            bail!("{target} is not the file that is listed");
        }
        write(&place, &content)
    }
}

/// Writes beside and renames: who reads sees the old file or the new one.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("partly");
    fs::write(&beside, content).with_context(|| format!("writing {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("renaming to {}", path.display()))
}
