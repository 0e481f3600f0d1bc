//! The service that officers and watchers call, each with the rights that the configuration gives
//! to the key of his connection. Rights are asked per call.

pub mod refused;

use std::sync::Arc;

use jiff::Timestamp;
use muster_proto::documents::Class;
use muster_proto::tls::Peer;
use muster_proto::wire::limits;
use muster_proto::wire::muster::desk_server::Desk as DeskApi;
use muster_proto::wire::muster::{
    BoardMessage, FollowRequest, HistoryEntry, HistoryReply, HistoryRequest, Hold, HoldReply,
    HoldRequest, PublishReply, PublishRequest, ReleaseHoldRequest,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Extensions, Request, Response, Status};
use tracing::{error, info};

use self::refused::DeskError;
use crate::board::command::{Command, Reply};
use crate::board::cursor::{Cursor, Reader};
use crate::board::refused::Turned;
use crate::board::{Board, PUMP_QUEUE, Pump};
use crate::config::{Config, Person, Right};
use crate::store::Store;

/// A hold is renewed by somebody awake, or it ends: at most a day, in seconds.
const LONGEST_HOLD_S: u32 = 24 * 60 * 60;

/// Characters of a hold's reason: one line on a screen.
const REASON_CHARS: usize = 200;

/// Plans in a history when the caller does not say how many, and the most he gets.
const HISTORY: (u32, u32) = (50, 500);

/// See the module.
#[derive(Debug, Clone)]
pub struct DeskService {
    board: Board,
    store: Store,
    config: Arc<Config>,
}

impl DeskService {
    /// Serves the people that `config` lists.
    pub fn new(board: Board, store: Store, config: Arc<Config>) -> Self {
        Self { board, store, config }
    }

    /// Who calls, when he has that right.
    fn person(&self, from: &Extensions, right: Right) -> Result<&Person, DeskError> {
        let key = from.get::<Peer>().map(|peer| peer.key);
        let key = key.expect("every connection passed the door, which names the peer");
        let person = self.config.person(&key).ok_or(DeskError::Unlisted(key))?;
        if person.rights.contains(&right) {
            return Ok(person);
        }
        Err(DeskError::Right { person: person.name.clone(), right })
    }

    fn network(&self, asked: &str) -> Result<(), DeskError> {
        let served = self.board.network();
        if asked == served {
            return Ok(());
        }
        Err(DeskError::Network { served: served.into(), asked: asked.into() })
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(Reply<T, DeskError>) -> Command,
    ) -> Result<T, DeskError> {
        let (reply, answer) = oneshot::channel();
        self.board.ask(command(reply)).await?;
        answer.await.map_err(|_| Turned::GoingDown)?
    }
}

