//! Who may sign what: the root of trust and the keys of the roles, as officers write them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{Class, Counter, PublicKey};

/// The root of trust. Becomes TUF `root`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootSpec {
    /// From 1 on, by one with every root.
    pub version: u64,
    /// After this nothing below the root counts. Whole seconds.
    pub expires: Timestamp,
    /// The networks whose documents hang on this root, such as `mainnet`.
    pub networks: Vec<String>,
    /// Officers by name; their keys are offline.
    pub officers: BTreeMap<String, PublicKey>,
    /// Publishers by name; their keys are online and sign freshness only.
    pub publishers: BTreeMap<String, PublicKey>,
    /// Officers who sign the next root.
    pub root: Signers,
    /// Officers who name the keys of all other roles.
    pub targets: Signers,
    /// Publishers who pin all roles' versions.
    pub snapshot: Signers,
    /// Publishers who sign each minute that this is the newest.
    pub timestamp: Signers,
    /// Replaces the agents' ledgers: the cure when a stolen key burnt the serials.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub serial_floor: BTreeMap<Counter, u64>,
}

/// The keys of the delegated roles. Becomes TUF `targets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysSpec {
    /// After this none of the roles counts, emergencies included. Whole seconds.
    pub expires: Timestamp,
    /// Officers by name; their keys are offline.
    pub officers: BTreeMap<String, PublicKey>,
    /// A role that is missing cannot be signed by anybody.
    pub roles: BTreeMap<SigningRole, RoleSigners>,
}

/// k of n.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signers {
    /// Good signatures of different keys that are needed, at least 1.
    pub threshold: u32,
    /// Names whose keys count.
    pub keys: Vec<String>,
}

/// k of n, and how long what they sign lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleSigners {
    /// Good signatures of different keys that are needed, at least 1.
    pub threshold: u32,
    /// Names whose keys count.
    pub keys: Vec<String>,
    /// From freezing until the role's metadata expires, in seconds.
    pub expires_in_s: u64,
}

/// The roles that `targets` hands keys to; each has paths of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SigningRole {
    /// Signs the rosters.
    Roster,
    /// Signs the releases and their files.
    Release,
    /// Signs ordinary plans.
    Hotfix,
    /// Signs rehearsals.
    Drill,
    /// Signs stops and pauses.
    Emergency,
    /// Signs that a plan is aborted.
    Abort,
}

impl SigningRole {
    /// Every role.
    pub const ALL: [SigningRole; 6] =
        [Self::Roster, Self::Release, Self::Hotfix, Self::Drill, Self::Emergency, Self::Abort];

    /// The role's name in TUF, and the first part of its paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roster => "roster",
            Self::Release => "release",
            Self::Hotfix => Class::Hotfix.role(),
            Self::Drill => Class::Drill.role(),
            Self::Emergency => Class::Emergency.role(),
            Self::Abort => "abort",
        }
    }

    /// The paths it may sign for, as TUF patterns: `*` stands for one part or a piece of it.
    pub fn patterns(self) -> &'static [&'static str] {
        match self {
            Self::Roster => &["roster/*/roster.json"],
            Self::Release => &["release/*.json", "release/*/genesis.yaml"],
            Self::Hotfix => &["hotfix/*/*.json"],
            Self::Drill => &["drill/*/*.json"],
            Self::Emergency => &["emergency/*/*.json"],
            Self::Abort => &["abort/*/*.json"],
        }
    }

    /// The class of plan it signs, if it signs plans.
    pub fn class(self) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.role() == self.name())
    }
}

impl From<Class> for SigningRole {
    fn from(class: Class) -> Self {
        match class {
            Class::Hotfix => Self::Hotfix,
            Class::Drill => Self::Drill,
            Class::Emergency => Self::Emergency,
        }
    }
}

impl fmt::Display for SigningRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SigningRole {
    type Err = BadSpec;
    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| BadSpec::Role { role: text.into() })
    }
}

/// Why a root or the keys of roles were refused before anybody signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what its fields are")]
pub enum BadSpec {
    /// A name that nobody is listed under.
    #[error("D901: {role} lists {name}, and nobody of that name is among its people")]
    Nobody { role: String, name: String },
    /// Two names with one key, or one name twice, would count twice.
    #[error("D902: {first} and {second} are one key; a key counts once, list it once")]
    OneKeyTwice { first: String, second: String },
    /// Nobody could ever sign, or nobody has to.
    #[error("D903: {role} asks for {threshold} of {keys} keys; ask for 1 to {keys}")]
    Threshold { role: String, threshold: u32, keys: usize },
    /// A key on a machine that is always on must not sign what stays.
    #[error("D904: the publisher {name} has an officer's key; make the publisher a key of its own")]
    OnlineKey { name: String },
    /// Not shown as it is written, or too long for a table.
    #[error("D905: {name:?} is no name: 1 to 40 of letters, digits, `-`, `_`, `.`, `@`")]
    Name { name: String },
    /// No such role.
    #[error("D906: {role:?} is no role: roster, release, hotfix, drill, emergency or abort")]
    Role { role: String },
    /// Metadata that is born dead.
    #[error("D907: {what} expires at {expires}, which is past; choose a later date")]
    Expired { what: String, expires: Timestamp },
    /// Nobody could use it.
    #[error("D908: the root serves no network, or one whose name is not `[a-z0-9-]{{1,32}}`")]
    Networks,
    /// Longer than anybody can rely on, or shorter than a signing round takes.
    #[error("D909: {role} lasts {seconds} s; choose an hour to ten years")]
    Lifetime { role: String, seconds: u64 },
}

