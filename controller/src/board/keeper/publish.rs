//! Documents that come in, and the online signatures over them. Nothing is published that an agent
//! would refuse: it is taken into a copy of the board's own trust first.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_proto::documents::Digest;
use muster_proto::trust::publisher::PublishError;
use muster_proto::trust::{Offer, Publication, Trust};
use muster_proto::wire::muster::{PublishReply, PublishRequest};
use serde::Deserialize;
use tracing::{error, info, warn};

use super::{Keeper, Outcome};
use crate::desk::refused::DeskError;
use crate::store::Write;

/// Roles that officers sign, in the order in which people read them.
const ROLES: [&str; 8] =
    ["root", "targets", "roster", "release", "hotfix", "drill", "emergency", "abort"];

impl Keeper {
    pub(super) fn publish(
        &mut self,
        person: &str,
        request: PublishRequest,
        now: Timestamp,
        out: &mut Outcome,
    ) -> Result<PublishReply, DeskError> {
        let own = (request.snapshot.clone(), request.timestamp.clone());
        let publication = Publication::from(request);
        if !ROLES.contains(&publication.role.as_str()) {
            return Err(DeskError::Role(publication.role));
        }
        let offer = match &self.signer {
            Some(signer) => signer.keys.publish(&self.trust, &publication, now),
            None => self.given(&publication, own, now),
        };
        let offer = offer.map_err(|refused| self.refused(&publication.role, refused))?;
        let role = publication.role;
        if !offer.is_empty() {
            self.follow(offer, now, out)?;
            let version = self.version_of(&role);
            let (at_ms, person) = (now.as_millisecond(), person.to_owned());
            out.writes.push(Write::Publication { at_ms, person, role: role.clone(), version });
        }
        Ok(PublishReply {
            published_at: now.as_millisecond(),
            version: self.version_of(&role),
            snapshot_version: self.trust.versions().snapshot,
        })
    }

    /// Signed elsewhere: the publisher of this root is a host of its own.
    fn given(
        &self,
        publication: &Publication,
        (snapshot, timestamp): (Vec<u8>, Vec<u8>),
        now: Timestamp,
    ) -> Result<Offer, PublishError> {
        let some = |bytes: Vec<u8>| (!bytes.is_empty()).then_some(bytes);
        let mut offer =
            Offer { timestamp: some(timestamp), snapshot: some(snapshot), ..Offer::default() };
        if publication.role == "root" {
            offer.roots.push(publication.metadata.clone());
        } else {
            offer.roles.insert(publication.role.clone(), publication.metadata.clone());
            offer.targets = publication.targets.clone();
        }
        let taken = self.trust.clone().take(&offer, now);
        let own = |subject: &str| {
            let first = subject.split('/').next().unwrap_or_default();
            first == publication.role || ["root", "timestamp", "snapshot"].contains(&first)
        };
        match taken.refused.into_iter().find(|refused| own(&refused.subject)) {
            Some(refused) => Err(refused.error.into()),
            None => Ok(offer),
        }
    }

    fn refused(&self, role: &str, refused: PublishError) -> DeskError {
        match refused {
            PublishError::Moved { held, offered, .. } => {
                DeskError::MovedOn { role: role.into(), next: held + 1, found: offered }
            }
            PublishError::NotOurs { role } | PublishError::Quorum { role, .. } => {
                DeskError::PublisherKey { role, why: refused.to_string() }
            }
            // Without keys of its own a board is given what pins the document, or cannot take it.
            PublishError::Refused(_) if self.signer.is_none() && role != "root" => {
                DeskError::NoPublisher { why: refused.to_string() }
            }
            PublishError::Refused(error) => DeskError::Refused { why: error.to_string() },
        }
    }

