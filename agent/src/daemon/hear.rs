//! What boards say: verified, persisted, and only then known.

use jiff::Timestamp;
use muster_proto::documents::NodeName;
use muster_proto::evidence::book::BookError;
use muster_proto::evidence::chain::Added;
use muster_proto::evidence::{ChainError, Proof};
use muster_proto::trust::{Offer, State, TrustError};
use muster_proto::wire::muster::{Bulletin, DoubleCounter, Evidence, OwnChain};

use super::core::Core;
use super::refusals::refused;
use crate::boards::{BoardEvent, Event};
use crate::control::said;
use crate::control::view::{BoardState, RefusedView};
use crate::decide::own_chain::{self, Heard, Own, Word};

/// Whence a refusal comes that no board caused.
const HERE: &str = "this host";

impl Core {
    /// Takes in one event. What is verified and new rings `changed`.
    pub(super) fn hear(&mut self, heard: BoardEvent) {
        let BoardEvent { board, event } = heard;
        let news = match event {
            Event::State(state) => self.board_is(board, state),
            Event::Bulletin(bulletin) => self.bulletin(board, bulletin),
            Event::Evidence(evidence) => self.evidence(board, &evidence),
            Event::DoubleCounter(double) => self.double_counter(board, double),
            Event::OwnChain(question, own) => self.own_chain(board, question, &own),
            Event::Holds(holds) => {
                self.holds.replace(board, &holds, self.now());
                true
            }
        };
        if news {
            self.changed.notify_one();
        }
    }

    fn board_is(&mut self, board: usize, state: BoardState) -> bool {
        let board = &mut self.boards[board];
        if std::mem::discriminant(&board.state) != std::mem::discriminant(&state) {
            board.since = Timestamp::now();
        }
        if state == BoardState::Attached {
            // A new stream has answered nothing yet (rule 11).
            board.heard = Heard { question: 0, silent: false };
        }
        board.state = state;
        true
    }

    fn bulletin(&mut self, board: usize, bulletin: Bulletin) -> bool {
        let from = self.boards[board].address.clone();
        self.offer(&from, &Offer::from(bulletin))
    }

