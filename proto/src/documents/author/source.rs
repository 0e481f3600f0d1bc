//! Where things stand in a file.

use std::collections::BTreeMap;

/// A piece of a file: one line, from a column on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From 1 on.
    pub line: u32,
    /// From 1 on, in characters.
    pub column: u32,
    /// In bytes, from the start of the text.
    pub start: usize,
    /// In bytes; at least what one caret covers when shown.
    pub len: usize,
}

impl Span {
    /// The first character of a file.
    pub const START: Span = Span { line: 1, column: 1, start: 0, len: 0 };
}

/// A file as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// As people named it.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// What is shown of a place: enough to print it without the file at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As people named it.
    pub file: String,
    /// From 1 on.
    pub line: u32,
    /// From 1 on.
    pub column: u32,
    /// Characters to underline, at least 1.
    pub width: u32,
    /// The line itself; none when it may hold a secret.
    pub text: Option<String>,
}

/// Words that mark a line as one that is never printed again.
const SECRET_MARKS: [&str; 6] =
    ["private", "secret", "passphrase", "password", "privkey", "masterkey"];

impl Source {
    /// The place of `span`, its line included unless it may hold a secret.
    pub fn place(&self, span: Span) -> Place {
        let line = self.text.lines().nth(span.line.saturating_sub(1) as usize).unwrap_or_default();
        let rest = line.chars().count().saturating_sub(span.column.saturating_sub(1) as usize);
        let covered = self.text.get(span.start..span.start + span.len).unwrap_or_default();
        let covered = match covered {
            "{" | "[" => enclosed(&self.text[span.start..]),
            _ => covered.lines().next().unwrap_or_default().chars().count(),
        };
        let low = line.to_lowercase();
        // Lines of a pasted key carry no mark of their own.
        let pasted = self.text.contains("PRIVATE KEY");
        let secret = pasted || SECRET_MARKS.iter().any(|mark| low.contains(mark));
        Place {
            file: self.file.clone(),
            line: span.line,
            column: span.column,
            width: covered.clamp(1, rest.max(1)) as u32,
            text: (!secret).then(|| line.to_owned()),
        }
    }
}

/// Characters from an opening bracket to its closing one, on the same line; 1 when it is not.
fn enclosed(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.lines().next().unwrap_or_default().chars().enumerate() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 1 => return at + 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    1
}

/// Where every field of a document stands, by path such as `order[1].done`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The file.
    pub source: Source,
    pub(super) spans: BTreeMap<String, Span>,
    pub(super) keys: BTreeMap<String, Span>,
}

impl Places {
    /// Places of a document that was not read from a file: there are none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Where `field` stands, or the nearest field around it that is written down.
    pub fn find(&self, field: &str) -> Option<Place> {
        let mut field = field;
        loop {
            if let Some(span) = self.spans.get(field) {
                return Some(self.source.place(*span));
            }
            field = match field.rfind(['.', '[']) {
                Some(at) => &field[..at],
                None if field.is_empty() => return None,
                None => "",
            };
        }
    }

    /// Whether `field` itself is written down.
    pub fn has(&self, field: &str) -> bool {
        self.spans.contains_key(field)
    }

    /// Where the name of `field` stands.
    pub fn key(&self, field: &str) -> Option<Span> {
        self.keys.get(field).copied()
    }

    /// Where the value of `field` stands.
    pub fn span(&self, field: &str) -> Option<Span> {
        self.spans.get(field).copied()
    }
}
