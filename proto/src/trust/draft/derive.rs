//! What is signed follows from the document, the board and the moment of freezing, and from nothing
//! else: whoever signs derives it anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Document, DraftError};
use crate::documents::canonical;
use crate::documents::keys::{KeysSpec, RootSpec, SigningRole};
use crate::documents::plan::Action;
use crate::documents::release::GenesisChange;
use crate::documents::{Abort, Digest, Plan, Release, Roster};
use crate::trust::driver::Trust;
use crate::trust::error::TrustError;
use crate::trust::keys::key_id;
use crate::trust::library::{release_path, roster_path};
use crate::trust::limits;
use crate::trust::metadata::{self, FileInfo};

/// A plan stays listed this long after its validity: steps in hand finish, late returners read it,
/// and the attendance report can be checked.
pub const PLAN_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Releases that stay listed, newest first; one that a listed plan names stays beyond that.
pub const RELEASES_KEPT: usize = 8;

/// What follows.
#[derive(Debug, Clone)]
pub(super) struct Derived {
    pub(super) role: String,
    pub(super) path: Option<String>,
    pub(super) version: u64,
    pub(super) expires: Timestamp,
    pub(super) signed: Vec<u8>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Targets that were listed and are no more.
    pub(super) dropped: Vec<String>,
}

pub(super) fn derive(
    document: &Document,
    board: Option<&Trust>,
    frozen_at: Timestamp,
) -> Result<Derived, DraftError> {
    let needs_board = DraftError::Pinned {
        why: "only the first root is frozen without a board; pin a root first",
    };
    if let Some(board) = board {
        board.tuf.check_root(frozen_at)?;
        if board.tuf.trusted_timestamp().is_some() {
            board.tuf.check_fresh(frozen_at)?;
        }
    }
    match document {
        Document::Root(spec) => root(spec, board, frozen_at),
        Document::Keys(spec) => keys(spec, board.ok_or(needs_board)?, frozen_at),
        Document::Roster(it) => roster(it, board.ok_or(needs_board)?, frozen_at),
        Document::Release(it, genesis) => {
            release(it, genesis.as_deref(), board.ok_or(needs_board)?, frozen_at)
        }
        Document::Plan(it) => plan(it, board.ok_or(needs_board)?, frozen_at),
        Document::Abort(it) => abort(it, board.ok_or(needs_board)?, frozen_at),
    }
}

fn root(spec: &RootSpec, board: Option<&Trust>, at: Timestamp) -> Result<Derived, DraftError> {
    spec.check(at)?;
    let next = board.map_or(1, |board| board.tuf.trusted_root().version + 1);
    if spec.version != next {
        return Err(DraftError::Version { what: "the root", found: spec.version, next });
    }
    if let Some(board) = board.filter(|it| !spec.networks.iter().any(|to| to == it.network())) {
        let (network, served) = (board.network().to_owned(), spec.networks.clone());
        return Err(TrustError::OtherNetwork { network, served }.into());
    }
    let signed = metadata::root(spec).map_err(|error| DraftError::NotCanonical(Some(error)))?;
    whole("root", None, next, spec.expires, signed, BTreeMap::new())
}

fn keys(spec: &KeysSpec, board: &Trust, at: Timestamp) -> Result<Derived, DraftError> {
    spec.check(at)?;
    let root = board.tuf.trusted_root();
    let online = ["snapshot", "timestamp"].into_iter().filter_map(|role| root.role(role));
    let online: BTreeSet<_> = online.flat_map(|role| &role.keyids).cloned().collect();
    if let Some((name, _)) = spec.officers.iter().find(|(_, key)| online.contains(&key_id(key))) {
        return Err(crate::documents::keys::BadSpec::OnlineKey { name: name.clone() }.into());
    }
    let version = board.pinned_version("targets") + 1;
    let signed =
        metadata::targets(spec, version).map_err(|error| DraftError::NotCanonical(Some(error)))?;
    whole("targets", None, version, spec.expires, signed, BTreeMap::new())
}

fn roster(it: &Roster, board: &Trust, at: Timestamp) -> Result<Derived, DraftError> {
    same_network(&it.network, board)?;
    issued_by(it.issued, at)?;
    let held = board.last_roster().map_or(0, |roster| roster.version);
    if it.version <= held {
        let (found, next) = (it.version, held + 1);
        return Err(DraftError::Version { what: "the roster", found, next });
    }
    let files = BTreeMap::from([(roster_path(it), bytes_of(it)?)]);
    listed(SigningRole::Roster, files, |_| true, board, at)
}

