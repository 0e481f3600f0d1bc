//! What may be asked of a [`Trust`].

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::driver::Trust;
use super::error::TrustError;
use super::library::is_foreign;
use super::metadata::RootExtra;
use super::offer::{Offer, Refused, Versions};
use super::view::{RoleState, RoleView, Signer};
use crate::documents::ids::Counter;
use crate::documents::keys::SigningRole;
use crate::documents::plan::ReleaseRef;
use crate::documents::{Aborts, Digest, Plan, PlanId, Release, Roster};

/// Roles that can take a permission away: as long as something of theirs is withheld, nothing that
/// is held counts as fresh.
const RESTRAINING: [SigningRole; 3] =
    [SigningRole::Roster, SigningRole::Emergency, SigningRole::Abort];

impl Trust {
    /// The network that documents are read for.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Digest of the root that was pinned out of band.
    pub fn pinned_root(&self) -> &Digest {
        &self.first
    }

    /// The versions that are held.
    pub fn versions(&self) -> Versions {
        let whole = self.withheld().is_empty();
        Versions {
            root: self.tuf.trusted_root().version,
            timestamp: self.tuf.trusted_timestamp().map_or(0, |it| it.version),
            snapshot: self.tuf.trusted_snapshot().filter(|_| whole).map_or(0, |it| it.version),
        }
    }

    /// The roster, while its role may speak.
    pub fn roster(&self) -> Option<&Roster> {
        self.library.roster.as_ref().map(|(_, roster)| roster)
    }

    /// The newest roster that ever verified, expired or not: to know people and keys by, never to
    /// begin anything by.
    pub fn last_roster(&self) -> Option<&Roster> {
        self.roster().or(self.last_roster.as_ref())
    }

    /// Plans of this network whose role may speak, as of the last [`take`](Trust::take).
    pub fn plans(&self) -> &BTreeMap<PlanId, Plan> {
        &self.library.plans
    }

    /// Aborts of this network whose role may speak. A ledger keeps them for longer.
    pub fn aborts(&self) -> &Aborts {
        &self.library.aborts
    }

    /// The canonical JSON of a plan.
    pub fn plan_bytes(&self, id: &PlanId) -> Option<&[u8]> {
        self.file(&self.plans().get(id)?.path())
    }

    /// A release by its digest.
    pub fn release(&self, of: &ReleaseRef) -> Option<&Release> {
        let (digest, release) = self.library.releases.get(&of.version)?;
        (*digest == of.digest).then_some(release)
    }

    /// Every release whose role may speak, with its version.
    pub fn releases(&self) -> impl Iterator<Item = (&str, &Release)> {
        self.library.releases.iter().map(|(version, (_, release))| (version.as_str(), release))
    }

    /// A release by version, with the reference that a plan takes.
    pub fn release_named(&self, version: &str) -> Option<(ReleaseRef, &Release)> {
        let (digest, release) = self.library.releases.get(version)?;
        let reference = ReleaseRef { version: version.into(), digest: digest.clone() };
        Some((reference, release))
    }

