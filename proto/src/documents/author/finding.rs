//! A finding: what, where, why, and what to do, with a stable code.

use std::fmt;

use serde_json::{Value, json};

use super::codes::{Code, Severity};
use super::source::{Place, Places};

/// One refusal or warning about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable; its table says what is wrong in general.
    pub code: Code,
    /// Path of the field, such as `budget.down`.
    pub field: String,
    /// What is wrong here, in a few words.
    pub note: String,
    /// Why that matters.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// Where it stands, when it was read from a file.
    pub place: Option<Place>,
}

impl Finding {
    /// A finding about `field`, with the general reason of its code.
    pub fn new(code: Code, field: impl Into<String>) -> Self {
        Self {
            code,
            field: field.into(),
            note: String::new(),
            why: code.explain().into(),
            fix: String::new(),
            place: None,
        }
    }

    /// With what is wrong here.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// With a more exact reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// With what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// With the place of its field.
    #[must_use]
    pub fn at(mut self, places: &Places) -> Self {
        self.place = self.place.or_else(|| places.find(&self.field));
        self
    }

    /// Whether it refuses.
    pub fn is_error(&self) -> bool {
        self.code.severity() == Severity::Error
    }

    /// Everything, for `--json`.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code.as_str(),
            "severity": self.code.severity().word(),
            "what": self.code.what(),
            "note": self.note,
            "why": self.why,
            "fix": self.fix,
            "field": self.field,
            "file": self.place.as_ref().map(|place| &place.file),
            "line": self.place.as_ref().map(|place| place.line),
            "column": self.place.as_ref().map(|place| place.column),
        })
    }
}

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Longest source line shown, in characters; longer ones are cut around the caret.
const LINE_SHOWN: usize = 72;
/// Characters kept before the caret when a line is cut.
const BEFORE_CARET: usize = 24;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.code.severity().word();
        writeln!(f, "{severity}[{}]: {}", self.code.as_str(), self.code.what())?;
        let indent = match &self.place {
            Some(place) => snippet(f, place, self)?,
            None => {
                writeln!(f, "  --> {}", self.field)?;
                if !self.note.is_empty() {
                    writeln!(f, "   | {}", self.note)?;
                }
                3
            }
        };
        for text in [self.why.clone(), format!("fix: {}", self.fix)] {
            if !text.is_empty() && text != "fix: " {
                let lines = wrap(&text, COLUMNS - indent - 2);
                writeln!(f, "{:indent$}= {}", "", lines.join(&format!("\n{:1$}", "", indent + 2)))?;
            }
        }
        Ok(())
    }
}

/// Draws the line with a caret below; returns how far `=` is indented.
fn snippet(
    f: &mut fmt::Formatter<'_>,
    place: &Place,
    finding: &Finding,
) -> Result<usize, fmt::Error> {
    writeln!(f, "  --> {}:{}:{}", place.file, place.line, place.column)?;
    let number = place.line.to_string();
    let indent = number.len().max(2) + 1;
    let Some(text) = &place.text else {
        writeln!(f, "{number:>0$} | (not shown: the line may hold a secret)", indent - 1)?;
        writeln!(f, "{:indent$}| {}", "", finding.note)?;
        return Ok(indent);
    };
    let at = place.column.saturating_sub(1) as usize;
    let cut = match text.chars().count() > LINE_SHOWN && at > BEFORE_CARET {
        true => at - BEFORE_CARET,
        false => 0,
    };
    let shown: String = text.chars().skip(cut).take(LINE_SHOWN).map(plain).collect();
    let (lead, width) = (at - cut, place.width as usize);
    let caret = "^".repeat(width.min(LINE_SHOWN.saturating_sub(lead)).max(1));
    writeln!(f, "{number:>1$} | {0}", shown.trim_end(), indent - 1)?;
    write!(f, "{:indent$}| {:lead$}{caret}", "", "")?;
    let end = indent + 2 + lead + caret.len();
    match finding.note.is_empty() {
        true => writeln!(f)?,
        false if end + 1 + finding.note.chars().count() <= COLUMNS => {
            writeln!(f, " {}", finding.note)?;
        }
        false => {
            writeln!(f)?;
            for line in wrap(&finding.note, COLUMNS - indent - 2) {
                writeln!(f, "{:indent$}| {line}", "")?;
            }
        }
    }
    Ok(indent)
}

/// Breaks a text between words.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// Control characters (tabs included) are shown as a space, so that carets stay aligned.
fn plain(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Why a document was refused: at least one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Vec<Finding>);

impl Refused {
    /// Everything, for `--json`.
    pub fn to_json(&self) -> Value {
        to_json(&self.0)
    }
}

/// Findings with their count, for `--json`.
pub fn to_json(findings: &[Finding]) -> Value {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    json!({
        "errors": errors,
        "warnings": findings.len() - errors,
        "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
    })
}

/// `1 error, 0 warnings`.
pub fn tally(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    format!("{}, {}", plural(errors, "error"), plural(findings.len() - errors, "warning"))
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            write!(f, "{finding}")?;
        }
        write!(f, "{}. Nothing was written.", tally(&self.0))
    }
}

impl std::error::Error for Refused {}
impl std::error::Error for Finding {}

impl From<Finding> for Refused {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}
