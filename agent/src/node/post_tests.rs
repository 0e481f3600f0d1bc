use super::*;

/// What one case changes in a sample.
type Change = Box<dyn Fn(&mut Sample)>;
/// The same, by the sample's number.
type ChangeAt = fn(u64, &mut Sample);

const START: i64 = 1_800_000_000_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(START + ms).expect("a time")
}

fn terms() -> Terms {
    Terms {
        health: HealthTerms {
            boot_ms: 5_000,
            ready_ms: 30_000,
            advance_blocks: 3,
            lag_blocks: 2,
            peers: 3,
            hold_ms: 10_000,
        },
        id: "new".into(),
        image: Digest::of(b"image"),
        version: Some("v2".into()),
        genesis: Some(Digest::of(b"genesis")),
        since: at(0),
        per_node_ms: 60_000,
        stood_still_ms: 0,
        halted: false,
    }
}

fn body(ran_ms: u64) -> Body {
    Body::There {
        id: "new".into(),
        image: Digest::of(b"image"),
        running: true,
        exit: 0,
        ran_ms,
        restarts: 0,
    }
}

/// A node that was started at 0 and does well; a block comes every 2.5 s.
fn sample(ms: u64) -> Sample {
    let height = 100 + ms / 2_500;
    Sample {
        at: at(ms as i64),
        body: Some(body(ms)),
        answers: true,
        ready: true,
        height: Some(height),
        round: Some(0),
        peers: Some(3),
        version: Some("v2".into()),
        genesis: Some(Digest::of(b"genesis")),
        fleet: Fleet { median: Some(height), tip: Some(height), advancing: true, quorum: true },
    }
}

/// Feeds a sample every half second from 0 to `until`, changed by `change`; the last verdict.
fn run(terms: Terms, until: u64, change: impl Fn(u64, &mut Sample)) -> (Test, Post) {
    let mut post = Post::new(terms);
    let mut test = Test::Unknown;
    for ms in (0..=until).step_by(500) {
        let mut sample = sample(ms);
        change(ms, &mut sample);
        test = post.add(&sample);
        if matches!(test, Test::Pass | Test::Fail(_)) {
            break;
        }
    }
    (test, post)
}

fn code_of(test: &Test) -> &'static str {
    match test {
        Test::NotYet(why) | Test::Fail(why) | Test::CannotTell(why) => why.code,
        _ => "none",
    }
}

#[test]
fn a_node_that_advances_and_holds_passes() {
    let (test, post) = run(terms(), 17_000, |_, _| {});
    assert_eq!(test, Test::Holding);
    let (test, _) = run(terms(), 17_500, |_, _| {});
    assert_eq!(test, Test::Pass, "3 blocks at 7.5 s, held until 17.5 s");
    assert_eq!(post.well_since(), Some(at(7_500)));
}

#[test]
fn a_ready_node_that_does_not_advance_fails_when_its_time_is_up() {
    let stuck = |_, sample: &mut Sample| sample.height = Some(100);
    let (test, _) = run(terms(), 59_500, stuck);
    assert!(matches!(test, Test::NotYet(_)));
    let (test, _) = run(terms(), 60_000, stuck);
    assert!(matches!(test, Test::Fail(_)));
    assert_eq!(code_of(&test), "E317");
}

#[test]
fn each_thing_that_is_not_as_planned_fails_at_once() {
    let other = Digest::of(b"other");
    let cases: [(&str, Change); 6] = [
        ("E333", Box::new(|sample| sample.body = Some(Body::Gone))),
        ("E320", Box::new(|sample| sample.version = Some("v1".into()))),
        ("E321", Box::new(move |sample| sample.genesis = Some(other.clone()))),
        ("E316", Box::new(|sample| change(sample, |_, running, _| *running = false))),
        ("E316", Box::new(|sample| change(sample, |_, _, restarts| *restarts = 1))),
        ("E321", Box::new(|sample| change(sample, |id, _, _| *id = "old".into()))),
    ];
    for (code, spoil) in cases {
        let (test, _) = run(terms(), 1_000, |ms, sample| {
            if ms == 1_000 {
                spoil(sample);
            }
        });
        assert!(matches!(test, Test::Fail(_)), "{code}: {test:?}");
        assert_eq!(code_of(&test), code);
    }
}

fn change(sample: &mut Sample, with: impl Fn(&mut String, &mut bool, &mut i64)) {
    if let Some(Body::There { id, running, restarts, .. }) = &mut sample.body {
        with(id, running, restarts);
    }
}