impl BadSpec {
    /// The stable code, such as `D901`.
    pub fn code(&self) -> &'static str {
        match self {
            BadSpec::Nobody { .. } => "D901",
            BadSpec::OneKeyTwice { .. } => "D902",
            BadSpec::Threshold { .. } => "D903",
            BadSpec::OnlineKey { .. } => "D904",
            BadSpec::Name { .. } => "D905",
            BadSpec::Role { .. } => "D906",
            BadSpec::Expired { .. } => "D907",
            BadSpec::Networks => "D908",
            BadSpec::Lifetime { .. } => "D909",
        }
    }
}

/// An hour: shorter and it dies while officers sign.
const SHORTEST_LIFE_S: u64 = 3600;
/// Ten years.
const LONGEST_LIFE_S: u64 = 10 * 366 * 24 * 3600;

impl RootSpec {
    /// Whether it can be signed and used.
    ///
    /// # Errors
    /// [`BadSpec`].
    pub fn check(&self, now: Timestamp) -> Result<(), BadSpec> {
        people(&self.officers)?;
        people(&self.publishers)?;
        let officers: BTreeSet<_> = self.officers.values().collect();
        if let Some((name, _)) = self.publishers.iter().find(|(_, key)| officers.contains(key)) {
            return Err(BadSpec::OnlineKey { name: name.clone() });
        }
        quorum("root", &self.root, &self.officers)?;
        quorum("targets", &self.targets, &self.officers)?;
        quorum("snapshot", &self.snapshot, &self.publishers)?;
        quorum("timestamp", &self.timestamp, &self.publishers)?;
        if self.networks.is_empty() || !self.networks.iter().all(|name| is_network(name)) {
            return Err(BadSpec::Networks);
        }
        alive("root", self.expires, now)
    }
}

impl KeysSpec {
    /// Whether it can be signed and used.
    ///
    /// # Errors
    /// [`BadSpec`].
    pub fn check(&self, now: Timestamp) -> Result<(), BadSpec> {
        people(&self.officers)?;
        for (role, signers) in &self.roles {
            let k_of_n = Signers { threshold: signers.threshold, keys: signers.keys.clone() };
            quorum(role.name(), &k_of_n, &self.officers)?;
            if !(SHORTEST_LIFE_S..=LONGEST_LIFE_S).contains(&signers.expires_in_s) {
                let seconds = signers.expires_in_s;
                return Err(BadSpec::Lifetime { role: role.to_string(), seconds });
            }
        }
        alive("targets", self.expires, now)
    }
}

/// A network's name as it stands in paths.
pub fn is_network(name: &str) -> bool {
    let body = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(body)
}

fn people(people: &BTreeMap<String, PublicKey>) -> Result<(), BadSpec> {
    let mut seen: BTreeMap<&PublicKey, &String> = BTreeMap::new();
    for (name, key) in people {
        let body = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if !(1..=40).contains(&name.len()) || !name.chars().all(body) {
            return Err(BadSpec::Name { name: name.clone() });
        }
        if let Some(first) = seen.insert(key, name) {
            return Err(BadSpec::OneKeyTwice { first: first.clone(), second: name.clone() });
        }
    }
    Ok(())
}

fn quorum(
    role: &str,
    signers: &Signers,
    people: &BTreeMap<String, PublicKey>,
) -> Result<(), BadSpec> {
    let mut seen = BTreeSet::new();
    for name in &signers.keys {
        if !people.contains_key(name) {
            return Err(BadSpec::Nobody { role: role.into(), name: name.clone() });
        }
        if !seen.insert(name) {
            return Err(BadSpec::OneKeyTwice { first: name.clone(), second: name.clone() });
        }
    }
    let (threshold, keys) = (signers.threshold, signers.keys.len());
    let fine = threshold >= 1 && threshold as usize <= keys;
    if fine { Ok(()) } else { Err(BadSpec::Threshold { role: role.into(), threshold, keys }) }
}

fn alive(what: &str, expires: Timestamp, now: Timestamp) -> Result<(), BadSpec> {
    if expires > now { Ok(()) } else { Err(BadSpec::Expired { what: what.into(), expires }) }
}
