//! The root of trust and the keys of the roles below it, as their authors write them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::codes::Code;
use super::document::{AuthorDocument, Parsed};
use super::fields::{Fields, Read, Reader};
use super::finding::{Finding, Refused};
use super::node::Node;
use super::source::Places;
use super::values::{Millis, Word};
use crate::documents::ids::{Counter, PublicKey};

/// `muster: root/v1`: keys and thresholds of root, targets, snapshot and timestamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootYaml {
    /// The network whose documents hang on it.
    pub network: String,
    /// From 1 on; by default the one after the newest.
    pub version: Option<u64>,
    /// After this nobody believes it.
    pub expires: Timestamp,
    /// Keys of people, by name.
    pub officers: BTreeMap<String, PublicKey>,
    /// Keys of the publisher, by name: online.
    pub publisher: BTreeMap<String, PublicKey>,
    /// Who signs the next root.
    pub root: Signers,
    /// Who signs the keys of the roles below.
    pub targets: Signers,
    /// Which of the publisher's keys signs snapshots.
    pub snapshot: Signers,
    /// Which of the publisher's keys signs timestamps.
    pub timestamp: Signers,
    /// Replaces the agents' ledger for a counter whose serials were burnt.
    pub serial_floor: BTreeMap<Counter, u64>,
}

/// `muster: keys/v1`: keys and thresholds of the delegated roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysYaml {
    /// Whose.
    pub network: String,
    /// After this nobody believes it.
    pub expires: Timestamp,
    /// Keys of people, by name.
    pub officers: BTreeMap<String, PublicKey>,
    /// By role: roster, release, hotfix, drill, emergency.
    pub roles: BTreeMap<String, RoleYaml>,
}

/// Who signs, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// How many must sign.
    pub threshold: u32,
    /// By name.
    pub keys: Vec<String>,
}

/// A delegated role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleYaml {
    /// Who signs.
    pub signers: Signers,
    /// For how long its documents are believed once signed; a year by default.
    pub expires_in: Millis,
}

/// The delegated roles, in the order people read them.
pub const ROLES: [&str; 6] = ["roster", "release", "hotfix", "drill", "emergency", "abort"];

/// A year.
const ROLE_LIFE: Millis = Millis(365 * 86_400_000);

impl AuthorDocument for RootYaml {
    const KIND: &'static str = "root/v1";

    fn fields(mut f: Fields<'_>, r: &mut Reader<'_>) -> Option<Self> {
        let network = f.need("network", r);
        let version = f.may("version", r);
        let expires = f.need("expires", r);
        let officers = f.need("officers", r);
        let publisher = f.need("publisher", r);
        let root = f.need("root", r);
        let targets = f.need("targets", r);
        let snapshot = f.need("snapshot", r);
        let timestamp = f.need("timestamp", r);
        let serial_floor = f.or("serial-floor", Floors::default(), r);
        f.end(r);
        Some(Self {
            network: network?,
            version: version?,
            expires: expires?,
            officers: officers?,
            publisher: publisher?,
            root: root?,
            targets: targets?,
            snapshot: snapshot?,
            timestamp: timestamp?,
            serial_floor: serial_floor?.0,
        })
    }
}

impl AuthorDocument for KeysYaml {
    const KIND: &'static str = "keys/v1";

    fn fields(mut f: Fields<'_>, r: &mut Reader<'_>) -> Option<Self> {
        let network = f.need("network", r);
        let expires = f.need("expires", r);
        let officers = f.need("officers", r);
        let roles = f.need::<Roles>("roles", r);
        f.end(r);
        Some(Self { network: network?, expires: expires?, officers: officers?, roles: roles?.0 })
    }
}

#[derive(Default)]
struct Floors(BTreeMap<Counter, u64>);

impl Read for Floors {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let mut floors = BTreeMap::new();
        for (name, counter) in Counter::WORDS {
            if let Some(floor) = f.may(name, r)? {
                floors.insert(*counter, floor);
            }
        }
        f.end(r);
        Some(Self(floors))
    }
}

struct Roles(BTreeMap<String, RoleYaml>);

impl Read for Roles {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let mut roles = BTreeMap::new();
        for name in ROLES {
            if let Some(role) = f.may(name, r)? {
                roles.insert(name.to_owned(), role);
            }
        }
        f.end(r);
        Some(Self(roles))
    }
}

impl Read for Signers {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let (threshold, keys) = (f.or("threshold", 1, r), f.need("keys", r));
        f.end(r);
        Some(Self { threshold: threshold?, keys: keys? })
    }
}