fn release(
    it: &Release,
    genesis: Option<&[u8]>,
    board: &Trust,
    at: Timestamp,
) -> Result<Derived, DraftError> {
    issued_by(it.issued, at)?;
    let wrong = || DraftError::Genesis { version: it.version.clone() };
    let mut files = BTreeMap::from([(release_path(it), bytes_of(it)?)]);
    match (&it.genesis, genesis) {
        (GenesisChange::Unchanged, None) => {}
        (GenesisChange::Replaced { digest, length }, Some(content)) => {
            if Digest::of(content) != *digest || content.len() as u64 != *length {
                return Err(wrong());
            }
            files.insert(it.genesis_path(), content.to_vec());
        }
        _ => return Err(wrong()),
    }
    if board.tuf.role("release").is_some_and(|role| role.target(&release_path(it)).is_some()) {
        return Err(DraftError::Released { version: it.version.clone() });
    }
    let kept = releases_kept(board, at);
    listed(SigningRole::Release, files, |path| kept.contains(path), board, at)
}

/// The newest releases by date, and those that plans still name.
fn releases_kept(board: &Trust, at: Timestamp) -> BTreeSet<String> {
    let mut all: Vec<_> = board.releases().map(|(_, release)| release).collect();
    all.sort_by(|a, b| (b.issued, &b.version).cmp(&(a.issued, &a.version)));
    let open = board.plans().values().filter(|plan| !is_over(plan, at));
    let named: BTreeSet<_> = open
        .filter_map(|plan| match &plan.action {
            Action::Upgrade(release) => Some(&release.version),
            _ => None,
        })
        .collect();
    let newest = RELEASES_KEPT - 1;
    let kept =
        all.into_iter().enumerate().filter(|(at, it)| *at < newest || named.contains(&it.version));
    kept.flat_map(|(_, it)| [release_path(it), it.genesis_path()]).collect()
}

fn is_over(plan: &Plan, at: Timestamp) -> bool {
    plan.valid.until + PLAN_KEPT < at
}

fn plan(it: &Plan, board: &Trust, at: Timestamp) -> Result<Derived, DraftError> {
    same_network(&it.network, board)?;
    issued_by(it.issued, at)?;
    serial_is_next(it, board)?;
    let role = SigningRole::from(it.class);
    let files = BTreeMap::from([(it.path(), bytes_of(it)?)]);
    // Whoever reads this plan must be able to read the ones that it names.
    let named: BTreeSet<u64> = it.after.iter().chain(&it.supersedes).copied().collect();
    let gone: BTreeSet<_> = board
        .plans()
        .values()
        .filter(|plan| is_over(plan, at) && !named.contains(&plan.serial))
        .map(Plan::path)
        .collect();
    let derived = listed(role, files, |path| !gone.contains(path), board, at)?;
    outlives_nothing(it, board, &derived)?;
    Ok(derived)
}

fn abort(it: &Abort, board: &Trust, at: Timestamp) -> Result<Derived, DraftError> {
    same_network(&it.network, board)?;
    issued_by(it.issued, at)?;
    let cannot = |why| Err(DraftError::Abort { plan: it.plan.clone(), why });
    match board.plans().get(&it.plan) {
        None => {
            return cannot("the board lists no such plan; `muster history` shows what it lists");
        }
        Some(plan) if plan.valid.until != it.until => return cannot("its end is not that plan's"),
        Some(plan) if plan.valid.until <= at => return cannot("it is over; nobody begins it"),
        Some(_) => {}
    }
    if board.aborts().contains_key(&it.plan) {
        return cannot("it is aborted already");
    }
    let files = BTreeMap::from([(it.path(), bytes_of(it)?)]);
    let over = |other: &&Abort| other.until + PLAN_KEPT < at;
    let gone: BTreeSet<_> = board.aborts().values().filter(over).map(Abort::path).collect();
    // Nobody may begin an aborted plan because the role that aborted it ran out before the plan.
    let kept = board.aborts().values().filter(|other| !over(other));
    let until = kept.map(|other| other.until).fold(it.until, Timestamp::max);
    listed_until(SigningRole::Abort, files, |path| !gone.contains(path), board, at, until)
}

fn serial_is_next(it: &Plan, board: &Trust) -> Result<(), DraftError> {
    let counter = it.class.counter();
    let used = board.plans().keys().filter(|id| id.class.counter() == counter).map(|id| id.serial);
    let last = used.max().unwrap_or(0).max(board.serial_floor(counter).unwrap_or(0));
    // With nothing on the board the officers know better than it what was used.
    let empty = last == 0;
    let serial = it.serial;
    if serial > last && (empty || serial - last <= limits::SERIAL_STEP) {
        return Ok(());
    }
    Err(DraftError::Serial { serial, last })
}

fn outlives_nothing(it: &Plan, board: &Trust, derived: &Derived) -> Result<(), DraftError> {
    let mut rests_on = vec!["root", "targets", "roster"];
    if matches!(it.action, Action::Upgrade(_)) {
        rests_on.push("release");
    }
    let dated = board.expiries().into_iter().filter(|(what, _)| rests_on.contains(&what.as_str()));
    let own = (derived.role.clone(), derived.expires);
    let until = it.valid.until;
    match dated.chain([own]).find(|(_, expires)| *expires < until) {
        Some((what, expires)) => Err(DraftError::Outlives { what, expires, until }),
        None => Ok(()),
    }
}

