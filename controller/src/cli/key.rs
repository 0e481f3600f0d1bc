//! `muster key`: an officer's signing key, made and kept by the officer alone.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use muster_proto::documents::PublicKey;
use muster_proto::trust::keys::{SecretKey, key_id};
use serde::Serialize;

use super::exit::Exit;
use super::failure::{At, Failure};
use super::passphrase::Source;
use super::shell::{Secrecy, Shell, create, read_text};
use crate::view::words::labelled;

/// `muster key`
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a signing key (ed25519, PKCS#8 PEM under a passphrase)
    New(New),
    /// Show the public key and key id of a signing key
    Show(Show),
}

/// `muster key new`
#[derive(Debug, Args)]
pub struct New {
    /// Whose key it is, as it will stand in the root's officers
    #[arg(long)]
    name: String,
    /// Where to write it; never over an existing file
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    passphrase: Source,
}

/// `muster key show`
#[derive(Debug, Args)]
pub struct Show {
    /// The key file
    file: PathBuf,
    #[command(flatten)]
    passphrase: Source,
}

#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    file: String,
    public_key: PublicKey,
    key_id: String,
    #[serde(skip)]
    made: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.made { "new key, kept in" } else { "key in" };
        writeln!(f, "{word} {}", self.file)?;
        writeln!(f, "{}", labelled("public", &self.public_key.to_string()))?;
        writeln!(f, "{}", labelled("key id", &self.key_id))?;
        if let (true, Some(name)) = (self.made, &self.name) {
            let entry = format!("{name}: {}", self.public_key);
            writeln!(f, "{}", labelled("officers", &entry))?;
        }
        Ok(())
    }
}

/// Opens a signing key.
///
/// # Errors
/// What is wrong with the file or the passphrase.
pub fn open(file: &std::path::Path, source: &Source) -> Result<SecretKey, Failure> {
    let pem = zeroize::Zeroizing::new(read_text(file)?);
    let passphrase = source.ask(&file.display().to_string())?;
    SecretKey::from_pem(&pem, Some(&passphrase)).at(file.display())
}

/// Runs the command.
///
/// # Errors
/// As `key::open`, or when the file exists.
pub fn run(shell: &Shell, command: &Key) -> Result<Exit, Failure> {
    let (key, file, name, made) = match command {
        Key::New(new) => (make(new)?, &new.output, Some(new.name.clone()), true),
        Key::Show(show) => (open(&show.file, &show.passphrase)?, &show.file, None, false),
    };
    let public_key = key.public();
    let file = file.display().to_string();
    shell.say(&Shown { name, file, public_key, key_id: key_id(&public_key), made })?;
    Ok(Exit::Done)
}

fn make(new: &New) -> Result<SecretKey, Failure> {
    let passphrase = new.passphrase.choose(&new.output.display().to_string())?;
    let key = SecretKey::generate();
    let pem = key.to_pem(Some(&passphrase))?;
    create(&new.output, pem.as_bytes(), Secrecy::Owner)?;
    Ok(key)
}