#[tonic::async_trait]
impl DeskApi for DeskService {
    type FollowStream = ReceiverStream<Result<BoardMessage, Status>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let person = self.person(request.extensions(), Right::Watch)?;
        info!(person = person.name, "follows");
        let asked = request.get_ref();
        self.network(&asked.network)?;
        let (out, stream) = mpsc::channel(PUMP_QUEUE);
        let cursor = Cursor::new(Reader::Watcher, asked.root_version);
        let wake = Arc::new(Notify::new());
        let slow = self.config.limits.slow;
        let pump = Pump::new(self.board.clone(), cursor, out.clone(), wake, slow);
        let once = asked.once;
        tokio::spawn(async move {
            if let Some(turned) = pump.watcher(once).await {
                // He may be gone already.
                let _ = out.try_send(Err(turned.into()));
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn publish(
        &self,
        request: Request<PublishRequest>,
    ) -> Result<Response<PublishReply>, Status> {
        let person = self.person(request.extensions(), Right::Publish)?.name.clone();
        let request = request.into_inner();
        let role = request.role.clone();
        let published =
            self.ask(|reply| Command::Publish { person: person.clone(), request, reply }).await;
        match &published {
            Ok(reply) => info!(person, role, version = reply.version, "published"),
            Err(refused) => info!(person, role, %refused, "publication refused"),
        }
        Ok(Response::new(published?))
    }

    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldReply>, Status> {
        let person = self.person(request.extensions(), Right::Hold)?.name.clone();
        let asked = request.into_inner();
        self.network(&asked.network)?;
        let hold = hold(person, asked, Timestamp::now())?;
        info!(by = hold.by, class = hold.class, serial = hold.serial, "hold");
        let holds = self.ask(|reply| Command::Hold { hold, reply }).await?;
        Ok(Response::new(HoldReply { holds }))
    }

    async fn release_hold(
        &self,
        request: Request<ReleaseHoldRequest>,
    ) -> Result<Response<HoldReply>, Status> {
        let person = self.person(request.extensions(), Right::Hold)?.name.clone();
        let asked = request.into_inner();
        self.network(&asked.network)?;
        let serial = asked.serial;
        let class = class(&asked.class, serial)?;
        info!(by = person, %class, serial, "hold released");
        let holds = self.ask(|reply| Command::Release { class, serial, reply }).await?;
        Ok(Response::new(HoldReply { holds }))
    }

    async fn history(
        &self,
        request: Request<HistoryRequest>,
    ) -> Result<Response<HistoryReply>, Status> {
        self.person(request.extensions(), Right::Watch)?;
        let asked = request.into_inner();
        self.network(&asked.network)?;
        let limit = if asked.limit == 0 { HISTORY.0 } else { asked.limit.min(HISTORY.1) };
        let past = self.store.history(limit).await.map_err(|failed| {
            error!(%failed, "history");
            Status::from(Turned::GoingDown)
        })?;
        let entries = past.into_iter().map(|plan| HistoryEntry {
            published_at: plan.published_ms,
            plan: plan.plan,
            receipts: plan.receipts,
        });
        Ok(Response::new(HistoryReply { entries: fitting(entries) }))
    }
}

/// As many of the newest as one message carries.
fn fitting(entries: impl Iterator<Item = HistoryEntry>) -> Vec<HistoryEntry> {
    let mut left = limits::MESSAGE_BYTES - limits::EVIDENCE_BYTES;
    let mut taken = Vec::new();
    for entry in entries {
        let Some(rest) = left.checked_sub(prost::Message::encoded_len(&entry) + 8) else { break };
        left = rest;
        taken.push(entry);
    }
    taken
}

fn hold(by: String, asked: HoldRequest, now: Timestamp) -> Result<Hold, DeskError> {
    let class = class(&asked.class, asked.serial)?;
    if !(1..=LONGEST_HOLD_S).contains(&asked.seconds) {
        return Err(DeskError::HoldTime { asked: asked.seconds, most: LONGEST_HOLD_S });
    }
    let reason = asked.reason.trim();
    let shown = (1..=REASON_CHARS).contains(&reason.chars().count());
    if !shown || reason.chars().any(char::is_control) {
        return Err(DeskError::Reason(REASON_CHARS));
    }
    let until = now.as_second() + i64::from(asked.seconds);
    Ok(Hold { class: class.to_string(), serial: asked.serial, by, reason: reason.into(), until })
}

fn class(asked: &str, serial: u64) -> Result<Class, DeskError> {
    asked.parse().map_err(|_| DeskError::NoPlan { class: asked.into(), serial })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(seconds: u32, reason: &str) -> HoldRequest {
        let (network, class) = ("testnet".into(), "hotfix".into());
        HoldRequest { network, class, serial: 1, reason: reason.into(), seconds }
    }

    #[test]
    fn a_hold_lasts_at_most_a_day() {
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(hold("ann".into(), asked(86_400, "why"), now).unwrap().until, 86_500);
        let long = hold("ann".into(), asked(86_401, "why"), now);
        assert_eq!(long, Err(DeskError::HoldTime { asked: 86_401, most: 86_400 }));
        let none = hold("ann".into(), asked(0, "why"), now);
        assert_eq!(none, Err(DeskError::HoldTime { asked: 0, most: 86_400 }));
    }

    #[test]
    fn a_hold_without_a_reason_or_with_control_characters_is_refused() {
        let now = Timestamp::from_second(100).unwrap();
        for reason in [" ", "red \u{1b}[31m", &"x".repeat(201)] {
            let refused = hold("ann".into(), asked(60, reason), now);
            assert_eq!(refused, Err(DeskError::Reason(200)), "{reason}");
        }
    }

    #[test]
    fn a_history_never_outgrows_its_message() {
        let entry = || HistoryEntry { plan: vec![0; 1024 * 1024], ..HistoryEntry::default() };
        let taken = fitting((0..10).map(|_| entry()));
        assert_eq!(taken.len(), 3);
    }
}
