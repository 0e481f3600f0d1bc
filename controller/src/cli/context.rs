//! `config.yaml` of this directory: the network, its boards, the pinned root, the trust state.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use muster_proto::documents::Digest;
use serde::Deserialize;

use super::failure::{At, Failure};
use super::shell::{Shell, read_text, replace};

/// The file's name.
pub const CONFIG: &str = "config.yaml";
/// The key that TLS connections are made with; no signing key.
pub const TLS_KEY: &str = "tls.pem";
/// Verified metadata and the ledger; floors against rollback live here.
pub const STATE: &str = "trust.state";

/// One board: its address and the key it must prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// `host:port`.
    pub address: String,
    /// SHA-256 of its SPKI.
    pub pin: Digest,
}

impl FromStr for Board {
    type Err = Failure;
    fn from_str(text: &str) -> Result<Self, Failure> {
        let refused = || Failure::new("U007", format!("{text:?} is not ADDR=SPKI-SHA256"));
        let (address, pin) = text.split_once('=').ok_or_else(refused)?;
        let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        match port.is_some() && address.chars().all(host) {
            true => Ok(Self { address: address.into(), pin: digest(pin).ok_or_else(refused)? }),
            false => Err(refused()),
        }
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.address, self.pin)
    }
}

/// A digest with or without `sha256:` before it.
pub fn digest(text: &str) -> Option<Digest> {
    match text.contains(':') {
        true => text.parse().ok(),
        false => format!("sha256:{text}").parse().ok(),
    }
}

/// The root that was pinned by hand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The file, relative to the directory.
    pub file: String,
    /// Of its bytes.
    pub sha256: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    network: String,
    #[serde(default)]
    root: Option<Pinned>,
    #[serde(default)]
    controllers: Vec<String>,
}

/// The configuration, checked.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where everything lies.
    pub dir: PathBuf,
    /// Such as `mainnet`.
    pub network: String,
    /// None until the first root exists.
    pub root: Option<Pinned>,
    /// Every one is asked; none is trusted.
    pub boards: Vec<Board>,
}

impl Context {
    /// Reads the directory's configuration.
    ///
    /// # Errors
    /// `U001` when there is none, `U002` when it does not parse.
    pub fn load(shell: &Shell) -> Result<Self, Failure> {
        let path = shell.dir.join(CONFIG);
        if !path.exists() {
            return Err(Failure::new("U001", "no config.yaml here").at(shell.dir.display()));
        }
        Self::parse(&shell.dir, &read_text(&path)?).at(path.display())
    }

    fn parse(dir: &Path, text: &str) -> Result<Self, Failure> {
        let raw: Raw = serde_yaml::from_str(text)
            .map_err(|e| Failure::new("U002", "config.yaml does not parse").because(&e))?;
        let boards = raw.controllers.iter().map(|line| line.parse()).collect::<Result<_, _>>()?;
        Ok(Self { dir: dir.into(), network: network(&raw.network)?, root: raw.root, boards })
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// `U004`.
    pub fn save(&self) -> Result<(), Failure> {
        replace(&self.dir.join(CONFIG), self.to_string().as_bytes())
    }

    /// Whether this directory follows the network that was named, when one was.
    ///
    /// # Errors
    /// `U050`.
    pub fn is_of(&self, named: Option<&str>, shell: &Shell) -> Result<(), Failure> {
        match named.filter(|named| *named != self.network) {
            None => Ok(()),
            Some(named) => {
                let what = format!("this directory follows {}, not {named}", self.network);
                Err(Failure::new("U050", what).at(shell.dir.display()))
            }
        }
    }

    /// A file of this directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// A network's name, as it stands in paths.
///
/// # Errors
/// `U007`.
pub fn network(text: &str) -> Result<String, Failure> {
    match muster_proto::documents::keys::is_network(text) {
        true => Ok(text.into()),
        false => Err(Failure::new("U007", format!("{text:?} names no network"))),
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# muster reads this; `muster init` adds to it.")?;
        writeln!(f, "network: {}", self.network)?;
        if let Some(root) = &self.root {
            writeln!(f, "root: {{file: {}, sha256: \"{}\"}}", root.file, root.sha256)?;
        }
        if !self.boards.is_empty() {
            writeln!(f, "controllers:")?;
        }
        self.boards.iter().try_for_each(|board| writeln!(f, "  - \"{board}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let sha256 = Digest::of(b"root");
        let board = format!("a.example:7443={}", Digest::of(b"key").hex());
        Context {
            dir: "/nowhere".into(),
            network: "testnet".into(),
            root: Some(Pinned { file: "1.root.json".into(), sha256 }),
            boards: vec![board.parse().expect("a board")],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = context();
        let read = Context::parse(&written.dir, &written.to_string()).expect("our own text");
        assert_eq!(
            (read.network, read.root, read.boards),
            (written.network, written.root, written.boards)
        );
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = format!("{}trust-everybody: true\n", context());
        let refused = Context::parse(Path::new("/nowhere"), &text).expect_err("unknown field");
        assert_eq!(refused.code, "U002");
    }

    #[test]
    fn a_board_without_a_port_or_a_whole_pin_is_refused() {
        let pin = Digest::of(b"key");
        let bad = [format!("a.example={pin}"), "a.example:7443=abcd".into(), "a:70000".into()];
        for text in bad {
            assert_eq!(text.parse::<Board>().expect_err("no board").code, "U007", "{text}");
        }
    }
}
