//! The policy on disk: read anew whenever its bytes change; a broken file keeps the old policy.

use std::path::PathBuf;

use super::{Policy, PolicyError, Rule, parse};
use crate::config::{YamlError, yaml};

/// `policy.yaml` and the newest good policy that it held.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    seen: Seen,
    policy: Policy,
    problem: Option<String>,
}

/// What lay there when it was looked at last.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Missing,
    Unreadable(std::io::ErrorKind),
    Text(String),
}

/// What a look at the file brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    None,
    /// A new policy is in force.
    New,
    /// There is no file; everything is asked.
    Missing,
    /// The file was refused; the policy before it stays in force.
    Refused(String),
}

impl PolicyFile {
    /// Looks at `path` for the first time. Until a good file is seen, everything is asked.
    pub fn open(path: PathBuf) -> (Self, Change) {
        let policy = Policy::all(Rule::Ask);
        let mut file = Self { path, seen: Seen::Nothing, policy, problem: None };
        let change = file.look();
        (file, change)
    }

    /// Reads the file again if it is another one. A few hundred bytes: cheaper to read than to
    /// trust in the resolution of a file system's times.
    pub fn look(&mut self) -> Change {
        let (seen, result) = match yaml::text(&self.path) {
            Ok(text) => {
                let result = parse(&self.path, &text).map(Some);
                (Seen::Text(text), result)
            }
            Err(YamlError::Read { source, .. }) if is_missing(&source) => (Seen::Missing, Ok(None)),
            Err(error) => (Seen::Unreadable(kind(&error)), Err(PolicyError::from(error))),
        };
        if seen == self.seen {
            return Change::None;
        }
        self.seen = seen;
        self.take(result)
    }

    fn take(&mut self, result: Result<Option<Policy>, PolicyError>) -> Change {
        match result {
            Ok(Some(policy)) => {
                self.policy = policy;
                self.problem = None;
                Change::New
            }
            Ok(None) => {
                self.policy = Policy::all(Rule::Ask);
                self.problem = None;
                Change::Missing
            }
            Err(error) => {
                let text = error.to_string();
                self.problem = Some(text.clone());
                Change::Refused(text)
            }
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Why the file as it lies there is not in force, if it is not.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// There is no file.
    pub fn missing(&self) -> bool {
        self.seen == Seen::Missing
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn kind(error: &YamlError) -> std::io::ErrorKind {
    match error {
        YamlError::Read { source, .. } => source.kind(),
        YamlError::TooLarge { .. } => std::io::ErrorKind::FileTooLarge,
        YamlError::Shape { .. } => std::io::ErrorKind::InvalidData,
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::documents::Class;
    use muster_proto::documents::plan::Urgency;

    use super::*;

    const APPLY: &str = "muster: policy/v1\ndefault: apply\n";

    fn rule(file: &PolicyFile) -> Rule {
        file.policy().rule(Class::Hotfix, Urgency::Routine)
    }

    #[test]
    fn a_missing_file_asks_for_everything_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (file, change) = PolicyFile::open(dir.path().join("policy.yaml"));
        assert_eq!(change, Change::Missing);
        assert!(file.missing());
        assert_eq!(rule(&file), Rule::Ask);
    }

    #[test]
    fn a_changed_file_is_in_force_at_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.yaml");
        std::fs::write(&path, APPLY).unwrap();
        let (mut file, _) = PolicyFile::open(path.clone());
        assert_eq!(rule(&file), Rule::Apply);
        assert_eq!(file.look(), Change::None);
        // The same length, and perhaps the same time stamp.
        std::fs::write(&path, "muster: policy/v1\ndefault: 'ask'\n").unwrap();
        assert_eq!(file.look(), Change::New);
        assert_eq!(rule(&file), Rule::Ask);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.look(), Change::Missing);
    }

    #[test]
    fn a_broken_file_keeps_the_old_policy_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.yaml");
        std::fs::write(&path, APPLY).unwrap();
        let (mut file, _) = PolicyFile::open(path.clone());
        std::fs::write(&path, "muster: policy/v1\ndefault: aks\n").unwrap();
        let Change::Refused(text) = file.look() else { panic!("a broken file was taken") };
        assert!(text.contains("policy.yaml:2:10"), "{text}");
        assert_eq!(file.problem(), Some(text.as_str()));
        assert_eq!(rule(&file), Rule::Apply);
        assert_eq!(file.look(), Change::None, "it is said once");
        std::fs::write(&path, APPLY).unwrap();
        assert_eq!(file.look(), Change::New);
        assert_eq!(file.problem(), None);
    }
}
