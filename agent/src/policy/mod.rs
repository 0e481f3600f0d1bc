//! The operator's own word: per class and urgency, what is applied, asked or refused.
//!
//! ```yaml
//! muster: policy/v1
//! default: ask
//! hotfix: {routine: ask, urgent: apply}
//! drill: apply
//! emergency: apply
//! ```
//! A class that is not named follows `default`; without the file everything is asked.

mod file;
mod read;

use std::collections::BTreeMap;
use std::fmt;

use muster_proto::documents::Class;
use muster_proto::documents::plan::Urgency;
use serde::{Deserialize, Serialize};

pub use file::{Change, PolicyFile};
pub use read::{PolicyError, parse};

/// What happens to a plan of some class and urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Goes ahead without asking.
    Apply,
    /// Waits for `muster-agent approve`.
    Ask,
    /// Is declined, with a receipt.
    Refuse,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Rule::Apply => "apply",
            Rule::Ask => "ask",
            Rule::Refuse => "refuse",
        })
    }
}

/// One policy, complete: a rule for every class and urgency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    default: Rule,
    rules: BTreeMap<(Class, Urgency), Rule>,
}

impl Policy {
    /// The same rule for everything.
    pub fn all(default: Rule) -> Self {
        Self { default, rules: BTreeMap::new() }
    }

    /// What happens to such a plan.
    pub fn rule(&self, class: Class, urgency: Urgency) -> Rule {
        self.rules.get(&(class, urgency)).copied().unwrap_or(self.default)
    }

    /// Every class and urgency with its rule, in the order people read them.
    pub fn rows(&self) -> Vec<(Class, Urgency, Rule)> {
        let row = |class, urgency| (class, urgency, self.rule(class, urgency));
        let pair = |class| [row(class, Urgency::Routine), row(class, Urgency::Urgent)];
        Class::ALL.into_iter().flat_map(pair).collect()
    }
}

/// As people write it.
pub fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Routine => "routine",
        Urgency::Urgent => "urgent",
    }
}