    /// Takes what verifies, saves it, and lets the ledger look at the plans in it.
    fn offer(&mut self, from: &str, offer: &Offer) -> bool {
        let taken = match self.file.take(&mut self.state, offer, Timestamp::now()) {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(error = said::chain(&error), "trust state not saved");
                return false;
            }
        };
        for root in &taken.new_roots {
            tracing::info!(root, "a new root of trust verified");
        }
        for one in &taken.refused {
            self.refuse_document(from, &one.subject, &one.error);
        }
        let admitted = self.admit(from);
        if taken.advanced || admitted {
            self.learn();
        }
        taken.advanced || admitted
    }

    /// Looks anew at what has expired meanwhile.
    pub(super) fn age(&mut self) {
        if self.offer(HERE, &Offer::default()) {
            self.changed.notify_one();
        }
    }

    /// Exactly the plans that are listed now and that the ledger admits, and what is in hand.
    /// True when they are others than before.
    fn admit(&mut self, from: &str) -> bool {
        let State { trust, ledger } = &mut self.state;
        let before_ledger = ledger.clone();
        let floor = |counter| trust.serial_floor(counter);
        let verdicts = ledger.admit_all(&self.me.network, trust.plans().keys(), floor);
        for plan in verdicts.iter().filter(|(_, verdict)| verdict.is_ok()).map(|(id, _)| id) {
            if let Some(ends) = trust.plans()[plan].ended_emergencies() {
                ledger.end(&self.me.network, ends.emergency);
            }
        }
        for abort in trust.aborts().values() {
            if ledger.abort(abort) {
                tracing::warn!(plan = %abort.plan, reason = abort.reason, "aborted");
            }
        }
        let aborts = ledger.aborts(&self.me.network);
        self.aborts = aborts.map(|abort| (abort.plan.clone(), abort.clone())).collect();
        let wrote = *ledger != before_ledger;
        let mut before = std::mem::take(&mut self.plans);
        for id in self.journal.all_in_hand() {
            self.plans.extend(before.get(&id).map(|plan| (id, plan.clone())));
        }
        let mut new = false;
        for (id, verdict) in verdicts {
            match verdict {
                Ok(_) => {
                    let known = before.remove(&id);
                    if known.is_none() {
                        tracing::info!(plan = %id, digest = %id.digest, "plan verified");
                        new = true;
                    }
                    let plan = known.unwrap_or_else(|| self.state.trust.plans()[&id].clone());
                    self.plans.insert(id, plan);
                }
                Err(error) => self.refuse(from, &id.to_string(), &error),
            }
        }
        if wrote {
            self.persist();
        }
        if new {
            self.look_at_policy();
        }
        before.keys().any(|id| !self.plans.contains_key(id)) || wrote
    }

    /// What the files hold, before any board is heard.
    pub(super) fn begin(&mut self) {
        self.admit(HERE);
        self.learn();
        let head = *self.journal.follow().borrow();
        let versions = self.state.trust.versions();
        // Asked of every board when it is attached, also when there is no plan; a plan that comes
        // later has a question of its own.
        self.question.0 = self.question.0.max(1);
        let question = self.question.0;
        self.outgoing.send_modify(|outgoing| {
            outgoing.head = head;
            outgoing.versions = [versions.root, versions.timestamp, versions.snapshot];
            outgoing.question = question;
        });
    }

    /// On the disk before anything is decided by it.
    pub(super) fn persist(&mut self) {
        if let Err(error) = self.file.save(&self.state.trust, &self.state.ledger) {
            // Still verified; what is lost by a crash is asked of a board again.
            tracing::error!(error = said::chain(&error), "trust state not saved");
        }
    }

    /// The book learns which keys and plans count now.
    pub(super) fn learn(&mut self) {
        // People and keys are known by the newest roster, also when it may say nothing new.
        if let Some(roster) = self.state.trust.last_roster() {
            self.book.admit(roster, &self.plans);
        }
        self.own_receipts();
        self.ask_own_chain();
    }

    /// Own receipts belong to the evidence like everybody's.
    pub(super) fn own_receipts(&mut self) {
        const BATCH: u32 = 64;
        loop {
            let known = self.book.head(&self.me.node).map_or(0, |head| head.counter);
            let Ok(next) = self.journal.since(known, BATCH) else { return };
            let added = next.iter().filter(|(_, bytes)| self.book.receipt(bytes).is_ok()).count();
            if added == 0 {
                return;
            }
        }
    }

    fn evidence(&mut self, board: usize, evidence: &Evidence) -> bool {
        let now = self.now();
        let mut news = false;
        for bytes in &evidence.receipts {
            match self.book.receipt(bytes) {
                Ok(added) => news |= added == Added::New,
                Err(error) => self.refuse_evidence(board, "receipt", &error),
            }
        }
        for bytes in &evidence.beacons {
            match self.book.beacon(bytes, now) {
                Ok(newer) => news |= newer,
                Err(error) => self.refuse_evidence(board, "beacon", &error),
            }
        }
        self.compare_own_page();
        news
    }

    /// A proof needs nobody's word: whoever signed two contents for one counter counts as away
    /// from now on.
    fn double_counter(&mut self, board: usize, double: DoubleCounter) -> bool {
        let Ok(node) = double.node.parse::<NodeName>() else { return false };
        let proof = Proof { first: double.first, second: double.second };
        match self.book.proof(&node, proof) {
            Ok(news) => {
                if news {
                    tracing::error!(%node, "contradicted itself: quarantined");
                }
                news
            }
            Err(error) => {
                self.refuse_evidence(board, "double counter", &error);
                false
            }
        }
    }

    /// Boards hand out our own receipts too: one that the journal lacks was signed before a
    /// restore from a backup (rule 11).
    fn compare_own_page(&mut self) {
        let (known, journaled) = (self.book.head(&self.me.node), self.journal.head());
        let (Some(known), Ok(journaled)) = (known, journaled) else { return };
        if known.counter > journaled.map_or(0, |head| head.counter) && self.ahead.is_none() {
            tracing::error!(
                counter = known.counter,
                "evidence holds a receipt that the journal lacks"
            );
            self.ahead = Some(known);
        }
    }

    fn own_chain(&mut self, board: usize, question: u64, own: &OwnChain) -> bool {
        let whose = Own { network: &self.me.network, node: &self.me.node, key: &self.me.public };
        let journal = &self.journal;
        let journaled = |counter: u64| {
            let found = journal.since(counter.checked_sub(1)?, 1).ok()?;
            own_chain::hash_of(&found.first().filter(|(found, _)| *found == counter)?.1)
        };
        match own_chain::compare(whose, own.counter, &own.receipt, journaled) {
            Word::Agrees => {}
            Word::Unproved => tracing::warn!(
                board = self.boards[board].address,
                counter = own.counter,
                "this board claims a longer chain of ours and shows none"
            ),
            Word::Ahead(head) => {
                tracing::error!(
                    counter = head.counter,
                    "a board holds a receipt that the journal lacks"
                );
                self.ahead = Some(head);
            }
        }
        self.boards[board].heard.question = question;
        true
    }

    /// Asks all boards again when a plan appeared that was not there at the last question.
    fn ask_own_chain(&mut self) {
        let new: Vec<_> =
            self.plans.keys().filter(|id| !self.asked_under.contains_key(id)).cloned().collect();
        if new.is_empty() {
            return;
        }
        self.question = (self.question.0 + 1, Timestamp::now());
        let number = self.question.0;
        self.asked_under.extend(new.into_iter().map(|id| (id, number)));
        self.outgoing.send_modify(|outgoing| outgoing.question = number);
    }

    fn refuse_evidence(&mut self, board: usize, subject: &str, error: &BookError) {
        if is_harmless(error) {
            tracing::debug!(subject, %error, "evidence not taken");
        } else {
            let from = self.boards[board].address.clone();
            self.refuse(&from, subject, error);
        }
    }

    fn refuse_document(&mut self, from: &str, subject: &str, error: &TrustError) {
        match error {
            // Pieces of one publication come one after another.
            TrustError::Withheld { .. } => tracing::debug!(subject, %error, "not whole yet"),
            _ => self.refuse(from, subject, error),
        }
    }

    fn refuse(&mut self, from: &str, subject: &str, error: &(dyn std::error::Error + 'static)) {
        self.note_refusal(refused(Timestamp::now(), from, subject, error));
    }

    /// Said once, shown in `status`, told to boards.
    pub(super) fn note_refusal(&mut self, refusal: RefusedView) {
        if self.refusals.add(refusal) {
            let refusals = self.refusals.wire();
            self.outgoing.send_modify(|outgoing| outgoing.refusals = refusals);
        }
    }
}

/// Nothing is wrong: links in between are still on their way, or nobody lists that node.
fn is_harmless(error: &BookError) -> bool {
    matches!(
        error,
        BookError::Chain(ChainError::Gap { .. })
            | BookError::NotListed(_)
            | BookError::Quarantined(_)
    )
}
