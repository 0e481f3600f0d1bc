use muster_proto::documents::{Class, Digest};
use muster_proto::evidence::Chain;
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::Stage;
use muster_proto::trust::keys::SecretKey;
use tempfile::TempDir;

use super::*;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn identity(node: &str) -> Identity {
    let node = node.parse().expect("a name");
    Identity { network: "testnet".into(), node, key: key().public() }
}

fn seal() -> Seal {
    Arc::new(|receipt| Envelope::sign(receipt, key().signing_key()).map_err(Into::into))
}

fn open(dir: &TempDir) -> Result<Journal, JournalError> {
    Journal::open(dir.path(), identity("node-1"), seal())
}

fn plan(serial: u64) -> StoredPlan {
    let plan = format!("plan {serial}").into_bytes();
    let id = PlanId { class: Class::Hotfix, serial, digest: Digest::of(&plan) };
    StoredPlan { id, plan, release: None }
}

fn milestone(milestone: Milestone) -> [Record; 1] {
    [Record::Milestone(milestone)]
}

const ACKNOWLEDGED: Milestone = Milestone::Acknowledged { in_hand: None };

fn acknowledge(journal: &Journal, plan: &StoredPlan) {
    journal.open_plan(plan).expect("opens");
    let event = Event::Acknowledged { in_hand: None };
    journal.record(&plan.id, &milestone(ACKNOWLEDGED), Some(event)).expect("records");
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(42);
    let journal = open(&dir).expect("opens");
    acknowledge(&journal, &plan);
    journal.record(&plan.id, &[Record::Intent(Effect::Pull)], None).expect("records");
    let before = journal.fold(&plan.id);
    drop(journal);

    let journal = open(&dir).expect("opens again");
    assert_eq!(journal.fold(&plan.id), before);
    assert_eq!(journal.fold(&plan.id).stage, Stage::Acknowledged);
    assert_eq!(journal.stored(&plan.id).expect("stored"), plan);
    assert_eq!(*journal.follow().borrow(), 1);
}

#[test]
fn a_record_that_cannot_follow_writes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = open(&dir).expect("opens");
    let plan = plan(42);
    acknowledge(&journal, &plan);
    let records = [Record::Intent(Effect::Pull), Record::Milestone(Milestone::Stopped)];
    let refused = journal.record(&plan.id, &records, Some(Event::Prepared));
    assert!(matches!(refused, Err(JournalError::Illegal(_))), "{refused:?}");
    assert_eq!(journal.records(&plan.id).expect("records").len(), 1);
    assert_eq!(journal.head().expect("a head").map(|head| head.counter), Some(1));
}

#[test]
fn a_plan_that_was_never_opened_gets_no_record_and_no_receipt() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = open(&dir).expect("opens");
    let plan = plan(42);
    let event = Event::Acknowledged { in_hand: None };
    let refused = journal.record(&plan.id, &milestone(ACKNOWLEDGED), Some(event));
    assert!(refused.expect_err("not opened").to_string().starts_with("E108: "));
    let refused = journal.stored(&plan.id).expect_err("not opened");
    assert!(refused.to_string().starts_with("E108: "), "{refused}");
    assert_eq!(journal.folds(), BTreeMap::new());
    assert_eq!(journal.head().expect("a head"), None);
}

#[test]
fn a_receipt_that_cannot_be_signed_takes_its_record_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let plan = plan(42);
    let fails: Seal = Arc::new(|_| Err("the key is gone".into()));
    let journal = Journal::open(dir.path(), identity("node-1"), fails).expect("opens");
    journal.open_plan(&plan).expect("opens");
    let event = Event::Acknowledged { in_hand: None };
    let refused = journal.record(&plan.id, &milestone(ACKNOWLEDGED), Some(event));
    assert!(refused.expect_err("no signature").to_string().starts_with("E109: "));
    assert_eq!(journal.fold(&plan.id), Fold::default());
    drop(journal);

    let journal = open(&dir).expect("opens again");
    assert_eq!(journal.fold(&plan.id), Fold::default());
    assert_eq!(journal.records(&plan.id).expect("records"), []);
    acknowledge(&journal, &plan);
    assert_eq!(journal.head().expect("a head").map(|head| head.counter), Some(1));
}

