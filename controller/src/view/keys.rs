//! The root of trust and the keys of the roles in words: who can sign what, and what changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use muster_proto::documents::PublicKey;
use muster_proto::documents::ids::Counter;
use muster_proto::documents::keys::{KeysSpec, RootSpec, Signers};
use muster_proto::trust::RoleView;
use muster_proto::trust::keys::key_id;
use serde::Serialize;

use super::table;
use super::words::{count, date, labelled, span};

/// A root, or the keys of the roles, ready to be read.
#[derive(Debug, Clone, Serialize)]
pub struct Authority {
    /// `root` or `keys`.
    pub kind: &'static str,
    /// Of the new metadata, when it is known.
    pub version: Option<u64>,
    /// After this nothing below counts.
    pub expires: Timestamp,
    /// The networks that hang on it; only of a root.
    pub networks: Vec<String>,
    /// Who can sign what.
    pub roles: Vec<Who>,
    /// Everybody with his key.
    pub people: Vec<Person>,
    /// Against what is in force, one line each; none for the first.
    pub changes: Option<Vec<String>>,
    /// Replaces the agents' ledgers.
    pub serial_floor: BTreeMap<Counter, u64>,
}

/// One role.
#[derive(Debug, Clone, Serialize)]
pub struct Who {
    /// Such as `hotfix`.
    pub role: String,
    /// So many must sign.
    pub threshold: u32,
    /// Of these.
    pub names: Vec<String>,
    /// How long what they sign lasts, in milliseconds, when it is of limited life.
    pub life_ms: Option<u64>,
}

/// Somebody, or a publisher.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// As the document names him.
    pub name: String,
    /// A publisher's key is online.
    pub online: bool,
    /// Public half.
    pub key: PublicKey,
    /// As signatures name it.
    pub key_id: String,
}

/// Reads a root; `held` are the roles in force, when there are any.
pub fn root(spec: &RootSpec, held: Option<&[RoleView]>) -> Authority {
    let roles = [
        ("root", &spec.root),
        ("targets", &spec.targets),
        ("snapshot", &spec.snapshot),
        ("timestamp", &spec.timestamp),
    ];
    let roles: Vec<_> = roles.iter().map(|(role, signers)| who(role, signers, None)).collect();
    let mut people = persons(&spec.officers, false);
    people.extend(persons(&spec.publishers, true));
    Authority {
        kind: "root",
        version: Some(spec.version),
        expires: spec.expires,
        networks: spec.networks.clone(),
        changes: held.map(|held| changes(held, &roles, &people)),
        roles,
        people,
        serial_floor: spec.serial_floor.clone(),
    }
}

/// Reads the keys of the roles; `held` are the roles in force, when there are any.
pub fn keys(spec: &KeysSpec, held: Option<&[RoleView]>) -> Authority {
    let one = |(role, signers): (
        &muster_proto::documents::keys::SigningRole,
        &muster_proto::documents::keys::RoleSigners,
    )| {
        let quorum = Signers { threshold: signers.threshold, keys: signers.keys.clone() };
        who(role.name(), &quorum, Some(signers.expires_in_s * 1_000))
    };
    let roles: Vec<_> = spec.roles.iter().map(one).collect();
    let people = persons(&spec.officers, false);
    Authority {
        kind: "keys",
        version: None,
        expires: spec.expires,
        networks: Vec::new(),
        changes: held.map(|held| changes(held, &roles, &people)),
        roles,
        people,
        serial_floor: BTreeMap::new(),
    }
}

fn who(role: &str, signers: &Signers, life_ms: Option<u64>) -> Who {
    let (threshold, names) = (signers.threshold, signers.keys.clone());
    Who { role: role.into(), threshold, names, life_ms }
}

fn persons(all: &BTreeMap<String, PublicKey>, online: bool) -> Vec<Person> {
    let one = |(name, key): (&String, &PublicKey)| Person {
        name: name.clone(),
        online,
        key: *key,
        key_id: key_id(key),
    };
    all.iter().map(one).collect()
}

fn changes(held: &[RoleView], roles: &[Who], people: &[Person]) -> Vec<String> {
    let id = |name: &String| people.iter().find(|it| it.name == *name).map(|it| it.key_id.clone());
    let mut all = Vec::new();
    for new in roles {
        let Some(old) = held.iter().find(|old| old.name == new.role) else {
            all.push(format!("{} is new", new.role));
            continue;
        };
        if old.threshold != new.threshold as usize {
            all.push(format!("{}: threshold {} → {}", new.role, old.threshold, new.threshold));
        }
        let before: BTreeMap<_, _> =
            old.signers.iter().map(|it| (it.key_id.clone(), it.name.clone())).collect();
        let after: BTreeSet<_> = new.names.iter().filter_map(id).collect();
        let gone = before.iter().filter(|(key, _)| !after.contains(*key));
        all.extend(gone.map(|(_, name)| format!("{}: {name} may not sign any more", new.role)));
        let joins =
            new.names.iter().filter(|name| id(name).is_some_and(|id| !before.contains_key(&id)));
        all.extend(
            joins.map(|name| format!("{}: {name} may sign, with a key new to it", new.role)),
        );
    }
    all
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.map_or(String::new(), |version| format!(" {version}"));
        let networks = match self.networks.is_empty() {
            true => String::new(),
            false => format!(" of {}", self.networks.join(", ")),
        };
        let people = count(self.people.len(), "key");
        writeln!(f, "{}{version}{networks} · {people} · until {}", self.kind, date(self.expires))?;
        match &self.changes {
            None => writeln!(f, "{}", labelled("replaces", "nothing: this is the first"))?,
            Some(changes) if changes.is_empty() => {
                writeln!(f, "{}", labelled("changes", "no key and no threshold"))?;
            }
            Some(changes) => {
                for (at, change) in changes.iter().enumerate() {
                    writeln!(f, "{}", labelled(if at == 0 { "changes" } else { "" }, change))?;
                }
            }
        }
        for (counter, floor) in &self.serial_floor {
            let text = format!("{counter:?} serials begin again above {floor}, for every agent");
            writeln!(f, "{}", labelled("FLOOR", &text))?;
        }
        let mut rows = table::plain(&["role", "signatures", "by any of", "lasts"]);
        for who in &self.roles {
            let quorum = format!("{} of {}", who.threshold, who.names.len());
            let life = who.life_ms.map_or("–".into(), span);
            rows.add_row([who.role.clone(), quorum, who.names.join(", "), life]);
        }
        writeln!(f, "\n{}", table::text(&rows))?;
        let mut rows = table::plain(&["name", "kept", "key id"]);
        for person in &self.people {
            let kept = if person.online { "online" } else { "offline" };
            rows.add_row([person.name.clone(), kept.into(), person.key_id[..16].to_owned() + "…"]);
        }
        f.write_str(&table::text(&rows))
    }
}
