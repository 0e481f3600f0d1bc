//! What every command has at hand: its directory, and how to speak and ask.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::failure::{At, Failure};

/// Directory, and the way to speak.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Where config.yaml, the TLS key and the trust state are.
    pub dir: PathBuf,
    /// Every report as one JSON document on standard output.
    pub json: bool,
}

impl Shell {
    /// Writes a report to standard output: its text, or one line of JSON.
    ///
    /// # Errors
    /// `U004` when standard output is closed.
    pub fn say<R: Serialize + Display>(&self, report: &R) -> Result<(), Failure> {
        let mut text = match self.json {
            true => serde_json::to_string(report)?,
            false => report.to_string(),
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| file(&e, "stdout"))
    }

    /// A remark beside the report, on standard error; never needed to read the report.
    pub fn remark(&self, text: impl Display) {
        anstream::eprintln!("{text}");
    }

    /// Shows `text` and asks; only `y` or `yes` goes on. `yes` answers beforehand.
    ///
    /// # Errors
    /// `U020` without a terminal, `U021` when the answer is anything else.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<(), Failure> {
        let answer = match yes {
            true => return Ok(()),
            false => self.ask(&format!("{question} [y/N]"))?,
        };
        confirmed(["y", "yes"].contains(&answer.to_lowercase().as_str()))
    }

    /// Asks for `word` itself, so that nobody confirms without reading. `yes` answers beforehand.
    ///
    /// # Errors
    /// As [`Shell::confirm`].
    pub fn confirm_by(&self, question: &str, word: &str, yes: bool) -> Result<(), Failure> {
        match yes {
            true => Ok(()),
            false => confirmed(self.ask(&format!("{question}:"))? == word),
        }
    }

    fn ask(&self, question: &str) -> Result<String, Failure> {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new("U020", format!("nobody to ask: {question}")));
        }
        anstream::eprint!("{question} ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(|e| file(&e, "stdin"))?;
        Ok(answer.trim().to_owned())
    }

    /// Runs what needs the network.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
    }
}

fn confirmed(is: bool) -> Result<(), Failure> {
    match is {
        true => Ok(()),
        false => Err(Failure::new("U021", "not confirmed; nothing was done")),
    }
}

fn file(error: &std::io::Error, place: impl Display) -> Failure {
    Failure::new("U004", error.to_string()).at(place)
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// `U004`.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let place = path.display();
    let open = std::fs::File::open(path).map_err(|e| file(&e, place.to_string()))?;
    let mut bytes = Vec::new();
    open.take(limit + 1).read_to_end(&mut bytes).map_err(|e| file(&e, place.to_string()))?;
    match bytes.len() as u64 > limit {
        true => Err(Failure::new("U004", format!("larger than {limit} bytes")).at(place)),
        false => Ok(bytes),
    }
}

/// Reads a text file of at most 1 MiB.
///
/// # Errors
/// `U004`.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = read(path, 1024 * 1024)?;
    String::from_utf8(bytes).map_err(|_| Failure::new("U004", "not UTF-8")).at(path.display())
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Anybody.
    Public,
    /// Its owner alone.
    Owner,
}

/// Writes a new file, fsynced; never over an old one.
///
/// # Errors
/// `U006` when it exists, `U004` otherwise.
pub fn create(path: &Path, bytes: &[u8], secrecy: Secrecy) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let place = path.display();
    let mode = if secrecy == Secrecy::Owner { 0o600 } else { 0o644 };
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut open = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new("U006", "it exists already").at(place));
        }
        other => other.map_err(|e| file(&e, place.to_string()))?,
    };
    open.write_all(bytes).and_then(|()| open.sync_all()).map_err(|e| file(&e, place))
}

/// Writes a file by way of a neighbour and a rename, so that it is whole at any moment.
///
/// # Errors
/// `U004`.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    let written = std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::File::open(&beside)?.sync_all())
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|e| file(&e, path.display()))
}
