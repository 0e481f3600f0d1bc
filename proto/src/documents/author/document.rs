//! One way in: YAML text of a known kind becomes an author's document.

use super::codes::Code;
use super::fields::{Fields, Reader};
use super::finding::{Finding, Refused};
use super::node::{Node, Value};
use super::source::Places;
use super::yaml;

/// A document of an author, with the place of each of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What it says.
    pub value: T,
    /// Where it says so.
    pub places: Places,
}

/// A document that authors write as YAML.
pub trait AuthorDocument: Sized {
    /// Its tag, such as `plan/v1`.
    const KIND: &'static str;
    /// Reads all fields but `muster`. `None`: refused, the reader knows why.
    fn fields(fields: Fields<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// Reads `text`, which people know as `file`.
///
/// # Errors
/// Every refusal of the text, in the order of the file.
pub fn read<T: AuthorDocument>(file: &str, text: &str) -> Result<Parsed<T>, Refused> {
    let (root, places) = yaml::parse(file, text)?;
    let mut reader = Reader::new(&places);
    let value = open::<T>(&root, &mut reader);
    let mut findings = reader.into_findings();
    match value {
        Some(value) if findings.is_empty() => Ok(Parsed { value, places }),
        _ => {
            findings.sort_by_key(|finding| {
                finding.place.as_ref().map(|place| (place.line, place.column))
            });
            Err(Refused(findings))
        }
    }
}

fn open<T: AuthorDocument>(root: &Node, reader: &mut Reader<'_>) -> Option<T> {
    let mut fields = Fields::of(root, reader)?;
    let kind: String = fields.need("muster", reader)?;
    if kind != T::KIND {
        let Value::Map(entries) = &root.value else { return None };
        let (_, node) = entries.iter().find(|(key, _)| key.text == "muster")?;
        let note = format!("this says `{}`, `{}` is expected", super::values::clip(&kind), T::KIND);
        reader.refuse(node, Finding::new(Code::D114, "").note(note).fix("check which file it is"));
        return None;
    }
    T::fields(fields, reader)
}
