//! What is offered to be believed, and what became of it.

use std::collections::BTreeMap;

use super::error::TrustError;
use crate::wire::muster as wire;

/// Metadata and targets as they come from a board, a file or a draft. Nothing in it is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Consecutive roots, oldest first.
    pub roots: Vec<Vec<u8>>,
    /// The newest timestamp.
    pub timestamp: Option<Vec<u8>>,
    /// The snapshot it pins.
    pub snapshot: Option<Vec<u8>>,
    /// `targets` and the delegated roles, by name.
    pub roles: BTreeMap<String, Vec<u8>>,
    /// Contents of targets, by path.
    pub targets: BTreeMap<String, Vec<u8>>,
}

/// One new piece of signed metadata with the targets it lists: what officers hand to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// `root`, `targets` or a delegated role.
    pub role: String,
    /// Signed to the role's threshold.
    pub metadata: Vec<u8>,
    /// Contents of targets that the board may not hold, by path.
    pub targets: BTreeMap<String, Vec<u8>>,
}

/// What an offer did.
#[derive(Debug, Default)]
pub struct Taken {
    /// Anything that is held changed: save it.
    pub advanced: bool,
    /// Versions of the roots that verified, in order.
    pub new_roots: Vec<u64>,
    /// Something older than what is held came. No error: some board is behind.
    pub stale: bool,
    /// What was refused and why; the rest was taken all the same.
    pub refused: Vec<Refused>,
}

/// One refusal.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Role or target path.
    pub subject: String,
    /// Why.
    pub error: TrustError,
}

/// Versions that are held; 0 for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the root.
    pub root: u64,
    /// Of the timestamp.
    pub timestamp: u64,
    /// Of the snapshot; 0 too while something that it pins is not held, so that a board sends all.
    pub snapshot: u64,
}

impl Taken {
    pub(super) fn refuse(&mut self, subject: &str, error: TrustError) {
        self.refused.push(Refused { subject: subject.into(), error });
    }
}

impl Offer {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same in pieces of at most `bytes` bytes of content (a piece may exceed it by one file):
    /// roots first, then metadata, then targets. Taken in this order they do what the whole does.
    pub fn split(self, bytes: usize) -> Vec<Offer> {
        let mut pieces = vec![Offer::default()];
        let mut room = bytes;
        let mut fit = |size: usize, pieces: &mut Vec<Offer>| {
            if size > room && !pieces.last().is_some_and(Offer::is_empty) {
                pieces.push(Offer::default());
                room = bytes;
            }
            room = room.saturating_sub(size);
        };
        for root in self.roots {
            fit(root.len(), &mut pieces);
            last(&mut pieces).roots.push(root);
        }
        // Timestamp and snapshot are taken together or not at all.
        let pair = [&self.timestamp, &self.snapshot].into_iter().flatten().map(Vec::len).sum();
        fit(pair, &mut pieces);
        last(&mut pieces).timestamp = self.timestamp;
        last(&mut pieces).snapshot = self.snapshot;
        // `targets` first: it names the keys of the others.
        let (top, others): (Vec<_>, Vec<_>) =
            self.roles.into_iter().partition(|(name, _)| name == "targets");
        for (name, metadata) in top.into_iter().chain(others) {
            fit(metadata.len(), &mut pieces);
            last(&mut pieces).roles.insert(name, metadata);
        }
        for (path, content) in self.targets {
            fit(content.len(), &mut pieces);
            last(&mut pieces).targets.insert(path, content);
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

fn last(pieces: &mut [Offer]) -> &mut Offer {
    pieces.last_mut().expect("there is always a piece")
}

impl From<wire::Bulletin> for Offer {
    fn from(bulletin: wire::Bulletin) -> Self {
        let given = |bytes: Vec<u8>| (!bytes.is_empty()).then_some(bytes);
        Self {
            roots: bulletin.roots,
            timestamp: given(bulletin.timestamp),
            snapshot: given(bulletin.snapshot),
            roles: bulletin.roles.into_iter().map(|it| (it.role, it.metadata)).collect(),
            targets: bulletin.targets.into_iter().map(|it| (it.path, it.content)).collect(),
        }
    }
}

impl From<Offer> for wire::Bulletin {
    fn from(offer: Offer) -> Self {
        let roles = offer.roles.into_iter();
        Self {
            roots: offer.roots,
            timestamp: offer.timestamp.unwrap_or_default(),
            snapshot: offer.snapshot.unwrap_or_default(),
            roles: roles.map(|(role, metadata)| wire::RoleMetadata { role, metadata }).collect(),
            targets: target_files(offer.targets),
        }
    }
}

impl From<wire::PublishRequest> for Publication {
    fn from(request: wire::PublishRequest) -> Self {
        let targets = request.targets.into_iter();
        Self {
            role: request.role,
            metadata: request.metadata,
            targets: targets.map(|it| (it.path, it.content)).collect(),
        }
    }
}

impl From<Publication> for wire::PublishRequest {
    fn from(publication: Publication) -> Self {
        Self {
            role: publication.role,
            metadata: publication.metadata,
            targets: target_files(publication.targets),
            ..Self::default()
        }
    }
}

fn target_files(targets: BTreeMap<String, Vec<u8>>) -> Vec<wire::TargetFile> {
    targets.into_iter().map(|(path, content)| wire::TargetFile { path, content }).collect()
}
