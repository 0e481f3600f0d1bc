//! [`Trust`]: everything that one machine believes, and the only way to make it believe more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sigstore_tuf::{DelegatedRole, Metadata, Targets};

use super::error::TrustError;
use super::library::{Library, Sources, Speaker};
use super::limits;
use super::metadata::{KeysExtra, RootExtra};
use super::offer::{Offer, Refused, Taken};
use super::shape;
use super::tuf::{Step, Tuf, bounded};
use crate::documents::keys::SigningRole;
use crate::documents::{Digest, Roster};

/// Verified metadata and documents of one root, read for one network. Pure: feed it with
/// [`Trust::take`], save it with [`StateFile`](super::StateFile).
#[derive(Debug, Clone)]
pub struct Trust {
    pub(super) network: String,
    /// The root that was pinned out of band.
    pub(super) first: Digest,
    /// The pinned root and every root after it, by version.
    pub(super) roots: BTreeMap<u64, Vec<u8>>,
    pub(super) extra: RootExtra,
    pub(super) tuf: Tuf,
    /// Metadata that is exactly what the snapshot pins, verified or not, by role.
    pub(super) pool: BTreeMap<String, Vec<u8>>,
    /// Contents exactly as a verified role lists them, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) library: Library,
    /// Metadata in the pool that may not speak, and why.
    pub(super) bad: BTreeMap<String, TrustError>,
    /// Roles that may speak since the last look.
    speaking: BTreeSet<SigningRole>,
    pub(super) floor: Timestamp,
    pub(super) last_roster: Option<Roster>,
    /// Troubles that were said already.
    reported: BTreeSet<String>,
}

impl Trust {
    /// Begins with the first root: its digest was checked out of band, there is no trust on first use.
    ///
    /// # Errors
    /// [`TrustError::NotThePinnedRoot`], [`TrustError::OtherNetwork`], or what is wrong with it.
    pub fn pin(first_root: &[u8], sha256: &Digest, network: &str) -> Result<Trust, TrustError> {
        bounded("root", first_root, limits::ROOT_BYTES)?;
        let found = Digest::of(first_root);
        if found != *sha256 {
            return Err(TrustError::NotThePinnedRoot { expected: sha256.clone(), found });
        }
        let tuf = Tuf::from_root(first_root)?;
        let extra = shape::root(tuf.trusted_root())?;
        shape::serves(&extra, network)?;
        Ok(Trust {
            network: network.into(),
            first: found,
            roots: BTreeMap::from([(tuf.trusted_root().version, first_root.to_vec())]),
            extra,
            tuf,
            pool: BTreeMap::new(),
            files: BTreeMap::new(),
            library: Library::default(),
            bad: BTreeMap::new(),
            speaking: BTreeSet::new(),
            floor: Timestamp::UNIX_EPOCH,
            last_roster: None,
            reported: BTreeSet::new(),
        })
    }

    /// Loads what was verified before: every signature is checked again, dates are not, so that
    /// floors stand also when everything has expired since.
    pub(super) fn restore(
        (network, first): (&str, &Digest),
        offer: Offer,
        floor: Timestamp,
        last_roster: Option<Roster>,
        clock: Timestamp,
    ) -> Result<Trust, TrustError> {
        let mut roots = offer.roots.iter();
        let pinned = roots.next().ok_or(TrustError::UnknownRole { role: "root".into() })?;
        let mut trust = Trust::pin(pinned, first, network)?;
        for root in roots {
            trust.take_root(root)?;
        }
        if let Some(timestamp) = &offer.timestamp {
            trust.tuf.restore_timestamp(timestamp)?;
        }
        if let Some(snapshot) = &offer.snapshot {
            trust.tuf.restore_snapshot(snapshot)?;
        }
        trust.pool = offer.roles;
        trust.files = offer.targets;
        trust.floor = floor;
        trust.last_roster = last_roster;
        trust.authenticate();
        let now = trust.now(clock);
        // Troubles from before the restart are said again.
        trust.settle(now, &mut Taken { advanced: true, ..Taken::default() });
        trust.reported.clear();
        Ok(trust)
    }

    /// Takes what verifies of `offer` and refuses the rest; one bad role never blocks another.
    ///
    /// Also looks anew at what has expired by `clock`: take an empty offer now and then.
    /// Save afterwards when anything [`advanced`](Taken::advanced).
    pub fn take(&mut self, offer: &Offer, clock: Timestamp) -> Taken {
        let mut taken = Taken::default();
        self.take_roots(offer, &mut taken);
        let now = self.now(clock);
        self.take_pair(offer, now, &mut taken);
        self.take_roles(offer, now, &mut taken);
        self.authenticate();
        self.take_files(offer, now, &mut taken);
        self.settle(now, &mut taken);
        taken
    }

