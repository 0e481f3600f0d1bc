//! Reads typed values out of the tree and collects every refusal, not only the first.

use std::collections::BTreeMap;

use super::codes::Code;
use super::finding::Finding;
use super::nearest::nearest;
use super::node::{Key, Kind, Node, Value};
use super::source::Places;

/// Collects refusals while a document is read.
pub struct Reader<'p> {
    places: &'p Places,
    findings: Vec<Finding>,
}

impl<'p> Reader<'p> {
    /// Nothing refused yet.
    pub fn new(places: &'p Places) -> Self {
        Self { places, findings: Vec::new() }
    }

    /// Everything that was refused.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Refuses `node`.
    pub fn refuse(&mut self, node: &Node, finding: Finding) {
        let mut finding = finding;
        finding.field.clone_from(&node.path);
        finding.place = Some(self.places.source.place(node.span));
        self.findings.push(finding);
    }

    /// Refuses `node` without showing its line, because what stands there may be a secret.
    pub fn refuse_unseen(&mut self, node: &Node, finding: Finding) {
        self.refuse(node, finding);
        if let Some(place) = self.findings.last_mut().and_then(|last| last.place.as_mut()) {
            place.text = None;
        }
    }

    /// Refuses `node`, because something else is expected there.
    pub fn wrong_type<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        let note = format!("expected {expected}, found {}", node.value.what());
        self.refuse(node, Finding::new(Code::D106, "").note(note));
        None
    }

    fn refuse_key(&mut self, key: &Key, path: String, finding: Finding) {
        let mut finding = finding;
        finding.field = path;
        finding.place = Some(self.places.source.place(key.span));
        self.findings.push(finding);
    }
}

/// A value that can be read from a tree. `None` means: refused, the reader knows why.
pub trait Read: Sized {
    /// Reads it.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;
}

/// The fields of one group, each to be asked for by name; what nobody asked for is unknown.
pub struct Fields<'n> {
    path: &'n str,
    node: &'n Node,
    entries: Vec<(&'n Key, &'n Node)>,
    asked: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a group; doubles are refused here.
    pub fn of(node: &'n Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return reader.wrong_type(node, "a group of fields");
        };
        refuse_doubles(node, entries, reader);
        let entries = entries.iter().map(|(key, node)| (key, node)).collect();
        Some(Self { path: &node.path, node, entries, asked: Vec::new() })
    }

    /// The node of a field, if it is there.
    pub fn node(&mut self, name: &'static str) -> Option<&'n Node> {
        self.asked.push(name);
        self.entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| *node)
    }

    /// A field that must be there.
    pub fn need<T: Read>(&mut self, name: &'static str, reader: &mut Reader<'_>) -> Option<T> {
        if let Some(node) = self.node(name) {
            return T::read(node, reader);
        }
        let finding = Finding::new(Code::D105, "")
            .note(format!("`{name}` is missing here"))
            .fix(format!("add `{name}: …`"));
        reader.refuse(self.node, finding);
        if let Some(last) = reader.findings.last_mut() {
            last.field = self.child(name);
        }
        None
    }

    /// A field that may be missing: `Some(None)` then; `None` when it is refused.
    pub fn may<T: Read>(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<Option<T>> {
        match self.node(name) {
            None => Some(None),
            Some(node) => T::read(node, reader).map(Some),
        }
    }

    /// A field with a default.
    pub fn or<T: Read>(
        &mut self,
        name: &'static str,
        default: T,
        reader: &mut Reader<'_>,
    ) -> Option<T> {
        self.may(name, reader).map(|value| value.unwrap_or(default))
    }

    /// A field that is understood and not built yet: refused by its own code.
    pub fn later(&mut self, name: &'static str, code: Code, reader: &mut Reader<'_>) {
        let Some(at) = self.entries.iter().position(|(key, _)| key.text == name) else { return };
        let (key, _) = self.entries.remove(at);
        let path = self.child(name);
        reader.refuse_key(key, path, Finding::new(code, "").fix(format!("leave `{name}` out")));
    }

    /// Every entry that nobody asked for, for groups with free names.
    pub fn rest(&mut self) -> Vec<(&'n Key, &'n Node)> {
        let (asked, rest) = self
            .entries
            .drain(..)
            .partition(|(key, _)| self.asked.iter().any(|name| *name == key.text));
        self.entries = asked;
        rest
    }

    /// Closes the group: what is left is unknown.
    pub fn end(mut self, reader: &mut Reader<'_>) {
        for (key, _) in self.rest() {
            let finding =
                Finding::new(Code::D103, "").note(format!("`{}` is not known here", key.text));
            let fix = match nearest(&key.text, self.asked.iter().copied()) {
                Some(near) => {
                    // Said once: the misspelt field is the missing one.
                    let missing = self.child(near);
                    let same = |known: &Finding| known.code == Code::D105 && known.field == missing;
                    reader.findings.retain(|known| !same(known));
                    format!("did you mean `{near}`?")
                }
                None => format!("known here: {}", self.asked.join(", ")),
            };
            reader.refuse_key(key, self.child(&key.text), finding.fix(fix));
        }
    }

    fn child(&self, name: &str) -> String {
        if self.path.is_empty() { name.into() } else { format!("{}.{name}", self.path) }
    }
}

fn refuse_doubles(node: &Node, entries: &[(Key, Node)], reader: &mut Reader<'_>) {
    let mut first: BTreeMap<&str, u32> = BTreeMap::new();
    for (key, value) in entries {
        match first.get(key.text.as_str()) {
            None => {
                first.insert(&key.text, key.span.line);
            }
            Some(line) => {
                let note = format!("`{}` stands on line {line} already", key.text);
                let finding = Finding::new(Code::D104, "").note(note).fix("keep one of the two");
                let path = if node.path.is_empty() { &key.text } else { &value.path };
                reader.refuse_key(key, path.clone(), finding);
            }
        }
    }
}

impl Node {
    /// The text of a scalar as written, quoted or not.
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// Digits only, no sign, no leading zero, no underscore.
    pub fn whole(&self) -> Option<u64> {
        let Value::Scalar(Kind::Whole, text) = &self.value else { return None };
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && (text == "0" || !text.starts_with('0'));
        text.parse().ok().filter(|_| plain)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else { return reader.wrong_type(node, "a list") };
        // Read all before giving up, so that every refusal shows.
        let read: Vec<_> = items.iter().map(|item| T::read(item, reader)).collect();
        read.into_iter().collect()
    }
}

impl<T: Read> Read for BTreeMap<String, T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let mut fields = Fields::of(node, reader)?;
        let read = |(key, node): (&Key, &Node)| Some((key.text.clone(), T::read(node, reader)?));
        let read: Vec<_> = fields.rest().into_iter().map(read).collect();
        read.into_iter().collect()
    }
}
