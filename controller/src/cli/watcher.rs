//! What this directory knows: trust from its own state file, evidence from the boards, every
//! piece verified here before it counts.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_proto::documents::{Plan, PlanId, Roster};
use muster_proto::evidence::book::Book;
use muster_proto::tls::Identity;
use muster_proto::trust::{Ledger, Offer, State, StateFile, Trust};
use muster_proto::wire::muster as wire;
use muster_proto::wire::muster::board_message::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::context::{Context, STATE};
use super::failure::{At, Failure};
use super::init::tls_key;
use super::link::{self, Heard, Until, What};
use super::shell::{Shell, read};
use super::wire::{attached, hold, refused};
use crate::view::told::{BoardSeen, Told};

/// How long a command that looks once waits for the slowest board.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that is known, and where it comes from.
pub struct Watcher {
    /// The directory.
    pub context: Context,
    /// Verified metadata and documents.
    pub trust: Trust,
    /// Verified receipts and beacons.
    pub book: Book,
    /// The boards' own words.
    pub told: Told,
    state: StateFile,
    ledger: Ledger,
}

impl Watcher {
    /// Opens the trust state, or begins one from the pinned root.
    ///
    /// # Errors
    /// `U001` to `U003`; a state file that is there and corrupt is never begun anew.
    pub fn open(shell: &Shell) -> Result<Self, Failure> {
        let context = Context::load(shell)?;
        let (state, kept) = StateFile::open(context.path(STATE), Timestamp::now())?;
        let kept = kept.map(|kept| same_root(&context, kept)).transpose()?;
        let (trust, ledger) = match kept {
            Some(State { trust, ledger }) => (trust, ledger),
            None => (pinned(&context)?, Ledger::default()),
        };
        let boards = context.boards.iter();
        let seen = |board: &super::context::Board| BoardSeen {
            address: board.address.clone(),
            ..Default::default()
        };
        let told = Told { boards: boards.map(seen).collect() };
        let book = Book::new(&context.network);
        let mut watcher = Self { context, trust, book, told, state, ledger };
        watcher.admit();
        Ok(watcher)
    }

    /// Opens, and hears every board once.
    ///
    /// # Errors
    /// As [`Watcher::open`]; `U041` when no board could be heard.
    pub async fn refreshed(shell: &Shell) -> Result<Self, Failure> {
        let mut watcher = Self::open(shell)?;
        let mut heard = watcher.listen(Until::CaughtUp)?;
        let deadline = Instant::now() + PATIENCE;
        while let Ok(Some(heard)) = timeout_at(deadline, heard.recv()).await {
            watcher.hear(heard);
        }
        watcher.keep()?;
        if watcher.told.boards.iter().all(|board| board.heard.is_none()) {
            return Err(watcher.deaf());
        }
        Ok(watcher)
    }

    /// Begins to listen to every board.
    ///
    /// # Errors
    /// `U040`, or why the TLS key cannot be used.
    pub fn listen(&self, until: Until) -> Result<mpsc::Receiver<Heard>, Failure> {
        let identity = Arc::new(self.identity()?);
        link::follow(&self.context, identity, self.trust.versions().root, until)
    }

    /// What connections are made with.
    ///
    /// # Errors
    /// Why the TLS key cannot be used.
    pub fn identity(&self) -> Result<Identity, Failure> {
        Ok(Identity::from_key(&tls_key(&self.context)?)?)
    }

    /// Takes in what a board said; whatever does not verify is counted against that board.
    pub fn hear(&mut self, heard: Heard) {
        let number = heard.board;
        let clock = Timestamp::now();
        match heard.what {
            What::Lost(failure) => self.board(number).lost = Some(failure.what),
            What::Said(message) => {
                let board = self.board(number);
                board.heard = Some(clock);
                board.lost = None;
                if let Err(failure) = self.take(number, *message, clock) {
                    self.doubt(number, failure);
                }
            }
        }
    }

    fn board(&mut self, number: usize) -> &mut BoardSeen {
        &mut self.told.boards[number]
    }

    fn doubt(&mut self, number: usize, failure: Failure) {
        let board = self.board(number);
        board.refused += 1;
        board.last_refused = Some(format!("{} {}", failure.code, failure.what));
    }

    fn take(&mut self, number: usize, message: Message, clock: Timestamp) -> Result<(), Failure> {
        match message {
            Message::Bulletin(bulletin) => self.bulletin(number, bulletin, clock)?,
            Message::Evidence(evidence) => self.evidence(number, &evidence, clock),
            Message::Holds(holds) => {
                let holds: Result<_, _> = holds.holds.into_iter().map(hold).collect();
                self.board(number).holds = holds?;
            }
            Message::CaughtUp(_) => self.board(number).caught_up = true,
            Message::Attachments(all) => {
                for one in &all.attachments {
                    let attached = attached(one)?;
                    self.board(number).attachments.insert(one.node.clone(), attached);
                }
            }
            Message::Refusal(said) => {
                let refused = refused(said)?;
                self.board(number).refusals.insert(refused.node.clone(), refused);
            }
            Message::DoubleCounter(double) => {
                for receipt in [&double.first, &double.second] {
                    self.book.receipt(receipt).map(drop).or_else(expected_double)?;
                }
            }
            // Answers to an agent; nobody asked here.
            Message::OwnChain(_) => {}
        }
        Ok(())
    }

