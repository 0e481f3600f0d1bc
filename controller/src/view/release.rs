//! A release in words.

use std::fmt;

use muster_proto::documents::Release;
use muster_proto::documents::release::Priority;
use serde::Serialize;

use super::order::about;
use super::roster::role;
use super::words::labelled;

/// A release, ready to be read.
#[derive(Debug, Clone, Serialize)]
pub struct ReleaseShown {
    /// The whole document.
    #[serde(flatten)]
    pub release: Release,
}

impl fmt::Display for ReleaseShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let release = &self.release;
        let kind = if release.compatible { "compatible" } else { "NOT compatible" };
        writeln!(f, "release {} · {kind}", release.version)?;
        writeln!(f, "{}", labelled("from", &release.from.join(", ")))?;
        for (at, fact) in about(release).iter().enumerate() {
            writeln!(f, "{}", labelled(if at == 0 { "image" } else { "" }, fact))?;
        }
        for (word, priority) in [
            ("must", Priority::Must),
            ("should", Priority::Recommended),
            ("need not", Priority::NotRequired),
        ] {
            let roles = release.roles.iter().filter(|(_, it)| **it == priority);
            let roles: Vec<_> = roles.map(|(it, _)| role(*it)).collect();
            if !roles.is_empty() {
                writeln!(f, "{}", labelled(word, &roles.join(", ")))?;
            }
        }
        Ok(())
    }
}
