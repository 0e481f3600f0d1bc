//! A refusal or failure as people meet it: what, where, why, what to do, and a stable code.

use std::any::Any;
use std::error::Error;
use std::fmt;

use muster_proto::documents::author::Refused;
use muster_proto::documents::author::finding::{tally, to_json};
use serde::Serialize;

use super::exit::Exit;
use super::explain;
use crate::view::words::{labelled, wrap};

/// Everything that is said when a command does not end well.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Stable code, such as `T021`.
    pub code: String,
    /// What happened, one line.
    pub what: String,
    /// The file, board or document it concerns.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The chain of causes, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// The exit code of the process.
    #[serde(serialize_with = "as_number")]
    pub exit: Exit,
    /// Each finding about a document of an author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<serde_json::Value>,
    /// The same as people read it, with the lines of the file.
    #[serde(skip)]
    drawn: Option<String>,
}

fn as_number<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*exit as u8)
}

impl Failure {
    /// A failure of the command line itself; `code` must be listed in [`explain`].
    pub fn new(code: &str, what: impl Into<String>) -> Self {
        let next = explain::find(code).map(|entry| entry.cure.to_owned()).into_iter().collect();
        let exit = explain::exit(code);
        Self {
            code: code.into(),
            what: what.into(),
            place: None,
            why: Vec::new(),
            next,
            exit,
            findings: None,
            drawn: None,
        }
    }

    /// A document of an author, refused with all its findings.
    fn refused(refused: &Refused) -> Self {
        let first = refused.0.first().map_or("U000", |finding| finding.code.as_str());
        let mut failure = Self::new(first, tally(&refused.0));
        failure.findings = Some(to_json(&refused.0));
        failure.drawn = Some(refused.to_string());
        failure
    }

    /// Splits `T021: what` into code and words; what has no code is `U000`.
    pub fn told(text: &str) -> Self {
        match split_code(text) {
            Some((code, what)) => Self::new(code, what),
            None => Self::new("U000", text),
        }
    }

    /// Names the file, board or document, unless a place is named already.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place.get_or_insert_with(|| place.to_string());
        self
    }

    /// Adds a cause and all its own causes, each said once.
    pub fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            let said = error.to_string();
            if !self.what.contains(&said) && self.why.last() != Some(&said) {
                self.why.push(said);
            }
            next = error.source();
        }
        self
    }

    /// Adds what lies behind `error`, but not its own words.
    pub fn because_of(self, error: &(dyn Error + 'static)) -> Self {
        match error.source() {
            Some(source) => self.because(source),
            None => self,
        }
    }

    /// Replaces the listed cure by one that fits better here.
    pub fn next(mut self, cure: impl Into<String>) -> Self {
        self.next = vec![cure.into()];
        self
    }

    /// The JSON line of `--json`.
    pub fn json(&self) -> String {
        serde_json::json!({ "error": self }).to_string()
    }
}

/// The code at the beginning of an error's words: one capital letter, three digits, a colon.
fn split_code(text: &str) -> Option<(&str, &str)> {
    let (code, words) = text.split_once(": ")?;
    let shape = |code: &[u8]| {
        code.len() == 4 && code[0].is_ascii_uppercase() && code[1..].iter().all(u8::is_ascii_digit)
    };
    shape(code.as_bytes()).then_some((code, words))
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        if let Some(refused) = (&error as &dyn Any).downcast_ref::<Refused>() {
            return Self::refused(refused);
        }
        // A wrapper without a code gives way to the first cause that has one.
        let mut coded: &(dyn Error + 'static) = &error;
        while split_code(&coded.to_string()).is_none() {
            match coded.source() {
                Some(source) => coded = source,
                None => return Self::told(&error.to_string()).because(&error),
            }
        }
        Self::told(&coded.to_string()).because_of(coded)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(drawn) = &self.drawn {
            return f.write_str(drawn);
        }
        write!(f, "{}", wrap(&format!("error[{}]: {}", self.code, self.what), 80, 2))?;
        let place = self.place.iter().map(|place| ("where", place));
        let why = self.why.iter().map(|why| ("why", why));
        let next = self.next.iter().map(|next| ("next", next));
        let mut last = "";
        for (label, text) in place.chain(why).chain(next) {
            let shown = if label == last { "" } else { label };
            write!(f, "\n{}", labelled(shown, text))?;
            last = label;
        }
        Ok(())
    }
}

/// Says where something failed.
pub trait At<T> {
    /// Names the file, board or document that it concerns.
    ///
    /// # Errors
    /// Those of `self`.
    fn at(self, place: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> At<T> for Result<T, E> {
    fn at(self, place: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| error.into().at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading the draft")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("D002: not a plan/v1")]
    struct Inner(#[source] std::io::Error);

    #[test]
    fn the_code_is_found_in_the_chain_and_each_cause_is_said_once() {
        let io = std::io::Error::other("line 3: unknown field");
        let failure = Failure::from(Outer(Inner(io))).at("42.draft").at("elsewhere");
        assert_eq!(failure.code, "D002");
        assert_eq!(failure.place.as_deref(), Some("42.draft"));
        assert_eq!(failure.why, ["line 3: unknown field"]);
        assert_eq!(failure.exit, Exit::Refused);
    }

    #[test]
    fn words_without_a_code_are_still_told() {
        let failure = Failure::told("no such thing: really");
        assert_eq!((failure.code.as_str(), failure.exit), ("U000", Exit::Failed));
        assert_eq!(failure.what, "no such thing: really");
    }

    #[test]
    fn the_text_keeps_to_80_columns_and_names_each_label_once() {
        let long = "a cause that is told at some length, ".repeat(4);
        let mut failure = Failure::new("U003", "no root is pinned here").at("/etc/muster");
        failure.why = vec![long.clone(), long];
        let text = failure.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("  why ").count(), 1, "{text}");
    }
}