impl Read for RoleYaml {
    fn read(node: &Node, r: &mut Reader<'_>) -> Option<Self> {
        let mut f = Fields::of(node, r)?;
        let threshold = f.need("threshold", r);
        let keys = f.need("keys", r);
        let expires_in = f.or("expires-in", ROLE_LIFE, r);
        f.end(r);
        let signers = Signers { threshold: threshold?, keys: keys? };
        Some(Self { signers, expires_in: expires_in? })
    }
}

/// Refuses a root that could never be signed or believed.
///
/// # Errors
/// `D127`, `D141`–`D145`.
pub fn check_root(
    parsed: &Parsed<RootYaml>,
    previous: Option<u64>,
    now: Timestamp,
) -> Result<(), Refused> {
    let yaml = &parsed.value;
    let mut findings = Vec::new();
    let next = previous.unwrap_or(0) + 1;
    if yaml.version.is_some_and(|version| version != next) {
        let finding = Finding::new(Code::D127, "version").note(format!("the next root is {next}"));
        findings.push(finding.fix(format!("`version: {next}`, or leave it out")));
    }
    expired(yaml.expires, now, &mut findings);
    one_key_one_name(
        &[("officers", &yaml.officers), ("publisher", &yaml.publisher)],
        &mut findings,
    );
    for (role, signers) in [("root", &yaml.root), ("targets", &yaml.targets)] {
        check_signers(role, signers, "officers", &yaml.officers, &mut findings);
    }
    for (role, signers) in [("snapshot", &yaml.snapshot), ("timestamp", &yaml.timestamp)] {
        check_signers(role, signers, "publisher", &yaml.publisher, &mut findings);
    }
    done(findings, &parsed.places)
}

/// Refuses keys that could never sign.
///
/// # Errors
/// `D141`–`D143`, `D145`, `D146`.
pub fn check_keys(parsed: &Parsed<KeysYaml>, now: Timestamp) -> Result<(), Refused> {
    let yaml = &parsed.value;
    let mut findings = Vec::new();
    expired(yaml.expires, now, &mut findings);
    one_key_one_name(&[("officers", &yaml.officers)], &mut findings);
    for role in ROLES {
        match yaml.roles.get(role) {
            Some(found) => {
                let path = format!("roles.{role}");
                check_signers(&path, &found.signers, "officers", &yaml.officers, &mut findings);
            }
            None => findings.push(
                Finding::new(Code::D146, "roles")
                    .note(format!("`{role}` is missing"))
                    .fix(format!("`{role}: {{threshold: 2, keys: […]}}`")),
            ),
        }
    }
    done(findings, &parsed.places)
}

fn done(findings: Vec<Finding>, places: &Places) -> Result<(), Refused> {
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Refused(findings.into_iter().map(|finding| finding.at(places)).collect())),
    }
}

fn expired(expires: Timestamp, now: Timestamp, findings: &mut Vec<Finding>) {
    if expires <= now {
        let finding = Finding::new(Code::D145, "expires").note(format!("it is {now} now"));
        findings.push(finding.fix("a date well ahead: a year for root and keys"));
    }
}

fn one_key_one_name(lists: &[(&str, &BTreeMap<String, PublicKey>)], findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<PublicKey, (&str, &str)> = BTreeMap::new();
    for (list, keys) in lists {
        for (name, key) in *keys {
            if let Some((_, other)) = seen.insert(*key, (list, name)) {
                let finding = Finding::new(Code::D143, format!("{list}.{name}"))
                    .note(format!("the same key as {other}"));
                findings.push(finding.fix("each person makes a key: `muster key new`"));
            }
        }
    }
}

fn check_signers(
    role: &str,
    signers: &Signers,
    list: &str,
    keys: &BTreeMap<String, PublicKey>,
    findings: &mut Vec<Finding>,
) {
    for (at, name) in signers.keys.iter().enumerate().filter(|(_, name)| !keys.contains_key(*name))
    {
        let code = if list == "officers" { Code::D141 } else { Code::D144 };
        let finding = Finding::new(code, format!("{role}.keys[{at}]"))
            .note(format!("`{name}` does not stand under `{list}`"));
        let near = super::nearest::nearest(name, keys.keys().map(String::as_str));
        findings.push(finding.fix(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it under `{list}`"),
        }));
    }
    let different: BTreeSet<_> = signers.keys.iter().collect();
    if signers.threshold == 0 || signers.threshold as usize > different.len() {
        let note = format!("{} of {} different keys", signers.threshold, different.len());
        let finding = Finding::new(Code::D142, format!("{role}.threshold")).note(note);
        findings.push(finding.fix("from 1 to the number of keys"));
    }
}
