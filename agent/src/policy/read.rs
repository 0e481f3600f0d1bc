//! From the text of `policy.yaml` to a [`Policy`], every refusal with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use muster_proto::documents::Class;
use muster_proto::documents::plan::Urgency;
use serde::de::{self, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_yaml::Spanned;

use super::{Policy, Rule};
use crate::config::{Place, YamlError, yaml};

/// Why a policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file itself.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Another kind of file, or another version.
    #[error("A020: {place}: expected `muster: policy/v1`, found {found:?}")]
    Kind {
        /// Where.
        place: Place,
        /// What it says.
        found: String,
    },
    /// Something a policy will be able to say, and this agent cannot keep to yet.
    #[error("A021: {place}: {field} is not built yet; take it out, or ask for every plan instead")]
    NotBuilt {
        /// Where.
        place: Place,
        /// Which field.
        field: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    muster: Spanned<String>,
    default: Option<Rule>,
    hotfix: Option<ByUrgency>,
    drill: Option<ByUrgency>,
    emergency: Option<ByUrgency>,
    windows: Option<Spanned<IgnoredAny>>,
    pins: Option<Spanned<IgnoredAny>>,
    highest_jump: Option<Spanned<IgnoredAny>>,
    avoid_active: Option<Spanned<IgnoredAny>>,
    kill_switch: Option<Spanned<IgnoredAny>>,
}

/// `apply`, or `{routine: ask, urgent: apply}`.
#[derive(Clone, Copy, Default)]
struct ByUrgency {
    routine: Option<Rule>,
    urgent: Option<Rule>,
}

impl<'de> Deserialize<'de> for ByUrgency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByUrgencyVisitor)
    }
}

struct ByUrgencyVisitor;

impl<'de> de::Visitor<'de> for ByUrgencyVisitor {
    type Value = ByUrgency;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`apply`, `ask` or `refuse`, or {routine: …, urgent: …}")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<ByUrgency, E> {
        let rule = Rule::deserialize(de::value::StrDeserializer::new(word))?;
        Ok(ByUrgency { routine: Some(rule), urgent: Some(rule) })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<ByUrgency, A::Error> {
        let mut found = ByUrgency::default();
        while let Some(urgency) = map.next_key::<Urgency>()? {
            let field = match urgency {
                Urgency::Routine => &mut found.routine,
                Urgency::Urgent => &mut found.urgent,
            };
            *field = Some(map.next_value()?);
        }
        Ok(found)
    }
}

/// Parses the text of `file`.
///
/// # Errors
/// [`PolicyError`].
pub fn parse(file: &Path, text: &str) -> Result<Policy, PolicyError> {
    let written: Written = yaml::parse(file, text)?;
    if written.muster.value != "policy/v1" {
        let place = Place::new(file, written.muster.referenced);
        return Err(PolicyError::Kind { place, found: written.muster.value });
    }
    if let Some((field, location)) = written.not_built() {
        return Err(PolicyError::NotBuilt { place: Place::new(file, location), field });
    }
    Ok(Policy { default: written.default.unwrap_or(Rule::Ask), rules: written.rules() })
}

impl Written {
    fn not_built(&self) -> Option<(&'static str, serde_yaml::Location)> {
        let fields = [
            ("windows", &self.windows),
            ("pins", &self.pins),
            ("highest-jump", &self.highest_jump),
            ("avoid-active", &self.avoid_active),
            ("kill-switch", &self.kill_switch),
        ];
        let found = fields.into_iter().find_map(|(name, at)| Some((name, at.as_ref()?)));
        found.map(|(name, at)| (name, at.referenced))
    }

    fn rules(&self) -> BTreeMap<(Class, Urgency), Rule> {
        let classes = [
            (Class::Hotfix, self.hotfix),
            (Class::Drill, self.drill),
            (Class::Emergency, self.emergency),
        ];
        let mut rules = BTreeMap::new();
        for (class, said) in classes {
            let said = said.unwrap_or_default();
            rules.extend(said.routine.map(|rule| ((class, Urgency::Routine), rule)));
            rules.extend(said.urgent.map(|rule| ((class, Urgency::Urgent), rule)));
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policy, String> {
        parse(Path::new("policy.yaml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_class_may_say_one_word_or_one_per_urgency() {
        let policy = read(
            "muster: policy/v1\ndefault: refuse\nhotfix: {routine: ask, urgent: apply}\ndrill: apply\n",
        );
        let policy = policy.unwrap();
        assert_eq!(policy.rule(Class::Hotfix, Urgency::Routine), Rule::Ask);
        assert_eq!(policy.rule(Class::Hotfix, Urgency::Urgent), Rule::Apply);
        assert_eq!(policy.rule(Class::Drill, Urgency::Routine), Rule::Apply);
        assert_eq!(policy.rule(Class::Emergency, Urgency::Urgent), Rule::Refuse);
    }

    #[test]
    fn without_a_default_everything_unnamed_is_asked() {
        let policy = read("muster: policy/v1\n").unwrap();
        assert!(policy.rows().iter().all(|(_, _, rule)| *rule == Rule::Ask));
    }

    #[test]
    fn mistakes_are_refused_with_their_place() {
        let cases = [
            ("muster: policy/v2\n", "A020: policy.yaml:1:9"),
            ("muster: policy/v1\nhotfix: aply\n", "A003: policy.yaml:2:1: unknown variant `aply`"),
            ("muster: policy/v1\nhotfix: {routin: ask}\n", "A003: policy.yaml:2:10"),
            ("muster: policy/v1\ndrill: ask\ndrill: ask\n", "A003: policy.yaml:3:1"),
            ("muster: policy/v1\nhotfix: {urgent: ask, urgent: apply}\n", "A003: policy.yaml:2:"),
            ("muster: policy/v1\ncolour: red\n", "A003: policy.yaml:2:1"),
            ("muster: policy/v1\nhotfix: &a ask\n", "A003: policy.yaml:2:"),
            ("muster: policy/v1\nhotfix: [ask\n", "A003: policy.yaml:"),
            ("hotfix: ask\n", "A003: policy.yaml:"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?} gave {error}");
        }
    }

    #[test]
    fn what_is_not_built_is_refused_and_never_ignored() {
        for field in ["windows", "pins", "highest-jump", "avoid-active", "kill-switch"] {
            let error = read(&format!("muster: policy/v1\n{field}: [x]\n")).unwrap_err();
            assert!(error.starts_with("A021: policy.yaml:2:"), "{error}");
            assert!(error.contains(field), "{error}");
        }
    }
}
