//! Strict YAML as `iotex-core` reads it: every key known, every value of its type.

use serde_json::Value;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text; any scalar will do.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// `30s`, `100ms`, `1h30m`; or nanoseconds.
    Duration,
    /// A list of texts.
    Texts,
    /// Whatever the real node has a long type for that nothing here depends on.
    Any,
    /// A section of its own.
    Section(&'static Section),
}

/// A struct of the real node: its Go name, for messages, and its fields.
#[derive(Debug)]
pub struct Section {
    /// Such as `config.System`.
    pub name: &'static str,
    /// Key and kind.
    pub fields: &'static [(&'static str, Kind)],
}

/// Parses and checks. `extra` are further whole numbers of the section called `extends`.
///
/// # Errors
/// Go's message: what `go.uber.org/config` says of it, without its prefix.
pub fn check(text: &str, root: &Section, extends: &str, extra: &[String]) -> Result<(), Refusal> {
    // Only comments, or nothing: all defaults.
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(blank) {
        return Ok(());
    }
    let tree: Value = serde_yaml::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |l| l.line());
        Refusal::Malformed(format!("yaml: line {line}: did not find expected key"))
    })?;
    let mut check = Check { text, extends, extra, wrong: Vec::new() };
    check.section(&tree, root);
    if check.wrong.is_empty() {
        return Ok(());
    }
    let wrong = check.wrong.join("\n");
    Err(Refusal::Wrong(format!("yaml: unmarshal errors:\n{wrong}")))
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no YAML.
    #[error("couldn't merge YAML sources: couldn't decode source: {0}")]
    Malformed(String),
    /// A key or a value does not fit.
    #[error("{0}")]
    Wrong(String),
}

struct Check<'a> {
    text: &'a str,
    extends: &'a str,
    extra: &'a [String],
    wrong: Vec<String>,
}

impl Check<'_> {
    fn section(&mut self, value: &Value, section: &Section) {
        let Value::Object(fields) = value else {
            if !value.is_null() {
                self.mismatch(section.name, value, section.name);
            }
            return;
        };
        for (key, value) in fields {
            let known = section.fields.iter().find(|(name, _)| name == key);
            let extended = section.name == self.extends && self.extra.contains(key);
            match known {
                Some((_, kind)) => self.value(key, value, *kind),
                None if extended => self.value(key, value, Kind::Int),
                None => {
                    let line = self.line(key);
                    let name = section.name;
                    let wrong = format!("  line {line}: field {key} not found in type {name}");
                    self.wrong.push(wrong);
                }
            }
        }
    }

    fn value(&mut self, key: &str, value: &Value, kind: Kind) {
        if value.is_null() {
            return;
        }
        let (fits, go) = match kind {
            Kind::Section(section) => return self.section(value, section),
            Kind::Any => return,
            Kind::Text => (!value.is_array() && !value.is_object(), "string"),
            Kind::Int => (value.is_i64() || value.is_u64(), "int"),
            Kind::Float => (value.is_number(), "float64"),
            Kind::Bool => (value.is_boolean(), "bool"),
            Kind::Duration => (is_duration(value), "time.Duration"),
            Kind::Texts => (is_texts(value), "[]string"),
        };
        if !fits {
            self.mismatch(key, value, go);
        }
    }

    fn mismatch(&mut self, key: &str, value: &Value, go: &str) {
        let line = self.line(key);
        let (tag, shown) = match value {
            Value::String(text) => ("!!str", format!(" `{text}`")),
            Value::Bool(flag) => ("!!bool", format!(" `{flag}`")),
            Value::Number(number) if number.is_f64() => ("!!float", format!(" `{number}`")),
            Value::Number(number) => ("!!int", format!(" `{number}`")),
            Value::Array(_) => ("!!seq", String::new()),
            Value::Object(_) | Value::Null => ("!!map", String::new()),
        };
        let wrong = format!("  line {line}: cannot unmarshal {tag}{shown} into {go}");
        self.wrong.push(wrong);
    }

    /// Where the key stands, as near as text search tells.
    fn line(&self, key: &str) -> usize {
        let here = |line: &str| line.trim_start().starts_with(&format!("{key}:"));
        let found = self.text.lines().position(here);
        found.map_or(0, |n| n + 1)
    }
}

fn is_texts(value: &Value) -> bool {
    let scalar = |v: &Value| !v.is_array() && !v.is_object();
    value.as_array().is_some_and(|all| all.iter().all(scalar))
}

fn is_duration(value: &Value) -> bool {
    let text = |text: &str| seconds(text).is_some();
    value.is_u64() || value.as_str().is_some_and(text)
}

/// Seconds of a Go duration such as `1m30s`, `100ms`.
pub fn seconds(text: &str) -> Option<f64> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)];
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, factor) = units.iter().find(|(unit, _)| rest.starts_with(unit))?;
        sum += amount * factor;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    static INNER: Section = Section {
        name: "config.System",
        fields: &[("port", Kind::Int), ("every", Kind::Duration)],
    };
    static ROOT: Section = Section {
        name: "config.Config",
        fields: &[("system", Kind::Section(&INNER)), ("names", Kind::Texts)],
    };

    fn refused(text: &str) -> String {
        check(text, &ROOT, "", &[]).unwrap_err().to_string()
    }

    #[test]
    fn go_s_durations_are_understood() {
        assert_eq!(seconds("30s"), Some(30.0));
        assert_eq!(seconds("1m30s"), Some(90.0));
        assert_eq!(seconds("100ms"), Some(0.1));
        assert_eq!(seconds("30"), None);
        assert_eq!(seconds(""), None);
    }

    #[test]
    fn refusals_are_in_the_real_node_s_words() {
        let unknown = refused("system:\n  notAKey: 1\n");
        assert_eq!(
            unknown,
            "yaml: unmarshal errors:\n  line 2: field notAKey not found in type config.System"
        );
        let mistyped = refused("system:\n  port: abc\n");
        assert_eq!(
            mistyped,
            "yaml: unmarshal errors:\n  line 2: cannot unmarshal !!str `abc` into int"
        );
        let malformed = refused("system:\n  port: 1\n bad\n");
        assert!(
            malformed
                .starts_with("couldn't merge YAML sources: couldn't decode source: yaml: line ")
        );
        assert!(check("# nothing\n", &ROOT, "", &[]).is_ok());
        assert!(check("system: {every: 30s}\nnames: [a]", &ROOT, "", &[]).is_ok());
    }

    #[test]
    fn a_version_may_know_more_keys() {
        let text = "system: {yapHeight: 5}";
        assert!(check(text, &ROOT, "config.System", &["yapHeight".into()]).is_ok());
        assert!(check(text, &ROOT, "config.System", &[]).is_err());
    }
}
