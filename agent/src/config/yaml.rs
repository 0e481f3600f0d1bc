//! The hardened reader for the files that people write on the delegate's host.
//!
//! Duplicate keys, unknown fields, anchors, merge keys and loose booleans are refused, each
//! with file, line and column; a file larger than [`MOST_BYTES`] is not read at all.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Largest file, in bytes; what a person writes by hand is far below.
pub const MOST_BYTES: u64 = 64 * 1024;

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// Not there, not readable, or no text.
    #[error("A001: cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Larger than [`MOST_BYTES`].
    #[error("A002: {} has {bytes} bytes; at most {MOST_BYTES} are read", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Unknown or duplicate field, wrong type, unknown value, or no YAML.
    #[error("A003: {place}: {what}")]
    Shape {
        /// Where.
        place: Place,
        /// Field and reason, on one line.
        what: String,
    },
}

/// A place in a file, for people: `file:line:column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub file: PathBuf,
    /// From 1 on; 0 when it is not known.
    pub line: u64,
    /// From 1 on; 0 when it is not known.
    pub column: u64,
}

impl Place {
    /// The place of `location` in `file`.
    pub fn new(file: &Path, location: serde_yaml::Location) -> Self {
        Self { file: file.into(), line: location.line(), column: location.column() }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Reads the text of `path`, bounded.
///
/// # Errors
/// [`YamlError::Read`], [`YamlError::TooLarge`].
pub fn text(path: &Path) -> Result<String, YamlError> {
    let read = |source| YamlError::Read { path: path.into(), source };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > MOST_BYTES {
        return Err(YamlError::TooLarge { path: path.into(), bytes });
    }
    std::fs::read_to_string(path).map_err(read)
}

/// Parses `text`, which stands in `file`.
///
/// # Errors
/// [`YamlError::Shape`].
pub fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, YamlError> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        leading_zero_numbers_as_strings: true,
        merge_keys: serde_yaml::MergeKeyPolicy::Error,
        duplicate_keys: serde_yaml::DuplicateKeyPolicy::Error,
        // A snippet would print whatever stands beside the mistake.
        with_snippet: false,
        budget: serde_yaml::budget! { max_anchors: 0, max_aliases: 0 },
    };
    serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let location = error.location().unwrap_or(serde_yaml::Location::UNKNOWN);
        YamlError::Shape { place: Place::new(file, location), what: one_line(&error) }
    })
}

fn one_line(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    // The place stands in front already.
    line.split(" at line ").next().unwrap_or(line).trim().to_owned()
}
