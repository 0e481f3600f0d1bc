//! What `muster-controller check` says: the board as it would start now.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::Keeper;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The one network that it serves.
    pub network: String,
    /// Roles with version and expiry, soonest first.
    pub expires: Vec<(String, Timestamp)>,
    /// Versions of what officers sign.
    pub versions: std::collections::BTreeMap<String, u64>,
    /// Agents that the newest roster lists.
    pub agents: usize,
    /// Plans that may still be followed.
    pub plans: Vec<String>,
    /// What is wrong, each with its code.
    pub findings: Vec<String>,
}

impl Keeper {
    /// The board as it is at `now`.
    pub fn status(&self, now: Timestamp) -> Status {
        let missing = self.mark.missing(&self.versions()).into_iter().map(|(role, marked, held)| {
            format!(
                "C018: the store is an old copy: {role} is at {held}, and was at {marked}; publish \
                 it again"
            )
        });
        let troubles = self.trust.troubles().into_iter();
        let troubles = troubles.map(|refused| refused.error.to_string());
        let unusable = self.signer.as_ref().filter(|_| self.trust.versions().root > 0);
        let unusable = unusable.and_then(|signer| signer.trouble(&self.trust, now));
        Status {
            network: self.network.clone(),
            expires: self.trust.expiries(),
            versions: self.versions(),
            agents: self.keys.len(),
            plans: self.trust.plans().keys().map(ToString::to_string).collect(),
            findings: missing.chain(troubles).chain(unusable).collect(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.findings.len() {
            0 => "in order".to_owned(),
            1 => "1 finding".to_owned(),
            many => format!("{many} findings"),
        };
        writeln!(f, "board of {}: {verdict}", self.network)?;
        for finding in &self.findings {
            writeln!(f, "  {finding}")?;
        }
        writeln!(f, "  agents {} · open plans {}", self.agents, list(&self.plans))?;
        for (role, expires) in &self.expires {
            let version = self.versions.get(role).copied();
            let version =
                version.map_or_else(String::new, |version| format!("version {version}, "));
            writeln!(f, "  {role:<10} {version}until {expires:.0}")?;
        }
        Ok(())
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
