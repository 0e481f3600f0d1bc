//! The documents that verified, parsed: which roster, releases and plans may be believed.

use std::collections::BTreeMap;

use std::sync::Arc;

use jiff::Timestamp;
use sigstore_tuf::{DelegatedRole, TargetFile, Targets};

use super::error::TrustError;
use super::offer::Refused;
use crate::documents::canonical::{self, Document};
use crate::documents::ids::Counter;
use crate::documents::keys::SigningRole;
use crate::documents::release::GenesisChange;
use crate::documents::{Abort, Aborts, Digest, Plan, PlanId, Release, Roster};

/// Parsed documents of roles that verified and have not expired.
#[derive(Debug, Clone, Default)]
pub(super) struct Library {
    pub(super) roster: Option<(Digest, Roster)>,
    pub(super) releases: BTreeMap<String, (Digest, Release)>,
    pub(super) plans: BTreeMap<PlanId, Plan>,
    pub(super) aborts: Aborts,
    pub(super) refused: Vec<Refused>,
    /// Listed by their roles, and not held.
    pub(super) withheld: Vec<String>,
    /// The newest `issued` of all documents.
    pub(super) newest: Option<Timestamp>,
}

/// A role that may speak now.
#[derive(Clone, Copy)]
pub(super) struct Speaker<'a> {
    pub(super) role: SigningRole,
    pub(super) delegation: &'a DelegatedRole,
    pub(super) targets: &'a Targets,
}

/// What a library is made of.
pub(super) struct Sources<'a> {
    pub(super) network: &'a str,
    pub(super) speakers: Vec<Speaker<'a>>,
    pub(super) files: &'a BTreeMap<String, Vec<u8>>,
    /// No document may say that it was issued later.
    pub(super) latest_issue: Timestamp,
}

/// Whether `path` is of another network, which is none of this library's business.
pub(super) fn is_foreign(role: SigningRole, path: &str, network: &str) -> bool {
    role != SigningRole::Release && path.split('/').nth(1).is_some_and(|named| named != network)
}

impl Library {
    /// Parses what is new; a document that the library before held is taken from there.
    pub(super) fn build(before: Library, sources: &Sources) -> Library {
        let mut built = Library::default();
        let mut before = before;
        for speaker in &sources.speakers {
            for (path, listed) in &speaker.targets.targets {
                if is_foreign(speaker.role, path, sources.network) {
                    continue;
                }
                if let Err(error) = built.add(&mut before, sources, *speaker, path, listed) {
                    built.refused.push(Refused { subject: path.clone(), error });
                }
            }
        }
        built.hold_back();
        built
    }

    fn add(
        &mut self,
        before: &mut Library,
        sources: &Sources,
        speaker: Speaker,
        path: &str,
        listed: &TargetFile,
    ) -> Result<(), TrustError> {
        may_sign(speaker, path)?;
        let Some(bytes) = sources.files.get(path) else {
            self.withheld.push(path.into());
            return Err(TrustError::Withheld { what: path.into() });
        };
        let digest = Digest::of(bytes);
        debug_assert_eq!(listed.hashes.get("sha256").map(String::as_str), Some(digest.hex()));
        match speaker.role {
            SigningRole::Roster => self.add_roster(before, sources, path, bytes, digest),
            SigningRole::Release if path.ends_with("/genesis.yaml") => Ok(()),
            SigningRole::Release => self.add_release(before, sources, path, bytes, digest),
            SigningRole::Abort => self.add_abort(sources, path, bytes),
            SigningRole::Hotfix | SigningRole::Drill | SigningRole::Emergency => {
                self.add_plan(before, sources, path, bytes)
            }
        }
    }

    fn add_roster(
        &mut self,
        before: &mut Library,
        sources: &Sources,
        path: &str,
        bytes: &[u8],
        digest: Digest,
    ) -> Result<(), TrustError> {
        let known = before.roster.take_if(|(held, _)| *held == digest);
        let roster = match known {
            Some((_, roster)) => roster,
            None => parse::<Roster>(path, bytes)?,
        };
        at_its_path(path, &roster_path(&roster), "a roster")?;
        self.note(path, roster.issued, sources)?;
        self.roster = Some((digest, roster));
        Ok(())
    }