    /// Believes `offer`, which has been tried, and says what follows from it.
    fn follow(&mut self, offer: Offer, now: Timestamp, out: &mut Outcome) -> Result<(), DeskError> {
        let mut next = self.trust.clone();
        for refused in next.take(&offer, now).refused {
            warn!(subject = refused.subject, error = %refused.error, "may not speak");
        }
        let mut ledger = self.ledger.clone();
        let new = next.plans().keys().filter(|plan| !self.trust.plans().contains_key(*plan));
        let admitted = ledger.admit_all(&self.network, new, |counter| next.serial_floor(counter));
        for (plan, admitted) in admitted {
            admitted.map_err(|error| DeskError::Serial {
                plan: plan.to_string(),
                why: error.to_string(),
            })?;
        }
        store(&self.trust, &next, now, out);
        (self.trust, self.ledger) = (next, ledger);
        self.mark.raise(&self.versions());
        self.documents_changed(now, out);
        Ok(())
    }

    /// Signs a timestamp when one is due; a snapshot comes with it when it is old.
    pub(super) fn sign_when_due(&mut self, now: Timestamp, out: &mut Outcome) {
        let Some(signer) = self.signer.as_mut().filter(|signer| signer.due(now)) else { return };
        signer.signed(now);
        let behind = self.mark.missing(&self.versions());
        if let Some((role, marked, held)) = behind.first() {
            error!(
                code = "C018",
                role,
                marked,
                held,
                "this store is an old copy: nothing is signed until the documents that it lacks \
                 are published again"
            );
            return;
        }
        if self.version_of("targets") == 0 {
            return;
        }
        let signer = self.signer.as_ref().expect("it was just there");
        match signer.keys.stamp(&self.trust, now) {
            Ok(offer) => {
                if let Err(error) = self.follow(offer, now, out) {
                    error!(%error, "the timestamp is not taken");
                }
            }
            Err(error) => error!(%error, "no timestamp can be signed"),
        }
    }

    /// Versions of what officers sign; roles that nobody published are missing.
    pub(super) fn versions(&self) -> BTreeMap<String, u64> {
        let roles = self.trust.roles().into_iter();
        roles.filter(|role| role.version > 0).map(|role| (role.name, role.version)).collect()
    }

    fn version_of(&self, role: &str) -> u64 {
        self.versions().get(role).copied().unwrap_or(0)
    }
}

/// What `new` holds and `old` did not.
fn store(old: &Trust, new: &Trust, now: Timestamp, out: &mut Outcome) {
    for (version, metadata) in new.roots() {
        if !old.roots().contains_key(version) {
            out.writes.push(Write::Root { version: *version, metadata: metadata.clone() });
        }
    }
    let (before, after) = (old.offer(u64::MAX), new.offer(u64::MAX));
    let online = [
        ("snapshot", before.snapshot, after.snapshot),
        ("timestamp", before.timestamp, after.timestamp),
    ];
    for (role, before, after) in online {
        if before != after
            && let Some(metadata) = after
        {
            out.writes.push(metadata_write(role, metadata));
        }
    }
    for (role, metadata) in after.roles {
        if before.roles.get(&role) != Some(&metadata) {
            out.writes.push(metadata_write(&role, metadata));
        }
    }
    for (path, content) in after.targets {
        if before.targets.get(&path) != Some(&content) {
            let digest = Digest::of(&content).to_string();
            out.writes.push(Write::Target { path, digest, content });
        }
    }
    for (id, plan) in new.plans() {
        if !old.plans().contains_key(id) {
            let published_ms = now.as_millisecond();
            out.writes.push(Write::Plan { id: id.clone(), path: plan.path(), published_ms });
            info!(plan = %id, title = plan.title, "new plan");
        }
    }
}

fn metadata_write(role: &str, metadata: Vec<u8>) -> Write {
    Write::Metadata { role: role.into(), version: version_in(&metadata), metadata }
}

/// The version that verified metadata says; 0 when it says none.
fn version_in(metadata: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Envelope {
        signed: Signed,
    }
    #[derive(Deserialize)]
    struct Signed {
        version: u64,
    }
    serde_json::from_slice::<Envelope>(metadata).map_or(0, |envelope| envelope.signed.version)
}
