//! Names of snapshots: plan, height and time, as they stand in a folder.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Such as `hotfix-42-h36884102-20261129T064312Z`, or `by-hand-20261129T064312Z`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "E416: {0:?} is no name of a snapshot: 1 to 80 letters, digits, `-` and `_`; `muster-agent \
     snapshot list` shows those that are here"
)]
pub struct BadName(pub String);

/// What follows the name of a snapshot that is not whole.
pub const PARTIAL: &str = ".partial";

impl Name {
    /// The name of a snapshot for `plan` (`hotfix/42`), of a node that stood at `height`.
    pub fn of(plan: Option<&str>, height: Option<u64>, at: Timestamp) -> Self {
        let plan = plan.map_or_else(|| "by-hand".into(), |plan| plan.replace('/', "-"));
        let height = height.map(|height| format!("-h{height}")).unwrap_or_default();
        Self(format!("{plan}{height}-{}", at.strftime("%Y%m%dT%H%M%SZ")))
    }

    /// As it stands in the folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder's name while it is not whole.
    pub fn partial(&self) -> String {
        format!("{}{PARTIAL}", self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Name {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        match (1..=80).contains(&text.len()) && text.chars().all(plain) {
            true => Ok(Self(text.into())),
            false => Err(BadName(text.into())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_plan_height_and_time_and_leads_nowhere_else() {
        let at: Timestamp = "2026-11-29T06:43:12Z".parse().unwrap();
        let name = Name::of(Some("hotfix/42"), Some(36_884_102), at);
        assert_eq!(name.as_str(), "hotfix-42-h36884102-20261129T064312Z");
        assert_eq!(Name::of(None, None, at).as_str(), "by-hand-20261129T064312Z");
        assert_eq!(name.as_str().parse(), Ok(name.clone()));
        for bad in ["", "..", "a/b", "a.partial", &"x".repeat(81)] {
            assert!(bad.parse::<Name>().unwrap_err().to_string().starts_with("E416"), "{bad}");
        }
    }
}
