//! The trust state file: everything believed, and the ledger, in one checksummed file.
//!
//! Written beside and renamed, file and directory synced: after a crash it is the old one or the
//! new one. Present but damaged is refused: who starts over forgets its floors.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::driver::Trust;
use super::error::StateError;
use super::ledger::Ledger;
use super::limits;
use super::offer::{Offer, Taken};
use super::stored::StoredOffer;
use crate::documents::{Digest, Roster};

/// First word of the file; what follows on the line is the digest of all other lines.
const MAGIC: &str = "muster-trust-state/v1";

/// Everything in base64, the ledger, and room for the first line.
const FILE_BYTES: u64 = 2 * limits::ALL_TARGETS_BYTES as u64;

/// What a program remembers.
#[derive(Debug, Clone)]
pub struct State {
    /// What it believes.
    pub trust: Trust,
    /// The serials it admitted.
    pub ledger: Ledger,
}

/// Where the state lies.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    network: String,
    first_root: Digest,
    floor: Timestamp,
    metadata: StoredOffer,
    last_roster: Option<Roster>,
    ledger: Ledger,
}

impl StateFile {
    /// The file at `path`. Its directory must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Reads and verifies the state, or `None` when there is no file. `clock` decides what has
    /// expired meanwhile.
    ///
    /// # Errors
    /// [`StateError`]; the program must not run then.
    pub fn open(
        path: impl Into<PathBuf>,
        clock: Timestamp,
    ) -> Result<(Self, Option<State>), StateError> {
        let file = Self::new(path);
        let Some(bytes) = file.read()? else { return Ok((file, None)) };
        let body = file.parse(&bytes)?;
        let trust = Trust::restore(
            (&body.network, &body.first_root),
            Offer::from(body.metadata),
            body.floor,
            body.last_roster,
            clock,
        );
        let trust =
            trust.map_err(|source| StateError::Unverified { path: shown(&file.path), source })?;
        Ok((file, Some(State { trust, ledger: body.ledger })))
    }

    /// Writes the state; when this returns it survives a power cut.
    ///
    /// # Errors
    /// [`StateError::Io`]; the old file still stands then.
    pub fn save(&self, trust: &Trust, ledger: &Ledger) -> Result<(), StateError> {
        let body = Body {
            network: trust.network().into(),
            first_root: trust.pinned_root().clone(),
            floor: trust.floor(),
            metadata: trust.offer(0).into(),
            last_roster: trust.last_roster().cloned(),
            ledger: ledger.clone(),
        };
        let body = serde_json::to_vec(&body).expect("strings and numbers always serialize");
        let head = format!("{MAGIC} {}\n", Digest::of(&body));
        self.write(&[head.as_bytes(), &body].concat())
    }

    /// Takes an offer and saves what it changed: a new root as soon as it verified, before anything
    /// else of the offer is looked at.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn take(
        &self,
        state: &mut State,
        offer: &Offer,
        clock: Timestamp,
    ) -> Result<Taken, StateError> {
        let roots = state.trust.take_only_roots(offer);
        if roots.advanced {
            self.save(&state.trust, &state.ledger)?;
        }
        let mut taken = state.trust.take(offer, clock);
        if taken.advanced {
            self.save(&state.trust, &state.ledger)?;
        }
        taken.advanced |= roots.advanced;
        taken.new_roots = roots.new_roots;
        Ok(taken)
    }

    fn read(&self) -> Result<Option<Vec<u8>>, StateError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io("open", source)),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| self.io("read", source))?;
        if bytes.len() as u64 > FILE_BYTES {
            Err(self.corrupt("it is too long"))
        } else {
            Ok(Some(bytes))
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<Body, StateError> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| self.corrupt("it has no first line"))?;
        let head = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
        let sum = head.strip_prefix(MAGIC).map(str::trim_start);
        let sum = sum.ok_or_else(|| self.corrupt("it is no trust state of this version"))?;
        let body = &bytes[end + 1..];
        if Digest::of(body).to_string() != sum {
            return Err(self.corrupt("its checksum is wrong"));
        }
        serde_json::from_slice(body).map_err(|error| self.corrupt(&error.to_string()))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), StateError> {
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside).map_err(|source| self.io("create", source))?;
        file.write_all(bytes).map_err(|source| self.io("write", source))?;
        file.sync_all().map_err(|source| self.io("sync", source))?;
        drop(file);
        fs::rename(&beside, &self.path).map_err(|source| self.io("rename", source))?;
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))
            .and_then(|dir| dir.sync_all())
            .map_err(|source| self.io("sync the directory of", source))
    }

    fn corrupt(&self, why: &str) -> StateError {
        StateError::Corrupt { path: shown(&self.path), why: why.into() }
    }

    fn io(&self, action: &'static str, source: io::Error) -> StateError {
        StateError::Io { action, path: shown(&self.path), source }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