    /// Takes only the roots of `offer`: save, then take the rest.
    pub fn take_only_roots(&mut self, offer: &Offer) -> Taken {
        let mut taken = Taken::default();
        self.take_roots(offer, &mut taken);
        taken
    }

    fn take_roots(&mut self, offer: &Offer, taken: &mut Taken) {
        let (count, limit) = (offer.roots.len(), limits::ROOTS_PER_OFFER);
        if count > limit {
            taken.refuse("root", TrustError::TooMany { what: "the offer".into(), count, limit });
        }
        for bytes in offer.roots.iter().take(limit) {
            if self.roots.values().any(|held| held == bytes) {
                continue;
            }
            match self.take_root(bytes) {
                Ok(version) => {
                    taken.new_roots.push(version);
                    taken.advanced = true;
                }
                // Roots from before the pinned one are no news.
                Err(TrustError::Rollback { .. }) => taken.stale = true,
                Err(error) => return taken.refuse("root", error),
            }
        }
    }

    fn take_root(&mut self, bytes: &[u8]) -> Result<u64, TrustError> {
        let mut next = self.tuf.clone();
        next.root(bytes)?;
        let extra = shape::root(next.trusted_root())?;
        shape::serves(&extra, &self.network)?;
        let version = next.trusted_root().version;
        self.tuf = next;
        self.extra = extra;
        self.roots.insert(version, bytes.to_vec());
        // Roles load again from the pool, under the keys of the new root.
        self.bad.clear();
        Ok(version)
    }

    /// Timestamp and the snapshot it pins are taken together: a timestamp alone would make old
    /// documents look fresh.
    fn take_pair(&mut self, offer: &Offer, now: Timestamp, taken: &mut Taken) {
        let Some(timestamp) = &offer.timestamp else { return };
        if self.tuf.timestamp_bytes() == Some(timestamp) {
            return;
        }
        match self.verified_pair(timestamp, offer.snapshot.as_deref(), now) {
            Ok(None) => {}
            Ok(Some(next)) => {
                let same_roles = next.snapshot_bytes() == self.tuf.snapshot_bytes();
                self.tuf = next;
                taken.advanced = true;
                if !same_roles {
                    self.drop_unpinned();
                }
            }
            Err(TrustError::Rollback { role, .. }) if role == "timestamp" => taken.stale = true,
            Err(error) => taken.refuse("timestamp", error),
        }
    }

