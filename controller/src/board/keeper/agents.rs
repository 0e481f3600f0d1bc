//! Agents that come and go, and their own words.

use std::sync::Arc;

use jiff::Timestamp;
use muster_proto::documents::{Class, NodeName, PublicKey};
use muster_proto::wire::muster::{AgentRefusal, Hold, Refusal};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::{Answer, Keeper, Outcome};
use crate::board::command::Versions;
use crate::board::rates::Bucket;
use crate::board::refused::Turned;
use crate::board::shelf::Change;
use crate::desk::refused::DeskError;
use crate::store::Write;

/// Refusals of one agent that are kept at once, and then per second: an honest one has a handful.
const REFUSALS: (u32, f64) = (100, 1.0 / 60.0);

/// Characters of a refusal's parts that are kept.
const REFUSAL_CHARS: usize = 500;

impl Keeper {
    pub(super) fn attach(
        &mut self,
        node: &NodeName,
        key: PublicKey,
        hello: &Versions,
        wake: Arc<Notify>,
        now: Timestamp,
        out: &mut Outcome,
    ) -> Result<u64, Turned> {
        let per_minute = self.attachments_per_minute.max(1);
        let full = || Bucket::new(per_minute, f64::from(per_minute) / 60.0, now);
        let rate = self.attach_rates.entry(key).or_insert_with(full);
        rate.take(now).map_err(|_| Turned::TooOften(node.clone()))?;
        self.compare(node, hello);
        self.connections += 1;
        let connection = self.connections;
        // The stream that this one replaces ends when it looks.
        self.wake(node, out);
        self.attached.insert(node.clone(), (connection, wake));
        attachment(node, Some(connection), now, out);
        Ok(connection)
    }

    /// An agent that has verified more than the board holds tells that the store is an old copy.
    fn compare(&self, node: &NodeName, hello: &Versions) {
        let ours = self.trust.versions();
        if hello.root > ours.root || hello.snapshot > ours.snapshot {
            warn!(
                code = "C017", %node,
                agent.root = hello.root, agent.snapshot = hello.snapshot,
                board.root = ours.root, board.snapshot = ours.snapshot,
                "an agent holds newer documents than this board: was its store restored from an \
                 old copy? publish the missing documents again"
            );
        }
        info!(%node, software = hello.software, root = hello.root, "hello");
    }

    pub(super) fn detach(
        &mut self,
        node: &NodeName,
        connection: u64,
        now: Timestamp,
        out: &mut Outcome,
    ) {
        if self.attached.get(node).is_some_and(|(newest, _)| *newest == connection) {
            self.attached.remove(node);
            attachment(node, None, now, out);
        }
    }

    pub(super) fn tell_own_chain(&mut self, node: &NodeName, out: &mut Outcome) {
        out.changes.push(Change::TellOwnChain(node.clone()));
        self.wake(node, out);
    }

    pub(super) fn refusal(
        &mut self,
        node: NodeName,
        refusal: Refusal,
        now: Timestamp,
        out: &mut Outcome,
    ) {
        let full = || Bucket::new(REFUSALS.0, REFUSALS.1, now);
        if self.refusals.entry(node.clone()).or_insert_with(full).take(now).is_err() {
            return;
        }
        let refusal = Refusal {
            code: shown(&refusal.code),
            text: shown(&refusal.text),
            subject: shown(&refusal.subject),
        };
        warn!(%node, code = refusal.code, subject = refusal.subject, text = refusal.text, "refused");
        let at = now.as_second();
        out.writes.push(Write::Refusal {
            node: node.clone(),
            at,
            code: refusal.code.clone(),
            text: refusal.text.clone(),
            subject: refusal.subject.clone(),
        });
        let refusal = AgentRefusal { node: node.to_string(), refusal: Some(refusal), at };
        out.changes.push(Change::Refusal(refusal));
    }

    pub(super) fn hold(
        &mut self,
        hold: Hold,
        now: Timestamp,
        out: &mut Outcome,
    ) -> Result<Vec<Hold>, DeskError> {
        let missing = || DeskError::NoPlan { class: hold.class.clone(), serial: hold.serial };
        let class: Class = hold.class.parse().map_err(|_| missing())?;
        let known = |class, serial| {
            self.trust.plans().keys().any(|plan| plan.class == class && plan.serial == serial)
        };
        if !known(class, hold.serial) {
            return Err(missing());
        }
        out.writes.push(Write::Hold {
            class: hold.class.clone(),
            serial: hold.serial,
            person: hold.by.clone(),
            reason: hold.reason.clone(),
            until: hold.until,
        });
        self.holds.insert((class, hold.serial), hold);
        Ok(self.holds_changed(now, out))
    }

    pub(super) fn release(
        &mut self,
        class: Class,
        serial: u64,
        now: Timestamp,
        out: &mut Outcome,
    ) -> Result<Vec<Hold>, DeskError> {
        if self.holds.remove(&(class, serial)).is_some() {
            out.writes.push(Write::Release { class: class.to_string(), serial });
        }
        Ok(self.holds_changed(now, out))
    }

    fn holds_changed(&mut self, now: Timestamp, out: &mut Outcome) -> Vec<Hold> {
        self.holds.retain(|_, hold| hold.until > now.as_second());
        let holds: Vec<Hold> = self.holds.values().cloned().collect();
        out.changes.push(Change::Holds(holds.clone()));
        holds
    }
}

fn attachment(node: &NodeName, connection: Option<u64>, now: Timestamp, out: &mut Outcome) {
    let (node, at) = (node.clone(), now.as_second());
    out.writes.push(Write::Attachment { node: node.clone(), at, attached: connection.is_some() });
    out.changes.push(Change::Attachment { node, connection, since: at });
}

/// What an agent says is shown to people: no control characters, no end of it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REFUSAL_CHARS).collect()
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Answer::Attached(..) => "Attached",
            Answer::Published(..) => "Published",
            Answer::Holds(..) => "Holds",
            Answer::Wake(_) => "Wake",
        })
    }
}