/// The next metadata of a delegated role: `files`, and all listed before that `keeps`.
fn listed(
    role: SigningRole,
    files: BTreeMap<String, Vec<u8>>,
    keeps: impl Fn(&str) -> bool,
    board: &Trust,
    at: Timestamp,
) -> Result<Derived, DraftError> {
    listed_until(role, files, keeps, board, at, at)
}

/// As [`listed`], and believed until `until` at least.
fn listed_until(
    role: SigningRole,
    files: BTreeMap<String, Vec<u8>>,
    keeps: impl Fn(&str) -> bool,
    board: &Trust,
    at: Timestamp,
    until: Timestamp,
) -> Result<Derived, DraftError> {
    let unknown = || TrustError::UnknownRole { role: role.to_string() };
    board.delegation(role).ok_or_else(unknown)?;
    let extra = board.keys_extra().ok_or_else(unknown)?;
    let life = extra.expires_in_s.get(&role).copied().ok_or_else(unknown)?;
    let life = SignedDuration::from_secs(i64::try_from(life).unwrap_or(i64::MAX / 4));
    // Dates of metadata have whole seconds.
    let expires = (at + life).max(until + SignedDuration::from_secs(1));
    let version = board.pinned_version(role.name()) + 1;
    // A board that hides a document could make it vanish from the list.
    board.own_targets(role)?;
    whole_pool(role, board)?;
    let (mut list, mut dropped) = (BTreeMap::new(), Vec::new());
    for (path, file) in board.tuf.role(role.name()).into_iter().flat_map(|it| &it.targets) {
        let hash = file.hashes.get("sha256").filter(|_| keeps(path));
        let Some(hash) = hash else {
            dropped.push(path.clone());
            continue;
        };
        let hashes = BTreeMap::from([("sha256".to_owned(), hash.clone())]);
        list.insert(path.clone(), FileInfo { length: file.length, hashes });
    }
    list.extend(files.iter().map(|(path, content)| (path.clone(), FileInfo::of(content))));
    dropped.retain(|path| !list.contains_key(path));
    let (count, limit) = (list.len(), limits::TARGETS_PER_ROLE);
    if count > limit {
        return Err(DraftError::Full { role: role.to_string(), count, limit });
    }
    let signed = metadata::role(version, expires, &list)
        .map_err(|error| DraftError::NotCanonical(Some(error)))?;
    let path = files.keys().find(|path| path.ends_with(".json")).cloned();
    let derived = whole(role.name(), path, version, expires, signed, files)?;
    Ok(Derived { dropped, ..derived })
}

/// A board that hides a role's metadata could make its whole list vanish.
fn whole_pool(role: SigningRole, board: &Trust) -> Result<(), TrustError> {
    match board.withheld().into_iter().find(|what| what == role.name() || what == "targets") {
        Some(what) => Err(TrustError::Withheld { what }),
        None => Ok(()),
    }
}

/// Both encoders must agree, or the signatures would be over other bytes than receivers check.
fn whole(
    role: &str,
    path: Option<String>,
    version: u64,
    expires: Timestamp,
    signed: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Derived, DraftError> {
    let value: serde_json::Value =
        serde_json::from_slice(&signed).map_err(|_| DraftError::NotCanonical(None))?;
    let theirs = sigstore_tuf::canonical_json::to_canonical_bytes(&value);
    if !theirs.is_ok_and(|theirs| theirs == signed) {
        return Err(DraftError::NotCanonical(None));
    }
    let (role, expires) = (role.to_owned(), metadata::whole_seconds(expires));
    Ok(Derived { role, path, version, expires, signed, files, dropped: Vec::new() })
}

fn bytes_of<D: canonical::Document + PartialEq>(document: &D) -> Result<Vec<u8>, DraftError> {
    let bytes =
        canonical::to_bytes(document).map_err(|error| DraftError::NotCanonical(Some(error)))?;
    // What agents will do with it: a text with a control character does not come back at all, one
    // with a letter of two code points comes back as another text.
    let source = |source| DraftError::Document { path: D::KIND.into(), source };
    let back: D = canonical::from_bytes(&bytes).map_err(source)?;
    if back == *document { Ok(bytes) } else { Err(DraftError::NotCanonical(None)) }
}

fn same_network(found: &str, board: &Trust) -> Result<(), DraftError> {
    if found == board.network() {
        return Ok(());
    }
    let network = board.network().to_owned();
    Err(DraftError::OtherNetwork { found: found.into(), network })
}

fn issued_by(issued: Timestamp, frozen_at: Timestamp) -> Result<(), DraftError> {
    if metadata::whole_seconds(issued) <= frozen_at {
        return Ok(());
    }
    Err(DraftError::Issued { issued, frozen_at })
}
