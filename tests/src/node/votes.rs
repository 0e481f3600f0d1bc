//! `consensus.db`: what the node endorsed at the height that it is at. Every start empties it, so that a restart in the
//! middle of a height forgets (IOTEX.md).

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// The open file.
#[derive(Debug)]
pub struct Votes {
    file: Option<File>,
    height: u64,
}

impl Votes {
    /// Opens it and forgets what it held. Without a place for it nothing is written: it protects nobody.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).ok();
        Self { file, height: 0 }
    }

    /// Notes an endorsement; those of an earlier height are of no use any more.
    pub fn cast(&mut self, height: u64, round: u64) {
        let Some(file) = &mut self.file else { return };
        let fresh = height != self.height;
        self.height = height;
        // A full disk must not stop the node here: that its block cannot be written does.
        let _ = (|| {
            if fresh {
                file.set_len(0)?;
                std::io::Seek::rewind(file)?;
            }
            writeln!(file, "{height}/{round}")
        })();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_s_votes_are_kept_until_the_next_height_or_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consensus.db");
        let held = || std::fs::read_to_string(&path).unwrap();
        let mut votes = Votes::open(&path);
        votes.cast(42, 0);
        votes.cast(43, 0);
        votes.cast(43, 1);
        assert_eq!(held(), "43/0\n43/1\n");
        let _votes = Votes::open(&path);
        assert_eq!(held(), "");
    }
}
