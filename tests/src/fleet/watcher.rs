//! Somebody with the real `muster`, in a folder of his own: he pins the root, verifies everything
//! for himself, and may do no more than the board lets him.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::board::Board;
use super::officers::Officers;
use super::process::{Said, binary, run};

/// One who watches.
#[derive(Debug)]
pub struct Watcher {
    home: PathBuf,
}

impl Watcher {
    /// `muster init` in `home`, over `board` and the officers' first root. The board knows him and
    /// his `rights` (such as `watch, hold`) when it starts next.
    ///
    /// # Errors
    /// When the program refuses, or the board's configuration cannot be written.
    pub async fn new(
        name: &str,
        home: &Path,
        officers: &Officers,
        network: &str,
        board: &Board,
        rights: &str,
    ) -> Result<Self> {
        std::fs::create_dir_all(home)?;
        let (root, digest) = officers.first_root();
        std::fs::write(home.join("1.root.json"), root)?;
        let controller = format!("{}={}", board.address.addr, board.address.pin.hex());
        let watcher = Self { home: home.into() };
        let init = ["--json", "init", "--network", network, "--controller", &controller];
        let pin = ["--root", "1.root.json", "--root-sha256", digest.hex()];
        let said = watcher.muster(&[&init[..], &pin].concat()).await?;
        ensure!(said.code == 0, "muster init: {}{}", said.out, said.err);
        let made: Value = serde_json::from_str(&said.out).context("init --json")?;
        let key = made["tls_key"].as_str().context("a TLS key")?.parse()?;
        board.allow(name, &key, rights)?;
        Ok(watcher)
    }

    /// Runs `muster` to its end.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn muster(&self, args: &[&str]) -> Result<Said> {
        run(&binary("muster")?, &[&["--dir", "."], args].concat(), &self.home).await
    }

    /// His folder.
    pub fn home(&self) -> &Path {
        &self.home
    }
}