    /// None when the timestamp says what the held one says.
    fn verified_pair(
        &self,
        timestamp: &[u8],
        snapshot: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Option<Tuf>, TrustError> {
        let mut next = self.tuf.clone();
        next.check_root(now)?;
        if next.timestamp(timestamp, now)? == Step::Same {
            return Ok(None);
        }
        shape::timestamp(next.trusted_timestamp().expect("it was just taken"))?;
        if next.trusted_snapshot().is_some() && next.snapshot_is_pinned() {
            next.check_fresh(now)?;
            return Ok(Some(next));
        }
        let withheld = || TrustError::Withheld { what: "snapshot".into() };
        let held = next.snapshot_bytes().filter(|_| next.snapshot_is_pinned());
        let snapshot = held.or(snapshot).ok_or_else(withheld)?.to_vec();
        next.snapshot(&snapshot, now)?;
        shape::snapshot(next.trusted_snapshot().expect("it was just taken"))?;
        Ok(Some(next))
    }

    /// After a new snapshot, only what it pins stays in the pool.
    fn drop_unpinned(&mut self) {
        let pool = std::mem::take(&mut self.pool);
        self.bad.clear();
        self.pool = pool.into_iter().filter(|(role, it)| self.pinned(role, it).is_ok()).collect();
    }

    /// Whether these are the very bytes that the snapshot pins for `role`.
    pub(super) fn pinned(&self, role: &str, bytes: &[u8]) -> Result<(), TrustError> {
        let unlisted = || TrustError::Unlisted { what: format!("the metadata of {role}") };
        let snapshot = self.tuf.trusted_snapshot().ok_or_else(unlisted)?;
        let pin = snapshot.meta.get(&format!("{role}.json")).ok_or_else(unlisted)?;
        let digest = Digest::of(bytes);
        let same = pin.length == Some(bytes.len() as u64)
            && pin.hashes.as_ref().and_then(|it| it.get("sha256")).map(String::as_str)
                == Some(digest.hex());
        let what = || format!("version {} of {role}", pin.version);
        if same { Ok(()) } else { Err(TrustError::Mismatch { what: what(), source: None }) }
    }

    fn take_roles(&mut self, offer: &Offer, now: Timestamp, taken: &mut Taken) {
        for (role, bytes) in offer.roles.iter().take(limits::ENTRIES_PER_OFFER) {
            if self.pool.get(role) == Some(bytes) {
                continue;
            }
            match self.may_take_role(role, bytes, now) {
                Ok(()) => {
                    self.pool.insert(role.clone(), bytes.clone());
                    taken.advanced = true;
                }
                Err(error) if self.is_older(role, bytes) => {
                    drop(error);
                    taken.stale = true;
                }
                Err(error) => taken.refuse(role, error),
            }
        }
    }

    fn may_take_role(&self, role: &str, bytes: &[u8], now: Timestamp) -> Result<(), TrustError> {
        bounded(role, bytes, limits::ROLE_BYTES)?;
        if role != "targets" && role.parse::<SigningRole>().is_err() {
            return Err(TrustError::Unlisted { what: format!("a role {role}") });
        }
        self.still_fresh(role, now)?;
        self.pinned(role, bytes)
    }

    fn still_fresh(&self, what: &str, now: Timestamp) -> Result<(), TrustError> {
        self.tuf.check_root(now)?;
        let stale = |_| TrustError::NotFresh { what: what.into() };
        self.tuf.check_fresh(now).map_err(stale)
    }

    /// Whether a board that is behind would offer this: it says a lower version than the pinned one.
    fn is_older(&self, role: &str, bytes: &[u8]) -> bool {
        let pin = self.tuf.trusted_snapshot().and_then(|it| it.meta.get(&format!("{role}.json")));
        let claimed = Metadata::<Targets>::from_slice(bytes).map(|it| it.signed().version);
        matches!((pin, claimed), (Some(pin), Ok(version)) if version < pin.version)
    }

    /// Loads every role of the pool that is not loaded, by its own keys. Dates are looked at later.
    pub(super) fn authenticate(&mut self) {
        if self.tuf.trusted_snapshot().is_none() {
            return;
        }
        if self.tuf.role("targets").is_none() {
            let Some(bytes) = self.pool.get("targets").cloned() else { return };
            if let Err(error) = self.load_targets(&bytes) {
                self.bad.insert("targets".into(), error);
                return;
            }
        }
        for role in SigningRole::ALL {
            let name = role.name();
            if self.tuf.role(name).is_some() || self.bad.contains_key(name) {
                continue;
            }
            let Some(bytes) = self.pool.get(name).cloned() else { continue };
            if let Err(error) = self.load_role(name, &bytes) {
                self.bad.insert(name.into(), error);
            }
        }
    }

    fn load_targets(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let mut next = self.tuf.clone();
        next.targets(bytes, Timestamp::MIN)?;
        shape::top_level(next.role("targets").expect("it was just loaded"))?;
        self.tuf = next;
        Ok(())
    }

    fn load_role(&mut self, name: &str, bytes: &[u8]) -> Result<(), TrustError> {
        let mut next = self.tuf.clone();
        next.delegated(name, "targets", bytes, Timestamp::MIN)?;
        shape::delegated(name, next.role(name).expect("it was just loaded"))?;
        self.tuf = next;
        Ok(())
    }

    fn take_files(&mut self, offer: &Offer, now: Timestamp, taken: &mut Taken) {
        let mut room = limits::ALL_TARGETS_BYTES
            .saturating_sub(self.files.values().map(Vec::len).sum::<usize>());
        for (path, content) in offer.targets.iter().take(limits::ENTRIES_PER_OFFER) {
            if self.files.get(path) == Some(content) {
                continue;
            }
            match self.may_take_file(path, content, room, now) {
                Ok(()) => {
                    room -= content.len();
                    self.files.insert(path.clone(), content.clone());
                    taken.advanced = true;
                }
                Err(error) => taken.refuse(path, error),
            }
        }
    }

    fn may_take_file(
        &self,
        path: &str,
        content: &[u8],
        room: usize,
        now: Timestamp,
    ) -> Result<(), TrustError> {
        bounded(path, content, limits::TARGET_BYTES.min(room))?;
        self.still_fresh(path, now)?;
        if self.listed(path, content)? {
            return Ok(());
        }
        Err(TrustError::Mismatch { what: path.into(), source: None })
    }

    /// Whether `content` is what the path's own role lists for it.
    fn listed(&self, path: &str, content: &[u8]) -> Result<bool, TrustError> {
        let unlisted = || TrustError::Unlisted { what: path.into() };
        let role = path.split('/').next().filter(|role| role.parse::<SigningRole>().is_ok());
        let role = self.tuf.role(role.ok_or_else(unlisted)?).ok_or_else(unlisted)?;
        let file = role.target(path).ok_or_else(unlisted)?;
        Ok(Tuf::is_target(file, content))
    }

    /// Drops what is no longer listed, and parses what may be believed at `now`.
    pub(super) fn settle(&mut self, now: Timestamp, taken: &mut Taken) {
        let dated = self.expired_roles(now);
        let speaking: BTreeSet<_> = SigningRole::ALL
            .into_iter()
            .filter(|role| self.tuf.role(role.name()).is_some() && !dated.contains_key(role.name()))
            .collect();
        if !taken.advanced && taken.new_roots.is_empty() && speaking == self.speaking {
            return;
        }
        self.forget_unlisted();
        let before = std::mem::take(&mut self.library);
        self.bad.retain(|_, error| !matches!(error, TrustError::Expired { .. }));
        self.bad.extend(dated);
        self.library = self.read(before, &speaking);
        self.speaking = speaking;
        if let Some(newest) = self.library.newest {
            self.floor = self.floor.max(newest);
        }
        if let Some((_, roster)) = &self.library.roster {
            self.last_roster = Some(roster.clone());
        }
        self.report(taken);
    }

    /// Says each trouble once, when it begins.
    fn report(&mut self, taken: &mut Taken) {
        let spelled = |it: &Refused| format!("{} {}", it.subject, it.error);
        let troubles = self.troubles();
        let known = std::mem::take(&mut self.reported);
        self.reported = troubles.iter().map(spelled).collect();
        taken.refused.extend(troubles.into_iter().filter(|it| !known.contains(&spelled(it))));
    }

    fn read(&self, before: Library, speaking: &BTreeSet<SigningRole>) -> Library {
        let Some(timestamp) = self.tuf.trusted_timestamp() else { return Library::default() };
        let speaker = |role: &SigningRole| {
            let targets = self.tuf.role(role.name())?;
            Some(Speaker { role: *role, delegation: self.delegation(*role)?, targets })
        };
        let sources = Sources {
            network: &self.network,
            speakers: speaking.iter().filter_map(speaker).collect(),
            files: &self.files,
            latest_issue: timestamp.expires,
        };
        Library::build(before, &sources)
    }

    /// Loaded roles that are past their date, or rest on a root or `targets` that is.
    fn expired_roles(&self, now: Timestamp) -> BTreeMap<String, TrustError> {
        let root = self.tuf.trusted_root();
        let dated = |role: &str, expires: Timestamp| {
            (expires < now).then(|| TrustError::Expired { role: role.into(), expires })
        };
        let above = dated("root", root.expires)
            .or_else(|| self.tuf.role("targets").and_then(|it| dated("targets", it.expires)));
        let one = |role: SigningRole| {
            let loaded = self.tuf.role(role.name())?;
            let error = above.clone().or_else(|| dated(role.name(), loaded.expires))?;
            Some((role.name().to_owned(), error))
        };
        SigningRole::ALL.into_iter().filter_map(one).collect()
    }

    /// Contents go when their role's newest metadata lists them no more, or cannot speak at all.
    /// They stay while that metadata is withheld: nobody sends them twice.
    fn forget_unlisted(&mut self) {
        let files = std::mem::take(&mut self.files);
        let keep = |path: &str, content: &[u8]| {
            let role = path.split('/').next().unwrap_or_default();
            match self.tuf.role(role) {
                Some(_) => self.listed(path, content).unwrap_or(false),
                None => !self.bad.contains_key(role),
            }
        };
        self.files = files.into_iter().filter(|(path, it)| keep(path, it)).collect();
    }

    /// How `targets` delegates `role`.
    pub(super) fn delegation(&self, role: SigningRole) -> Option<&DelegatedRole> {
        let targets = self.tuf.role("targets")?;
        let roles = &targets.delegations.as_ref()?.roles;
        roles.iter().find(|it| it.name == role.name())
    }

    /// The member `muster` of the loaded `targets`.
    pub(super) fn keys_extra(&self) -> Option<KeysExtra> {
        self.tuf.role("targets").and_then(|targets| shape::top_level(targets).ok())
    }
}
