use super::*;
use crate::journal::record::{GoOn, Last, Policy};

fn cause() -> Cause {
    Cause { code: "E317".into(), text: "the height does not advance".into() }
}

fn milestones() -> Vec<(&'static str, Milestone)> {
    vec![
        ("acknowledged", Milestone::Acknowledged { in_hand: None }),
        ("asked", Milestone::Asked),
        ("prepared", Milestone::Prepared),
        ("unprepared", Milestone::Unprepared),
        ("begun", Milestone::Begun { tip: None }),
        ("lapsed", Milestone::Lapsed),
        ("rehearsed", Milestone::Rehearsed),
        ("stopped", Milestone::Stopped),
        ("swapped", Milestone::Swapped),
        ("started", Milestone::Started),
        ("interrupted", Milestone::Interrupted { to: GoOn::Stopped }),
        ("passed", Milestone::Passed { away_ms: None }),
        ("failed", Milestone::Failed(cause())),
        ("undoing", Milestone::Undoing(cause())),
        ("stuck", Milestone::Stuck(cause())),
        ("done", Milestone::Final(Last::Done)),
        ("rolled-back", Milestone::Final(Last::RolledBack)),
        ("declined", Milestone::Final(Last::Declined)),
    ]
}

fn stages() -> Vec<Stage> {
    use Stage::*;
    let over = [Final::Done, Final::RolledBack, Final::Declined].map(Over);
    let mut all = vec![Verified, Acknowledged, Prepared, Begun, Stopped, Swapped, Started, Passed];
    all.extend(over);
    all
}

/// One line per stage and direction: where each milestone leads.
fn table() -> String {
    let mut text = String::new();
    for stage in stages() {
        for undoing in [false, true] {
            let row: Vec<_> = milestones()
                .iter()
                .filter_map(|(word, milestone)| {
                    next(stage, undoing, milestone).map(|to| match to == stage {
                        true => (*word).to_owned(),
                        false => format!("{word}→{to:?}"),
                    })
                })
                .collect();
            if !row.is_empty() {
                let turn = if undoing { " undoing" } else { "" };
                text.push_str(&format!("{stage:?}{turn}: {}\n", row.join(" ")));
            }
        }
    }
    text
}

#[test]
fn the_transition_table_reads_like_this() {
    let expected = "\
Verified: acknowledged→Acknowledged asked declined→Over(Declined)
Acknowledged: asked prepared→Prepared failed undoing stuck declined→Over(Declined)
Acknowledged undoing: failed stuck rolled-back→Over(RolledBack)
Prepared: asked unprepared→Acknowledged begun→Begun failed undoing stuck declined→Over(Declined)
Prepared undoing: failed stuck rolled-back→Over(RolledBack)
Begun: lapsed→Prepared rehearsed→Over(Done) stopped→Stopped started→Started failed undoing stuck
Begun undoing: interrupted failed stuck rolled-back→Over(RolledBack)
Stopped: swapped→Swapped started→Started interrupted passed→Passed failed undoing stuck
Stopped undoing: interrupted failed stuck rolled-back→Over(RolledBack)
Swapped: started→Started interrupted→Stopped failed undoing stuck
Swapped undoing: interrupted failed stuck rolled-back→Over(RolledBack)
Started: interrupted→Stopped passed→Passed failed undoing stuck
Started undoing: interrupted failed stuck rolled-back→Over(RolledBack)
Passed: interrupted→Stopped failed stuck done→Over(Done)
Passed undoing: failed stuck
";
    assert_eq!(table(), expected);
}

fn dated(records: Vec<Record>) -> Vec<Dated> {
    records.into_iter().map(|record| Dated { at: Timestamp::UNIX_EPOCH, record }).collect()
}

fn milestone(milestone: Milestone) -> Record {
    Record::Milestone(milestone)
}

fn begun() -> Vec<Record> {
    vec![
        milestone(Milestone::Acknowledged { in_hand: None }),
        milestone(Milestone::Prepared),
        milestone(Milestone::Begun { tip: None }),
        Record::Intent(Effect::Disarm),
        Record::Fact(Fact::Disarmed),
        Record::Intent(Effect::Stop),
    ]
}

#[test]
fn an_intent_without_a_fact_stays_open() {
    let fold = Fold::of(&dated(begun())).expect("legal");
    assert!(fold.open.contains(&Effect::Stop));
    assert!(fold.done.contains_key(&Effect::Disarm));
    assert!(fold.in_hand());
}

#[test]
fn a_lapse_spends_the_permission() {
    let mut records = begun();
    records.extend([
        Record::Undone(Effect::Stop),
        Record::UndoIntent(Effect::Disarm),
        Record::Undone(Effect::Disarm),
        milestone(Milestone::Lapsed),
    ]);
    let fold = Fold::of(&dated(records)).expect("legal");
    assert_eq!(fold.stage, Stage::Prepared);
    assert!(!fold.in_hand());
    assert!(!fold.touched(&Effect::Stop) && !fold.touched(&Effect::Disarm));
}

#[test]
fn nothing_forward_follows_while_undoing() {
    let mut records = begun();
    records.push(milestone(Milestone::Undoing(cause())));
    let fold = Fold::of(&dated(records.clone())).expect("legal");
    assert!(fold.undoing.is_some() && fold.in_hand());
    for forward in [Record::Intent(Effect::Swap), milestone(Milestone::Stopped)] {
        let mut more = records.clone();
        more.push(forward);
        assert!(Fold::of(&dated(more)).is_err());
    }
}

#[test]
fn nothing_follows_the_last_word() {
    let mut records = vec![milestone(Milestone::Final(Last::Declined))];
    let found = Found {
        id: "a".into(),
        name: "iotex".into(),
        image: muster_proto::documents::Digest::of(b""),
        policy: Policy::no(),
        running: true,
        version: None,
        genesis: None,
    };
    records.push(Record::Found(found));
    assert!(Fold::of(&dated(records)).is_err());
}
