//! What a board has been told on one stream, and what it should be told next. Pure.

use muster_proto::wire::muster::agent_message::Message;
use muster_proto::wire::muster::{AgentMessage, Hello, OwnChain, OwnChainQuestion};

use super::Outgoing;

/// Receipts handed over in one go; the rest follows when these have left.
const BATCH: usize = 32;

/// The memory of one stream.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The question asked last; 0 for none.
    asked: u64,
    /// It is not answered yet. One question at a time, so that an answer has one meaning.
    waiting: bool,
    /// Own receipts that the board holds or was sent; none until it said what it holds.
    receipts: Option<u64>,
    beacon: u64,
    refusals: usize,
}

/// The first message on a stream.
pub(super) fn hello(node: &str, network: &str, outgoing: &Outgoing) -> AgentMessage {
    let [root_version, timestamp_version, snapshot_version] = outgoing.versions;
    wrap(Message::Hello(Hello {
        node: node.into(),
        network: network.into(),
        root_version,
        timestamp_version,
        snapshot_version,
        software: env!("CARGO_PKG_VERSION").into(),
    }))
}

impl Session {
    /// What the board lacks now, in the order in which it should hear it: the question first, a
    /// beacon last, so that it never names a head whose receipts are still to come.
    pub(super) fn due(
        &mut self,
        outgoing: &Outgoing,
        receipts: impl Fn(u64, usize) -> Vec<Vec<u8>>,
    ) -> Vec<AgentMessage> {
        let mut due = Vec::new();
        if self.asked < outgoing.question && !self.waiting {
            self.asked = outgoing.question;
            self.waiting = true;
            due.push(Message::OwnChain(OwnChainQuestion {}));
        }
        let mut behind = false;
        if let Some(sent) = self.receipts
            && sent < outgoing.head
        {
            let next = receipts(sent, BATCH);
            self.receipts = Some(sent + next.len() as u64);
            behind = next.len() == BATCH;
            due.extend(next.into_iter().map(Message::Receipt));
        }
        due.extend(outgoing.refusals[self.refusals..].iter().cloned().map(Message::Refusal));
        self.refusals = outgoing.refusals.len();
        if let Some((number, beacon)) = &outgoing.beacon
            && *number > self.beacon
            && !behind
        {
            self.beacon = *number;
            due.push(Message::Beacon(beacon.to_vec()));
        }
        due.into_iter().map(wrap).collect()
    }

    /// The board said what it holds; returns the number of the question that this answers.
    /// A board that holds more than the journal is sent nothing: the chain has forked.
    pub(super) fn answered(&mut self, own: &OwnChain) -> u64 {
        self.waiting = false;
        self.receipts = Some(self.receipts.unwrap_or(0).max(own.counter));
        self.asked
    }
}

fn wrap(message: Message) -> AgentMessage {
    AgentMessage { message: Some(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(head: u64) -> Outgoing {
        Outgoing {
            head,
            question: 1,
            beacon: Some((1, b"beacon".as_slice().into())),
            ..Outgoing::default()
        }
    }

    fn chain(head: u64) -> impl Fn(u64, usize) -> Vec<Vec<u8>> {
        move |since, most| (since + 1..=head).take(most).map(|n| vec![n as u8]).collect()
    }

    fn words(messages: &[AgentMessage]) -> String {
        let word = |message: &AgentMessage| match message.message.as_ref().unwrap() {
            Message::Hello(_) => "hello".into(),
            Message::Receipt(bytes) => format!("r{}", bytes[0]),
            Message::Beacon(_) => "beacon".into(),
            Message::Refusal(refusal) => refusal.code.clone(),
            Message::OwnChain(_) => "own?".into(),
        };
        messages.iter().map(word).collect::<Vec<String>>().join(" ")
    }

    #[test]
    fn receipts_wait_until_the_board_said_what_it_holds() {
        let mut session = Session::default();
        assert_eq!(words(&session.due(&outgoing(3), chain(3))), "own? beacon");
        session.answered(&OwnChain { counter: 1, ..OwnChain::default() });
        assert_eq!(words(&session.due(&outgoing(3), chain(3))), "r2 r3");
        assert_eq!(words(&session.due(&outgoing(3), chain(3))), "");
        assert_eq!(words(&session.due(&outgoing(4), chain(4))), "r4");
    }

    #[test]
    fn a_board_that_holds_more_than_the_journal_is_sent_no_receipt() {
        let mut session = Session::default();
        session.due(&outgoing(3), chain(3));
        session.answered(&OwnChain { counter: 7, ..OwnChain::default() });
        assert_eq!(words(&session.due(&outgoing(3), chain(3))), "");
    }

    #[test]
    fn a_new_question_is_asked_once_and_a_new_beacon_sent_once() {
        let mut session = Session::default();
        session.due(&outgoing(0), chain(0));
        session.answered(&OwnChain::default());
        let again =
            Outgoing { question: 2, beacon: Some((2, b"x".as_slice().into())), ..outgoing(0) };
        assert_eq!(words(&session.due(&again, chain(0))), "own? beacon");
        assert_eq!(words(&session.due(&again, chain(0))), "");
    }

    #[test]
    fn a_long_chain_goes_in_batches_and_the_beacon_last() {
        let mut session = Session::default();
        session.answered(&OwnChain::default());
        let first = session.due(&outgoing(40), chain(40));
        assert_eq!(first.len(), 1 + 32, "the question and a full batch");
        assert!(words(&session.due(&outgoing(40), chain(40))).ends_with("r40 beacon"));
    }
}