    fn add_release(
        &mut self,
        before: &mut Library,
        sources: &Sources,
        path: &str,
        bytes: &[u8],
        digest: Digest,
    ) -> Result<(), TrustError> {
        let name = path.trim_start_matches("release/").trim_end_matches(".json");
        let known = before.releases.remove(name).filter(|(held, _)| *held == digest);
        let release = match known {
            Some((_, release)) => release,
            None => parse::<Release>(path, bytes)?,
        };
        at_its_path(path, &release_path(&release), "a release")?;
        self.note(path, release.issued, sources)?;
        if let GenesisChange::Replaced { digest, length } = &release.genesis {
            let file = release.genesis_path();
            let other = || TrustError::Mismatch { what: file.clone(), source: None };
            match sources.files.get(&file) {
                None => return Err(TrustError::Withheld { what: file }),
                Some(content) if content.len() as u64 != *length => return Err(other()),
                Some(content) if Digest::of(content) != *digest => return Err(other()),
                Some(_) => {}
            }
        }
        self.releases.insert(release.version.clone(), (digest, release));
        Ok(())
    }

    fn add_plan(
        &mut self,
        before: &mut Library,
        sources: &Sources,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), TrustError> {
        let digest = Digest::of(bytes);
        let known = before.plans.keys().find(|id| id.digest == digest).cloned();
        let plan = match known.and_then(|id| before.plans.remove(&id)) {
            Some(plan) => plan,
            None => parse::<Plan>(path, bytes)?,
        };
        at_its_path(path, &plan.path(), "a plan")?;
        self.note(path, plan.issued, sources)?;
        self.plans.insert(plan.id(bytes), plan);
        Ok(())
    }

    fn add_abort(&mut self, sources: &Sources, path: &str, bytes: &[u8]) -> Result<(), TrustError> {
        let abort = parse::<Abort>(path, bytes)?;
        at_its_path(path, &abort.path(), "an abort")?;
        self.note(path, abort.issued, sources)?;
        self.aborts.insert(abort.plan.clone(), abort);
        Ok(())
    }

    fn note(&mut self, path: &str, issued: Timestamp, sources: &Sources) -> Result<(), TrustError> {
        let limit = sources.latest_issue;
        if issued > limit {
            return Err(TrustError::IssuedInFuture { path: path.into(), issued, limit });
        }
        self.newest = self.newest.max(Some(issued));
        Ok(())
    }

    /// A plan waits for every lower serial of its counter that its role lists and nobody delivered:
    /// an agent that admits 42 first would have to refuse 41 for ever.
    fn hold_back(&mut self) {
        let mut lowest: BTreeMap<Counter, (u64, String)> = BTreeMap::new();
        for path in &self.withheld {
            let Some((counter, serial)) = serial_of(path) else { continue };
            let entry = lowest.entry(counter).or_insert((serial, path.clone()));
            if serial < entry.0 {
                *entry = (serial, path.clone());
            }
        }
        let waits = |id: &PlanId| {
            lowest.get(&id.class.counter()).filter(|(missing, _)| id.serial > *missing)
        };
        let refused = &mut self.refused;
        self.plans.retain(|id, plan| match waits(id) {
            None => true,
            Some((_, missing)) => {
                let error = TrustError::Withheld { what: missing.clone() };
                refused.push(Refused { subject: plan.path(), error });
                false
            }
        });
    }
}

/// Counter and serial of a plan's path.
fn serial_of(path: &str) -> Option<(Counter, u64)> {
    let mut parts = path.split('/');
    let class: crate::documents::Class = parts.next()?.parse().ok()?;
    let serial = parts.nth(1)?.strip_suffix(".json")?.parse().ok()?;
    Some((class.counter(), serial))
}

fn may_sign(speaker: Speaker, path: &str) -> Result<(), TrustError> {
    let outside = || TrustError::PathOutside { role: speaker.role.to_string(), path: path.into() };
    // The role's own directory holds even where `targets` named wider patterns.
    let own = path.split('/').next() == Some(speaker.role.name());
    let named = speaker.delegation.matches_path(path).unwrap_or(false);
    if own && named { Ok(()) } else { Err(outside()) }
}

fn parse<D: Document>(path: &str, bytes: &[u8]) -> Result<D, TrustError> {
    let bad = |source| TrustError::Document { path: path.into(), source: Arc::new(source) };
    canonical::from_bytes(bytes).map_err(bad)
}

fn at_its_path(path: &str, own: &str, what: &str) -> Result<(), TrustError> {
    if path == own {
        return Ok(());
    }
    Err(TrustError::PathMismatch { path: path.into(), found: format!("{what} of {own}") })
}

/// Target path of a roster.
pub(super) fn roster_path(roster: &Roster) -> String {
    format!("roster/{}/roster.json", roster.network)
}

/// Target path of a release.
pub(super) fn release_path(release: &Release) -> String {
    format!("release/{}.json", release.version)
}