    /// The content of a target, exactly as its verified role lists it.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let role: SigningRole = path.split('/').next()?.parse().ok()?;
        let listed = self.tuf.role(role.name())?.target(path).is_some();
        self.files.get(path).filter(|_| listed).map(Vec::as_slice)
    }

    /// Until when what is held counts as the newest: the earlier expiry of timestamp and snapshot.
    /// None without them, or while a board withholds something of roster or emergency.
    pub fn fresh_until(&self) -> Option<Timestamp> {
        let timestamp = self.tuf.trusted_timestamp()?;
        let snapshot = self.tuf.trusted_snapshot()?;
        let restrains = |path: &String| {
            let first = path.split('/').next().unwrap_or_default();
            first == "targets" || RESTRAINING.iter().any(|role| role.name() == first)
        };
        if self.withheld().iter().any(restrains) {
            return None;
        }
        Some(timestamp.expires.min(snapshot.expires))
    }

    /// Roles that the snapshot pins and targets that roles list, which nobody has delivered.
    pub fn withheld(&self) -> Vec<String> {
        let pinned = self.tuf.trusted_snapshot().into_iter().flat_map(|it| it.meta.keys());
        let roles = pinned.filter_map(|name| name.strip_suffix(".json"));
        let known = |role: &&str| *role == "targets" || role.parse::<SigningRole>().is_ok();
        let missing = roles.filter(known).filter(|role| !self.pool.contains_key(*role));
        missing.map(str::to_owned).chain(self.library.withheld.iter().cloned()).collect()
    }

    /// What is held and may not speak, and why; stays until it is mended.
    pub fn troubles(&self) -> Vec<Refused> {
        let roles = self
            .bad
            .iter()
            .map(|(subject, error)| Refused { subject: subject.clone(), error: error.clone() });
        roles.chain(self.library.refused.iter().cloned()).collect()
    }

    /// The newest `issued` in documents that officers signed.
    pub fn floor(&self) -> Timestamp {
        self.floor
    }

    /// The time to reckon with: the clock, and never before the floor.
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.floor)
    }

    /// The root's serial floor for this counter, if officers set one.
    pub fn serial_floor(&self, counter: Counter) -> Option<u64> {
        self.extra.serial_floor.get(&counter).copied()
    }

    /// What the trusted root says beyond TUF.
    pub fn root_extra(&self) -> &RootExtra {
        &self.extra
    }

    /// When each piece of metadata that is held expires, soonest first.
    pub fn expiries(&self) -> Vec<(String, Timestamp)> {
        let root = Some(("root".to_owned(), self.tuf.trusted_root().expires));
        let timestamp = self.tuf.trusted_timestamp().map(|it| ("timestamp".into(), it.expires));
        let snapshot = self.tuf.trusted_snapshot().map(|it| ("snapshot".into(), it.expires));
        let names = ["targets"].into_iter().chain(SigningRole::ALL.map(SigningRole::name));
        let role = |name: &str| Some((name.to_owned(), self.tuf.role(name)?.expires));
        let mut all: Vec<_> = [root, timestamp, snapshot].into_iter().flatten().collect();
        all.extend(names.filter_map(role));
        all.sort_by_key(|(_, expires)| *expires);
        all
    }

    /// The roles that officers sign: who, how many, until when, what is wrong.
    pub fn roles(&self) -> Vec<RoleView> {
        let root = self.tuf.trusted_root();
        let mut views = vec![
            self.top_view("root", root.version, Some(root.expires)),
            self.role_view("targets", None),
        ];
        let delegated = SigningRole::ALL.into_iter().filter(|it| self.delegation(*it).is_some());
        views.extend(delegated.map(|role| self.role_view(role.name(), Some(role))));
        views
    }

    fn top_view(&self, name: &str, version: u64, expires: Option<Timestamp>) -> RoleView {
        let keys = self.tuf.trusted_root().role(name);
        RoleView {
            name: name.into(),
            version,
            expires,
            threshold: keys.map_or(0, |it| it.threshold),
            signers: signers(keys.map_or(&[], |it| &it.keyids), &self.extra.names),
            state: RoleState::Good,
        }
    }

    fn role_view(&self, name: &str, role: Option<SigningRole>) -> RoleView {
        let loaded = self.tuf.role(name);
        let (version, expires) = loaded.map_or((0, None), |it| (it.version, Some(it.expires)));
        let mut view = self.top_view(name, version, expires);
        if let Some(delegation) = role.and_then(|role| self.delegation(role)) {
            let names = self.keys_extra().unwrap_or_default().names;
            view.threshold = delegation.threshold;
            view.signers = signers(&delegation.keyids, &names);
        }
        view.state = match (self.bad.get(name), loaded) {
            (Some(error), _) => RoleState::Refused(error.to_string()),
            (None, Some(_)) => RoleState::Good,
            (None, None) if self.withheld().iter().any(|it| it == name) => RoleState::Withheld,
            (None, None) => RoleState::Unused,
        };
        view
    }

    /// Everything that is held: to serve on, to put into drafts. Roots above `since_root` only.
    pub fn offer(&self, since_root: u64) -> Offer {
        Offer {
            roots: self
                .roots
                .range(since_root.saturating_add(1)..)
                .map(|it| it.1.clone())
                .collect(),
            timestamp: self.tuf.timestamp_bytes().map(<[u8]>::to_vec),
            snapshot: self.tuf.snapshot_bytes().map(<[u8]>::to_vec),
            roles: self.pool.clone(),
            targets: self.files.clone(),
        }
    }

    /// The pinned root and all after it, by version.
    pub fn roots(&self) -> &BTreeMap<u64, Vec<u8>> {
        &self.roots
    }

    /// Targets of `role` that belong to this network (releases belong to all), listed and held.
    pub(super) fn own_targets(&self, role: SigningRole) -> Result<Vec<&str>, TrustError> {
        let listed = self.tuf.role(role.name()).into_iter().flat_map(|it| it.targets.keys());
        let own = listed.filter(|path| !is_foreign(role, path, &self.network));
        own.map(|path| match self.files.contains_key(path) {
            true => Ok(path.as_str()),
            false => Err(TrustError::Withheld { what: path.clone() }),
        })
        .collect()
    }
}

fn signers(keyids: &[String], names: &BTreeMap<String, String>) -> Vec<Signer> {
    let mut signers: Vec<_> = keyids
        .iter()
        .map(|id| Signer {
            name: names.get(id).cloned().unwrap_or_else(|| id.chars().take(8).collect()),
            key_id: id.clone(),
        })
        .collect();
    signers.sort();
    signers
}