#[test]
fn own_receipts_form_a_chain_that_others_can_verify() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = open(&dir).expect("opens");
    let (one, other) = (plan(42), plan(43));
    acknowledge(&journal, &one);
    journal.record(&one.id, &milestone(Milestone::Prepared), Some(Event::Prepared)).expect("yes");
    drop(journal);
    let journal = open(&dir).expect("opens again");
    acknowledge(&journal, &other);

    let mut chain = Chain::new("testnet", "node-1".parse().expect("a name"), key().public());
    for (_, envelope) in journal.since(0, 100).expect("receipts") {
        chain.add(&Envelope::parse::<Receipt>(&envelope).expect("parses")).expect("follows");
    }
    assert_eq!(chain.head(), journal.head().expect("a head"));
    assert_eq!(chain.receipts().count(), 3);
    assert_eq!(journal.since(2, 100).expect("receipts").len(), 1);
}

#[test]
fn beacon_counters_grow_over_restarts() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut last = 0;
    for _ in 0..3 {
        let journal = open(&dir).expect("opens");
        for _ in 0..1_500 {
            let next = journal.next_beacon().expect("a counter");
            assert!(next > last, "{next} after {last}");
            last = next;
        }
    }
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let _first = open(&dir).expect("opens");
    assert!(matches!(open(&dir), Err(JournalError::Locked { .. })));
}

#[test]
fn another_nodes_journal_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(open(&dir).expect("opens"));
    let refused = Journal::open(dir.path(), identity("node-2"), seal());
    assert!(matches!(refused, Err(JournalError::Elsewhere { .. })), "{refused:?}");
}

/// Changes the file behind the journal's back, and says how it is refused.
fn spoilt(change: impl FnOnce(&Path)) -> Option<JournalError> {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = open(&dir).expect("opens");
    acknowledge(&journal, &plan(42));
    acknowledge(&journal, &plan(43));
    drop(journal);
    change(&dir.path().join(Journal::FILE));
    open(&dir).err()
}

fn sql(text: &'static str) -> impl FnOnce(&Path) {
    move |path| Connection::open(path).expect("opens").execute_batch(text).expect("runs")
}

#[test]
fn a_damaged_journal_is_refused_and_never_started_over() {
    let refusals = [
        spoilt(|path| std::fs::write(path, "no database").expect("writes")),
        spoilt(sql("PRAGMA application_id = 1")),
        spoilt(sql("DELETE FROM record WHERE seq = 1; UPDATE record SET body = '{\"undone\":7}'")),
        spoilt(sql("INSERT INTO record (plan, at, body) SELECT plan, at, body FROM record")),
        spoilt(sql("UPDATE receipt SET hash = 'sha256:00' WHERE counter = 1")),
        spoilt(sql("DELETE FROM receipt WHERE counter = 1")),
    ];
    for refused in refusals {
        assert!(matches!(refused, Some(JournalError::Corrupt { .. })), "{refused:?}");
    }
    let refused = spoilt(sql("PRAGMA user_version = 2"));
    assert!(matches!(refused, Some(JournalError::Newer { found: 2, .. })), "{refused:?}");
}

#[test]
fn pages_that_rotted_are_noticed() {
    let refused = spoilt(|path| {
        let connection = Connection::open(path).expect("opens");
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("runs");
        drop(connection);
        let mut bytes = std::fs::read(path).expect("reads");
        let half = bytes.len() / 2;
        bytes[half..].fill(0xff);
        std::fs::write(path, bytes).expect("writes");
    });
    assert!(matches!(refused, Some(JournalError::Corrupt { .. })), "{refused:?}");
}

#[test]
fn the_operator_may_answer_beside_a_running_daemon() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = open(&dir).expect("opens");
    let plan = plan(42);
    acknowledge(&journal, &plan);
    let view = JournalView::open(dir.path()).expect("opens beside it");
    let at = Timestamp::UNIX_EPOCH;
    let answer = OperatorAnswer { approved: true, who: "ops".into(), why: String::new(), at };
    view.set_answer(&plan.id, &answer).expect("writes");
    assert_eq!(journal.answer(&plan.id).expect("reads"), Some(answer));
    assert_eq!(view.fold(&plan.id).expect("folds").stage, Stage::Acknowledged);
    assert_eq!(view.receipts().expect("reads").len(), 1);
}

#[test]
fn every_write_can_be_watched_from_both_sides() {
    let dir = tempfile::tempdir().expect("a folder");
    let points = Arc::new(Mutex::new(Vec::new()));
    let seen = points.clone();
    let hook: WriteHook = Arc::new(move |point| seen.lock().expect("free").push(point));
    let journal = Journal::open_hooked(dir.path(), identity("node-1"), seal(), hook);
    let journal = journal.expect("opens");
    journal.open_plan(&plan(42)).expect("writes");
    let first = |after| WritePoint { write: 0, after };
    assert_eq!(*points.lock().expect("free"), [first(false), first(true)]);
}
