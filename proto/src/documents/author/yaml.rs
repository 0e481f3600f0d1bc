//! Text to a tree that remembers where everything stands. The only place that knows the reader.
//!
//! No anchors, no merge keys, no second document, no guessing of numbers: a scalar keeps the
//! text that was written, and whoever asks for it decides what it may be.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::DuplicateKeyPolicy;
use serde_yaml::{Error, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

use super::codes::Code;
use super::finding::{Finding, Refused};
use super::node::{Key, Kind, Node, Value};
use super::source::{Places, Source, Span};

/// Largest file of an author: a roster of 5,000 nodes has about 2 MiB.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Deepest nesting; documents need 5.
const MAX_DEPTH: usize = 16;
/// Most values in one file: 10,000 nodes with 20 fields each, and some.
const MAX_NODES: usize = 400_000;

/// Reads one document.
///
/// # Errors
/// One finding, `D101`, `D102`, `D111`, `D112` or `D113`.
pub(super) fn parse(file: &str, text: &str) -> Result<(Node, Places), Refused> {
    let source = Source { file: file.into(), text: text.into() };
    if text.len() > MAX_BYTES {
        let note = format!("{} bytes, at most {MAX_BYTES}", text.len());
        let mut finding = Finding::new(Code::D102, "").note(note).fix("check which file it is");
        finding.place = Some(source.place(Span::START));
        return Err(finding.into());
    }
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => {
            let mut places = Places { source, ..Places::default() };
            let node = build(raw, String::new(), &mut places);
            Ok((node, places))
        }
        Err(error) => Err(refusal(&error, &source).into()),
    }
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_anchors: 0,
            max_aliases: 0,
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_NODES,
        },
        // Doubles are told by `Fields`, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        // A snippet could print a secret, and ours is drawn elsewhere.
        with_snippet: false,
    }
}

fn refusal(error: &Error, source: &Source) -> Finding {
    let error = error.without_snippet();
    let span = error.location().map_or(Span::START, |location| span_of(location, source));
    let (code, fix) = match error {
        Error::MergeKeyNotAllowed { .. } => (Code::D111, "write the fields out"),
        Error::MultipleDocuments { .. } => (Code::D113, "one file for each document"),
        Error::UnknownAnchor { .. } | Error::AliasError { .. } => {
            (Code::D112, "write the value out")
        }
        Error::Budget { breach, .. } => match format!("{breach:?}") {
            text if text.starts_with("Alias") || text.starts_with("Anchor") => {
                (Code::D112, "write the value out")
            }
            text if text.starts_with("Documents") => (Code::D113, "one file for each document"),
            _ => (Code::D102, "check which file it is"),
        },
        _ => (Code::D101, "check indentation, quotes and brackets there"),
    };
    // The reader's words name the trouble; cut, because some quote what was written.
    let words: String =
        error.to_string().lines().next().unwrap_or_default().chars().take(90).collect();
    let note = if code == Code::D101 { words } else { String::new() };
    let mut finding = Finding::new(code, "").note(note).fix(fix);
    finding.place = Some(source.place(span));
    finding
}

fn span_of(location: Location, source: &Source) -> Span {
    let at = location.span();
    let start = at.byte_offset().unwrap_or(0) as usize;
    let len = at.byte_len().unwrap_or(0) as usize;
    let start = start.min(source.text.len());
    let len = len.min(source.text.len() - start);
    let line = (location.line() as u32).max(1);
    let column = (location.column() as u32).max(1);
    Span { line, column, start, len }
}

/// What the reader hands over: a guess for scalars, the text by its place.
enum Raw {
    Null,
    Bool,
    Whole,
    Fraction,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Whole)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Whole)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Fraction)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Gives every value its path and its place.
fn build(raw: Spanned<Raw>, path: String, places: &mut Places) -> Node {
    let span = span_of(raw.referenced, &places.source);
    let written = |kind| {
        let text = places.source.text.get(span.start..span.start + span.len);
        Value::Scalar(kind, text.unwrap_or_default().trim().to_owned())
    };
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool => written(Kind::Bool),
        Raw::Whole => written(Kind::Whole),
        Raw::Fraction => written(Kind::Fraction),
        Raw::Text(text) => Value::Scalar(Kind::Text, text),
        Raw::List(items) => {
            let items = items.into_iter().enumerate();
            let node = |(at, item)| build(item, format!("{path}[{at}]"), places);
            Value::List(items.map(node).collect())
        }
        Raw::Map(entries) => {
            Value::Map(entries.into_iter().map(|entry| build_entry(entry, &path, places)).collect())
        }
    };
    places.spans.entry(path.clone()).or_insert(span);
    Node { value, path, span }
}

fn build_entry(
    (key, value): (Spanned<Raw>, Spanned<Raw>),
    path: &str,
    places: &mut Places,
) -> (Key, Node) {
    let span = span_of(key.referenced, &places.source);
    let text = match key.value {
        Raw::Text(text) => text,
        _ => places.source.text.get(span.start..span.start + span.len).unwrap_or_default().into(),
    };
    let below = if path.is_empty() { text.clone() } else { format!("{path}.{text}") };
    places.keys.entry(below.clone()).or_insert(span);
    let mut node = build(value, below.clone(), places);
    // A block that begins on the next line, or nothing at all, is shown at its key.
    let elsewhere = !matches!(node.value, Value::Scalar(..)) && node.span.len == 0;
    if elsewhere || node.value == Value::Null {
        node.span = span;
        places.spans.insert(below, span);
    }
    (Key { text, span }, node)
}
