//! The versions of officers' documents, written a second time outside of the store's folder.
//!
//! A store that was restored from an old copy holds less than its mark. Such a board still serves
//! and collects, but its publisher signs nothing: a fresh signature over an old list of documents
//! would hide the newer ones from whoever has not seen them. It signs again as soon as the
//! documents are published again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Highest version of each officers' role that this board has ever taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// By role, `root` and `targets` among them; not the online roles.
    pub versions: BTreeMap<String, u64>,
}

/// Why the mark cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// No rights, no space.
    #[error("C015: {} cannot be read or written; check its rights and the disk", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is there and makes no sense.
    #[error(
        "C016: {} is damaged; when the store is known to be the newest one, move the mark away",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Mark {
    /// Reads `path`; a missing file is an empty mark.
    ///
    /// # Errors
    /// [`MarkError`].
    pub fn read(path: &Path) -> Result<Self, MarkError> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| MarkError::Damaged { path: path.to_owned(), source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(MarkError::Io { path: path.to_owned(), source }),
        }
    }

    /// Writes `path` durably: the old file or the new one, never half of one.
    ///
    /// # Errors
    /// [`MarkError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), MarkError> {
        self.replace(path).map_err(|source| MarkError::Io { path: path.to_owned(), source })
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        let next = path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&next, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    /// Takes higher versions over; true when there was one.
    pub fn raise(&mut self, versions: &BTreeMap<String, u64>) -> bool {
        let mut raised = false;
        for (role, version) in versions {
            let known = self.versions.entry(role.clone()).or_default();
            if *known < *version {
                *known = *version;
                raised = true;
            }
        }
        raised
    }

    /// Roles of which the board held a higher version than `versions` say: role, then, now.
    pub fn missing(&self, versions: &BTreeMap<String, u64>) -> Vec<(String, u64, u64)> {
        let now = |role: &String| versions.get(role).copied().unwrap_or(0);
        let behind = self.versions.iter().filter(|(role, then)| now(role) < **then);
        behind.map(|(role, then)| (role.clone(), *then, now(role))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
        list.iter().map(|(role, version)| ((*role).to_owned(), *version)).collect()
    }

    #[test]
    fn a_mark_only_rises_and_names_what_is_missing() {
        let mut mark = Mark::default();
        assert!(mark.raise(&versions(&[("hotfix", 3), ("root", 1)])));
        assert!(!mark.raise(&versions(&[("hotfix", 2)])));
        assert_eq!(
            mark.missing(&versions(&[("hotfix", 2), ("root", 1)])),
            [("hotfix".into(), 3, 2)]
        );
        assert_eq!(mark.missing(&versions(&[("hotfix", 4), ("root", 1)])), []);
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_and_a_damaged_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("board.mark");
        assert_eq!(Mark::read(&path).unwrap(), Mark::default());
        let mark = Mark { versions: versions(&[("root", 2)]) };
        mark.write(&path).unwrap();
        assert_eq!(Mark::read(&path).unwrap(), mark);
        fs::write(&path, "{").unwrap();
        assert!(matches!(Mark::read(&path), Err(MarkError::Damaged { .. })));
    }
}
