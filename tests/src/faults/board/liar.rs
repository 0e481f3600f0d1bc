//! Turns what an honest board says into what a lying one says. No clock, no network.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use muster_proto::documents::NodeName;
use muster_proto::wire::muster::agent_message::Message as Said;
use muster_proto::wire::muster::board_message::Message;
use muster_proto::wire::muster::{BoardMessage, Bulletin, Evidence, OwnChain};
use serde_json::Value;

use super::lie::{Kind, Lie, REORDER_AT_MOST};

/// What one stream was told is remembered so far, to tell it again.
const REMEMBERED: usize = 20_000;

/// Strides through what was told, so that a replay is old, different each time, and the same in
/// each run. Prime, so that it meets everything.
const STRIDE: usize = 7_919;

/// The liar's memory of one agent's stream.
#[derive(Debug, Default)]
pub(super) struct Liar {
    /// Everything that the honest board said on this stream, in its order.
    said: Vec<BoardMessage>,
    /// Kept until there are enough to be turned round.
    kept: Vec<BoardMessage>,
    replayed: usize,
    /// How often a lie changed anything.
    lies: usize,
}

impl Liar {
    /// What to tell instead of `message`. `oldest` is the first metadata that was ever told.
    pub(super) fn tell(
        &mut self,
        lies: &[Lie],
        message: BoardMessage,
        oldest: &Bulletin,
    ) -> Vec<BoardMessage> {
        if self.said.len() < REMEMBERED {
            self.said.push(message.clone());
        }
        if lies.contains(&Lie::Freeze) {
            self.lies += 1;
            return Vec::new();
        }
        let Some(message) = self.change(lies, message, oldest) else {
            self.lies += 1;
            return Vec::new();
        };
        let mut told = self.reorder(lies, message);
        if lies.contains(&Lie::Replay) {
            self.replayed = (self.replayed + STRIDE) % self.said.len();
            told.push(self.said[self.replayed].clone());
            self.lies += 1;
        }
        told
    }

    /// Everything once more, for an agent that is told the truth again.
    pub(super) fn all_again(&mut self) -> Vec<BoardMessage> {
        self.kept.clear();
        self.said.clone()
    }

    /// How often a lie changed anything.
    pub(super) fn lies(&self) -> usize {
        self.lies
    }

    fn change(
        &mut self,
        lies: &[Lie],
        message: BoardMessage,
        oldest: &Bulletin,
    ) -> Option<BoardMessage> {
        let mut changed = message.message.clone()?;
        for lie in lies {
            changed = apply(lie, changed, oldest)?;
        }
        let changed = BoardMessage { message: Some(changed) };
        self.lies += usize::from(changed != message);
        Some(changed)
    }

    fn reorder(&mut self, lies: &[Lie], message: BoardMessage) -> Vec<BoardMessage> {
        self.kept.push(message);
        let wanted = lies.iter().find_map(|lie| match lie {
            Lie::Reorder(count) => Some((*count).clamp(1, REORDER_AT_MOST)),
            _ => None,
        });
        if self.kept.len() < wanted.unwrap_or(1) {
            return Vec::new();
        }
        let mut told = std::mem::take(&mut self.kept);
        if wanted.is_some() {
            self.lies += 1;
            told.reverse();
            told.iter_mut().for_each(reverse_receipts);
        }
        told
    }
}

/// Whether the board passes on what the agent says.
pub(super) fn hears(lies: &[Lie], said: Option<&Said>) -> bool {
    let kind = match said {
        Some(Said::Receipt(_)) => Kind::Receipts,
        Some(Said::Beacon(_)) => Kind::Beacons,
        Some(Said::OwnChain(_)) => Kind::OwnChain,
        Some(Said::Hello(_) | Said::Refusal(_)) | None => return true,
    };
    !lies.contains(&Lie::Deaf(kind))
}