#[test]
fn boot_and_ready_have_limits_of_their_own() {
    let silent = |_, sample: &mut Sample| sample.answers = false;
    let (test, _) = run(terms(), 5_000, silent);
    assert!(matches!(test, Test::NotYet(_)));
    let (test, _) = run(terms(), 5_500, silent);
    assert_eq!((code_of(&test), matches!(test, Test::Fail(_))), ("E318", true));

    let (test, _) = run(terms(), 60_000, |_, sample| sample.ready = false);
    assert_eq!((code_of(&test), matches!(test, Test::Fail(_))), ("E319", true));
}

#[test]
fn lag_peers_and_round_are_asked_for() {
    let cases: [(&str, ChangeAt); 3] = [
        ("E322", |_, sample| sample.fleet.median = Some(500)),
        ("E323", |_, sample| sample.peers = None),
        ("E324", |_, sample| sample.round = Some(7)),
    ];
    for (code, spoil) in cases {
        let (test, _) = run(terms(), 20_000, spoil);
        assert!(matches!(test, Test::NotYet(_)), "{test:?}");
        assert_eq!(code_of(&test), code);
    }
}

#[test]
fn a_break_begins_the_hold_anew() {
    let (test, post) = run(terms(), 20_000, |ms, sample| {
        if ms == 15_000 {
            sample.peers = Some(1);
        }
    });
    assert_eq!(test, Test::Holding);
    assert_eq!(post.well_since(), Some(at(15_500)));
}

#[test]
fn one_missing_answer_is_no_break() {
    let (test, post) = run(terms(), 17_500, |ms, sample| {
        if ms == 10_500 {
            sample.height = None;
        }
    });
    assert_eq!(test, Test::Pass);
    assert_eq!(post.well_since(), Some(at(7_500)));
}

fn stalled(_: u64, sample: &mut Sample) {
    sample.height = Some(100);
    sample.fleet = Fleet { median: Some(100), tip: Some(100), advancing: false, quorum: true };
}

#[test]
fn on_a_stalled_chain_nobody_can_tell_and_the_deadline_stands_still() {
    let (test, post) = run(terms(), 600_000, stalled);
    assert!(matches!(test, Test::CannotTell(_)));
    assert_eq!(code_of(&test), "E327");
    assert_eq!(post.stood_still_ms(), 600_000);
}

#[test]
fn without_a_quorum_nobody_can_tell() {
    let (test, _) = run(terms(), 600_000, |ms, sample| {
        stalled(ms, sample);
        sample.fleet = Fleet { median: Some(900), tip: Some(900), advancing: true, quorum: false };
    });
    assert!(matches!(test, Test::CannotTell(_)), "{test:?}");
}

#[test]
fn a_block_fetched_from_the_others_does_not_show_that_the_chain_advances() {
    let fetched = |at: u64, tip: u64| {
        run(terms(), 200_000, |ms, sample| {
            sample.height = Some(if ms < at { 6 } else { 7 });
            sample.fleet =
                Fleet { median: Some(tip), tip: Some(tip), advancing: false, quorum: false };
        })
    };
    // The others' last block: one that was down fetches it, and the chain stands.
    assert_eq!(code_of(&fetched(1_000, 7).0), "E327");
    // A block nobody else has told of is a new one; the chain advanced a moment ago.
    assert_eq!(code_of(&fetched(180_000, 6).0), "E317");
}

#[test]
fn time_that_stood_still_is_given_back() {
    // Stalled for 50 s, then the fleet advances without this node.
    let (test, _) = run(terms(), 100_000, |ms, sample| {
        stalled(ms, sample);
        sample.fleet.advancing = ms > 50_000;
    });
    assert!(matches!(test, Test::NotYet(_)), "{test:?}");
}

#[test]
fn in_a_halted_fleet_running_and_not_crashing_is_enough() {
    let halted = Terms { halted: true, ..terms() };
    let (test, _) = run(halted.clone(), 9_500, stalled);
    assert!(matches!(test, Test::CannotTell(_)));
    let (test, _) = run(halted, 10_000, stalled);
    assert_eq!(test, Test::Pass);
}

#[test]
fn the_nodes_own_watchdog_is_excused_once_it_ran_a_minute() {
    let exits = |ran: u64| {
        move |ms: u64, sample: &mut Sample| {
            if ms == 1_000 {
                sample.body = Some(Body::There {
                    id: "new".into(),
                    image: Digest::of(b"image"),
                    running: false,
                    exit: 2,
                    ran_ms: ran,
                    restarts: 0,
                });
            }
        }
    };
    let (test, _) = run(terms(), 1_000, exits(60_000));
    assert!(matches!(test, Test::NotYet(_)), "{test:?}");
    let (test, _) = run(terms(), 1_000, exits(300));
    assert!(matches!(test, Test::Fail(_)), "{test:?}");
}
