//! Passphrases: typed on the terminal or read from a file descriptor, never an argument.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _};

use clap::Args;
use zeroize::Zeroizing;

use super::failure::Failure;

/// Fewest characters of a new passphrase.
const SHORTEST: usize = 12;
/// Most bytes read from a descriptor.
const LONGEST: u64 = 4 * 1024;

/// Where the passphrase comes from.
#[derive(Debug, Args)]
pub struct Source {
    /// Read the passphrase (one line) from this open file descriptor instead of asking
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
}

impl Source {
    /// The passphrase of an existing key, named `what` in the question.
    ///
    /// # Errors
    /// `U020`, `U024`.
    pub fn ask(&self, what: &str) -> Result<Zeroizing<String>, Failure> {
        match self.passphrase_fd {
            Some(number) => from_descriptor(number),
            None => prompt(&format!("Passphrase for {what}: ")),
        }
    }

    /// A new passphrase: typed twice, at least 12 characters.
    ///
    /// # Errors
    /// `U020`, `U022`, `U023`, `U024`.
    pub fn choose(&self, what: &str) -> Result<Zeroizing<String>, Failure> {
        let first = self.ask(what)?;
        if first.chars().count() < SHORTEST {
            return Err(Failure::new("U023", format!("shorter than {SHORTEST} characters")));
        }
        if self.passphrase_fd.is_none() && *prompt("The same again: ")? != *first {
            return Err(Failure::new("U022", "the two passphrases differ"));
        }
        Ok(first)
    }
}

fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("U020", "no terminal to ask for a passphrase on"));
    }
    let typed = rpassword::prompt_password(question);
    typed.map(Zeroizing::new).map_err(|error| Failure::new("U020", error.to_string()))
}

fn from_descriptor(number: u32) -> Result<Zeroizing<String>, Failure> {
    let refused = |why: String| Failure::new("U024", why).at(format!("file descriptor {number}"));
    let open = std::fs::File::open(format!("/proc/self/fd/{number}"));
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    let mut reader = BufReader::new(open.map_err(|e| refused(e.to_string()))?.take(LONGEST));
    reader.read_line(&mut line).map_err(|e| refused(e.to_string()))?;
    let bare = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(bare);
    match line.is_empty() {
        true => Err(refused("no line in it".into())),
        false => Ok(line),
    }
}