fn apply(lie: &Lie, message: Message, oldest: &Bulletin) -> Option<Message> {
    match (lie, message) {
        (Lie::Drop(Kind::Metadata), Message::Bulletin(_))
        | (Lie::Drop(Kind::OwnChain), Message::OwnChain(_))
        | (Lie::Drop(Kind::Holds), Message::Holds(_)) => None,
        (Lie::Drop(Kind::Receipts), Message::Evidence(evidence)) => {
            some(Evidence { receipts: Vec::new(), ..evidence })
        }
        (Lie::Drop(Kind::Beacons), Message::Evidence(evidence)) => {
            some(Evidence { beacons: Vec::new(), ..evidence })
        }
        (Lie::Only(nodes), Message::Evidence(evidence)) => some(only(nodes, evidence)),
        (Lie::Withhold(serial), Message::Bulletin(bulletin)) => {
            Some(Message::Bulletin(without_plan(*serial, bulletin)))
        }
        (Lie::OldMetadata, Message::Bulletin(_)) => Some(Message::Bulletin(oldest.clone())),
        (Lie::LongerChain, Message::OwnChain(own)) => {
            Some(Message::OwnChain(OwnChain { counter: own.counter + 7, ..own }))
        }
        (Lie::Tamper(kind), message) => Some(tamper(*kind, message)),
        (_, message) => Some(message),
    }
}

/// Evidence that still says something.
fn some(evidence: Evidence) -> Option<Message> {
    let says = !evidence.receipts.is_empty() || !evidence.beacons.is_empty();
    says.then_some(Message::Evidence(evidence))
}

fn only(nodes: &BTreeSet<NodeName>, mut evidence: Evidence) -> Evidence {
    let told = |bytes: &Vec<u8>| node_of(bytes).is_some_and(|node| nodes.contains(&node));
    evidence.receipts.retain(told);
    evidence.beacons.retain(told);
    evidence
}

/// Whose envelope it is, by its own word.
fn node_of(envelope: &[u8]) -> Option<NodeName> {
    let payload = payload(&serde_json::from_slice(envelope).ok()?)?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    payload["node"].as_str()?.parse().ok()
}

fn payload(envelope: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(envelope["payload"].as_str()?).ok()
}

fn without_plan(serial: u64, mut bulletin: Bulletin) -> Bulletin {
    let name = format!("/{serial}.json");
    bulletin.targets.retain(|target| !target.path.ends_with(&name));
    bulletin
}

fn reverse_receipts(message: &mut BoardMessage) {
    if let Some(Message::Evidence(evidence)) = &mut message.message {
        evidence.receipts.reverse();
    }
}

fn tamper(kind: Kind, message: Message) -> Message {
    match (kind, message) {
        (Kind::Metadata, Message::Bulletin(mut bulletin)) => {
            bump(&mut bulletin.timestamp);
            bump(&mut bulletin.snapshot);
            bulletin.roots.iter_mut().for_each(|root| bump(root));
            bulletin.roles.iter_mut().for_each(|role| bump(&mut role.metadata));
            bulletin.targets.iter_mut().for_each(|target| bump(&mut target.content));
            Message::Bulletin(bulletin)
        }
        (Kind::Receipts, Message::Evidence(mut evidence)) => {
            evidence.receipts.iter_mut().for_each(bump_payload);
            Message::Evidence(evidence)
        }
        (Kind::Beacons, Message::Evidence(mut evidence)) => {
            evidence.beacons.iter_mut().for_each(bump_payload);
            Message::Evidence(evidence)
        }
        (Kind::OwnChain, Message::OwnChain(mut own)) => {
            bump_payload(&mut own.receipt);
            Message::OwnChain(own)
        }
        (_, message) => message,
    }
}

/// The signed part with a counter one higher, under the old signature: whoever does not verify
/// sees something newer that reads well and is not true.
fn bump_payload(envelope: &mut Vec<u8>) {
    let Ok(mut read) = serde_json::from_slice::<Value>(envelope) else { return };
    let Some(signed) = payload(&read) else { return };
    let Ok(mut signed) = serde_json::from_slice::<Value>(&signed) else { return };
    let Some(counter) = signed["counter"].as_u64() else { return };
    signed["counter"] = (counter + 1).into();
    read["payload"] = STANDARD.encode(signed.to_string()).into();
    *envelope = read.to_string().into_bytes();
}

/// The last digit one higher: in canonical JSON that is a version, a length, a time or a digest,
/// and the signatures stand before it.
fn bump(bytes: &mut [u8]) {
    if let Some(digit) = bytes.iter_mut().rev().find(|byte| byte.is_ascii_digit()) {
        *digit = if *digit == b'9' { b'1' } else { *digit + 1 };
    }
}

#[cfg(test)]
#[path = "liar_tests.rs"]
mod tests;