    fn bulletin(
        &mut self,
        number: usize,
        bulletin: wire::Bulletin,
        clock: Timestamp,
    ) -> Result<(), Failure> {
        let offer = Offer::from(bulletin);
        // A new root is kept as soon as it verifies, before anything else is looked at.
        if self.trust.take_only_roots(&offer).advanced {
            self.keep()?;
        }
        let taken = self.trust.take(&offer, clock);
        if taken.advanced {
            self.admit();
            self.keep()?;
        }
        for refused in taken.refused {
            self.doubt(number, Failure::from(refused.error).at(refused.subject));
        }
        Ok(())
    }

    fn evidence(&mut self, number: usize, evidence: &wire::Evidence, clock: Timestamp) {
        for receipt in &evidence.receipts {
            if let Err(error) = self.book.receipt(receipt) {
                self.doubt(number, error.into());
            }
        }
        for beacon in &evidence.beacons {
            if let Err(error) = self.book.beacon(beacon, clock) {
                self.doubt(number, error.into());
            }
        }
    }

    /// Takes over trust that verified elsewhere against this directory's own (in a draft).
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn learn(&mut self, trust: Trust) -> Result<(), Failure> {
        self.trust = trust;
        self.admit();
        self.keep()
    }

    fn admit(&mut self) {
        if let Some(roster) = self.trust.roster() {
            self.book.admit(roster, self.trust.plans());
        }
    }

    /// Writes the trust state, unless another command has written a newer one meanwhile.
    fn keep(&self) -> Result<(), Failure> {
        let path = self.context.path("trust.lock");
        let lock = File::create(&path).at(path.display())?;
        lock.lock().at(path.display())?;
        let (_, theirs) = StateFile::open(self.context.path(STATE), Timestamp::now())?;
        if theirs.is_some_and(|theirs| newness(&theirs.trust) > newness(&self.trust)) {
            return Ok(());
        }
        Ok(self.state.save(&self.trust, &self.ledger)?)
    }

    /// Why no board was heard.
    pub fn deaf(&self) -> Failure {
        let mut failure = Failure::new("U041", "no controller could be heard");
        let lost = |board: &BoardSeen| {
            let why = board.lost.as_deref().unwrap_or("no answer in time");
            format!("{}: {why}", board.address)
        };
        failure.why = self.told.boards.iter().map(lost).collect();
        failure
    }

    /// The newest verified roster.
    ///
    /// # Errors
    /// `U013` when no board had one.
    pub fn roster(&self) -> Result<&Roster, Failure> {
        let none = || Failure::new("U013", "no verified roster is known");
        self.trust.roster().ok_or_else(none)
    }

    /// Every verified plan.
    pub fn plans(&self) -> &BTreeMap<PlanId, Plan> {
        self.trust.plans()
    }
}

/// Two receipts with one counter: the second is refused, and that is the point.
fn expected_double(error: muster_proto::evidence::book::BookError) -> Result<(), Failure> {
    let failure = Failure::from(error);
    if failure.code == "V013" { Ok(()) } else { Err(failure) }
}

/// The state belongs to the root that is pinned, and to this network.
fn same_root(context: &Context, kept: State) -> Result<State, Failure> {
    let pinned = context.root.as_ref().map(|root| &root.sha256);
    match pinned == Some(kept.trust.pinned_root()) && kept.trust.network() == context.network {
        true => Ok(kept),
        false => {
            let what = "the trust state belongs to another root or network";
            Err(Failure::new("U030", what).at(context.path(STATE).display()))
        }
    }
}

/// Larger when more is known.
fn newness(trust: &Trust) -> (u64, u64, u64) {
    let versions = trust.versions();
    (versions.root, versions.timestamp, versions.snapshot)
}

/// Trust from the root that was pinned by hand.
///
/// # Errors
/// `U003` when there is none.
fn pinned(context: &Context) -> Result<Trust, Failure> {
    let none = || Failure::new("U003", "no root of trust is pinned").at(context.dir.display());
    let root = context.root.as_ref().ok_or_else(none)?;
    let path = context.path(&root.file);
    let bytes = read(&path, super::init::ROOT_BYTES)?;
    Trust::pin(&bytes, &root.sha256, &context.network).at(path.display())
}
