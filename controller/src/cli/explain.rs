//! `muster explain CODE`: what a code means and what to do, from one list of all codes.

use std::fmt;

use clap::Args;
use muster_proto::documents::author::Code;
use serde::Serialize;

use super::exit::Exit;
use super::failure::Failure;
use super::shell::Shell;
use crate::view::words::labelled;

/// Every code but those of an author's documents: `CODE | exit | what it means | what to do`.
const CODES: &str = include_str!("codes.txt");

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Such as `T021`.
    pub code: &'static str,
    /// What it means.
    pub what: &'static str,
    /// What to do.
    pub cure: &'static str,
    #[serde(skip)]
    exit: &'static str,
}

/// `muster explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// Such as `T021`; without one, all codes are listed.
    code: Option<String>,
}

/// All codes: those of the list, then those of an author's documents.
pub fn all() -> impl Iterator<Item = Entry> {
    let authors = Code::ALL.iter().map(|code| Entry {
        code: code.as_str(),
        what: code.what(),
        cure: code.explain(),
        exit: "refused",
    });
    CODES.lines().filter_map(parse).chain(authors)
}

fn parse(line: &'static str) -> Option<Entry> {
    let mut parts = line.split(" | ").map(str::trim);
    let (code, exit) = (parts.next()?, parts.next()?);
    Some(Entry { code, exit, what: parts.next()?, cure: parts.next()? })
}

/// The entry of `code`.
pub fn find(code: &str) -> Option<Entry> {
    all().find(|entry| entry.code == code)
}

/// How a command ends that ends with `code`; one that is not listed is judged by its letter.
pub fn exit(code: &str) -> Exit {
    match find(code).map(|entry| entry.exit) {
        Some("usage") => Exit::Usage,
        Some("refused") => Exit::Refused,
        Some("waiting") => Exit::Waiting,
        Some("unreachable") => Exit::Unreachable,
        Some(_) => Exit::Failed,
        None => match code.chars().next() {
            Some('P' | 'D' | 'T' | 'V' | 'R' | 'K' | 'C') => Exit::Refused,
            Some('N') => Exit::Unreachable,
            _ => Exit::Failed,
        },
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = labelled("what", self.what);
        write!(f, "{}\n{what}\n{}", self.code, labelled("next", self.cure))
    }
}

/// Runs the command.
///
/// # Errors
/// `U005` when the code is not listed.
pub fn run(shell: &Shell, args: &Explain) -> Result<Exit, Failure> {
    let found: Vec<_> = match &args.code {
        Some(code) => {
            let entry = find(&code.to_uppercase());
            vec![entry.ok_or_else(|| Failure::new("U005", format!("{code:?} is no code")))?]
        }
        None => all().collect(),
    };
    found.iter().try_for_each(|entry| shell.say(entry))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_of_the_list_is_complete_and_every_code_stands_once() {
        let lines = CODES.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        for line in lines {
            let entry = parse(line).unwrap_or_else(|| panic!("four parts: {line}"));
            let exits = ["failed", "usage", "refused", "waiting", "unreachable"];
            assert!(exits.contains(&entry.exit), "{line}");
            assert!(!entry.what.is_empty() && !entry.cure.is_empty(), "{line}");
        }
        let mut seen = BTreeSet::new();
        for entry in all() {
            assert!(seen.insert(entry.code), "{} stands twice", entry.code);
        }
    }
}
