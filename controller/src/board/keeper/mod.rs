//! What the board knows and how it answers: pure. Time is an argument; what is to be stored and
//! what is to be passed on are values.

mod agents;
mod evidence;
mod publish;
mod restore;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use muster_proto::documents::{Class, NodeName, PublicKey};
use muster_proto::evidence::book::Book;
use muster_proto::rule::PlanFacts;
use muster_proto::trust::{Ledger, Trust};
use muster_proto::wire::muster::{Hold, PublishReply};
use tokio::sync::Notify;

use super::command::{Command, Reply};
use super::rates::Bucket;
use super::refused::Turned;
use super::shelf::{Bytes, Change, Documents};
use crate::audience::audience;
use crate::desk::refused::DeskError;
use crate::mark::Mark;
use crate::publisher::Signer;
use crate::store::Write;

pub use restore::RestoreError;
pub use status::Status;

/// See the module.
pub struct Keeper {
    network: String,
    trust: Trust,
    book: Book,
    ledger: Ledger,
    signer: Option<Signer>,
    mark: Mark,
    /// Agents by the newest roster.
    keys: BTreeMap<NodeName, PublicKey>,
    holds: BTreeMap<(Class, u64), Hold>,
    attached: BTreeMap<NodeName, (u64, Arc<Notify>)>,
    connections: u64,
    attachments_per_minute: u32,
    attach_rates: BTreeMap<PublicKey, Bucket>,
    beacons_stored: BTreeMap<NodeName, Timestamp>,
    refusals: BTreeMap<NodeName, Bucket>,
}

/// What follows from a batch of commands: first `writes`, then `changes`, then `answers`.
#[derive(Default)]
pub struct Outcome {
    /// To be stored in one transaction.
    pub writes: Vec<Write>,
    /// To be put on the shelf when they are stored.
    pub changes: Vec<Change>,
    /// To be given when they are on the shelf.
    pub answers: Vec<Answer>,
}

/// Something that somebody waits for.
pub enum Answer {
    /// To an agent that attaches.
    Attached(Reply<u64, Turned>, Result<u64, Turned>),
    /// To who published.
    Published(Reply<PublishReply, DeskError>, Result<PublishReply, DeskError>),
    /// To who holds or releases.
    Holds(Reply<Vec<Hold>, DeskError>, Result<Vec<Hold>, DeskError>),
    /// To a stream that has something to send or to end for.
    Wake(Arc<Notify>),
}

impl Answer {
    /// Whoever does not wait any more loses nothing.
    pub fn give(self) {
        match self {
            Answer::Attached(reply, answer) => drop(reply.send(answer)),
            Answer::Published(reply, answer) => drop(reply.send(answer)),
            Answer::Holds(reply, answer) => drop(reply.send(answer)),
            Answer::Wake(wake) => wake.notify_one(),
        }
    }
}

impl Keeper {
    /// Takes one command.
    pub fn handle(&mut self, command: Command, now: Timestamp, out: &mut Outcome) {
        match command {
            Command::Attach { node, key, hello, wake, reply } => {
                let answer = self.attach(&node, key, &hello, wake, now, out);
                out.answers.push(Answer::Attached(reply, answer));
            }
            Command::Detach { node, connection } => self.detach(&node, connection, now, out),
            Command::Receipt { node, bytes } => self.receipt(&node, bytes, now, out),
            Command::Beacon { node, bytes } => self.beacon(&node, bytes, now, out),
            Command::Refusal { node, refusal } => self.refusal(node, refusal, now, out),
            Command::OwnChain { node } => self.tell_own_chain(&node, out),
            Command::Publish { person, request, reply } => {
                let answer = self.publish(&person, request, now, out);
                out.answers.push(Answer::Published(reply, answer));
            }
            Command::Hold { hold, reply } => {
                let answer = self.hold(hold, now, out);
                out.answers.push(Answer::Holds(reply, answer));
            }
            Command::Release { class, serial, reply } => {
                let answer = self.release(class, serial, now, out);
                out.answers.push(Answer::Holds(reply, answer));
            }
            Command::Tick => self.tick(now, out),
        }
    }

    /// What must be written to the mark.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    fn tick(&mut self, now: Timestamp, out: &mut Outcome) {
        let before = self.holds.len();
        self.holds.retain(|_, hold| hold.until > now.as_second());
        if self.holds.len() != before {
            out.changes.push(Change::Holds(self.holds.values().cloned().collect()));
        }
        self.attach_rates.retain(|_, bucket| !bucket.is_full(now));
        self.sign_when_due(now, out);
    }

    /// Everything that follows from newer documents: who is listed, whose receipts count, what is
    /// served, and whose evidence agents need.
    fn documents_changed(&mut self, now: Timestamp, out: &mut Outcome) {
        let keys: BTreeMap<_, _> = self.agents().map(|(node, key)| (node.clone(), *key)).collect();
        if let Some(roster) = self.trust.last_roster() {
            self.book.admit(roster, self.trust.plans());
        }
        for node in self.keys.iter().filter(|(node, key)| keys.get(*node) != Some(*key)) {
            out.changes.push(Change::Forget(node.0.clone()));
        }
        self.keys.clone_from(&keys);
        out.changes.push(Change::Documents(Box::new(self.served(keys))));
        self.audience_changed(now, out);
    }

    /// Agents and their keys by the newest roster. An expired one still says who they are.
    fn agents(&self) -> impl Iterator<Item = (&NodeName, &PublicKey)> {
        let nodes = self.trust.last_roster().into_iter().flat_map(|roster| &roster.nodes);
        nodes.filter_map(|node| Some((&node.name, node.key.as_ref()?)))
    }

    fn key_of(&self, node: &NodeName) -> Option<PublicKey> {
        self.keys.get(node).copied()
    }

    fn audience_changed(&self, now: Timestamp, out: &mut Outcome) {
        let evidence = self.book.evidence();
        let plans = self.trust.plans();
        let unfinished = |id: &_| {
            let facts = evidence.nodes.values().filter_map(|node| node.plans.get(id));
            facts
                .into_iter()
                .any(|facts: &PlanFacts| facts.began.is_some() && facts.outcome.is_none())
        };
        let open = plans.iter().map(|(id, plan)| (plan, unfinished(id)));
        out.changes.push(Change::Audience(audience(self.trust.roster(), open, now)));
    }

    fn served(&self, keys: BTreeMap<NodeName, PublicKey>) -> Documents {
        let offer = self.trust.offer(0);
        let shared = |bytes: Vec<u8>| -> Bytes { bytes.into() };
        let first_root = self.trust.versions().root + 1 - offer.roots.len() as u64;
        Documents {
            first_root,
            roots: offer.roots.into_iter().map(shared).collect(),
            timestamp: offer.timestamp.map(shared),
            snapshot: offer.snapshot.map(shared),
            roles: offer.roles.into_iter().map(|(role, bytes)| (role, bytes.into())).collect(),
            targets: offer.targets.into_iter().map(|(path, bytes)| (path, bytes.into())).collect(),
            keys,
        }
    }

    fn wake(&self, node: &NodeName, out: &mut Outcome) {
        if let Some((_, wake)) = self.attached.get(node) {
            out.answers.push(Answer::Wake(wake.clone()));
        }
    }
}
