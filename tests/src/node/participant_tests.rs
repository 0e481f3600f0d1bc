use std::collections::BTreeMap;

use super::*;
use crate::referee::wire::GENESIS_HASH;

const INTERVAL: Duration = Duration::from_millis(1_000);
const TICK: Duration = Duration::from_secs(12);
const APPLY: Duration = Duration::from_millis(8);
const ACTIVE: Mode = Mode { active: true, paused: false };
const STANDBY: Mode = Mode { active: false, paused: false };
const PAUSED: Mode = Mode { active: true, paused: true };

fn chain(length: u64) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for n in 0..length {
        blocks.push(Block::after(blocks.last(), "io1other", 1_000 * n));
    }
    blocks
}

fn hash(height: u64) -> String {
    chain(height).pop().map_or_else(|| GENESIS_HASH.into(), |block| block.hash)
}

/// A node without forks.
fn with(who: Hello, now: Instant) -> Participant {
    Participant::new(&who, Forks::default(), TICK, APPLY, now)
}

fn node(height: u64, now: Instant) -> Participant {
    let address = "io1me".to_owned();
    with(Hello { address, version: "v".into(), height, hash: hash(height), mode: ACTIVE }, now)
}

fn round(height: u64, number: u64, proposer: &str) -> ToNode {
    let interval_ms = INTERVAL.as_millis() as u64;
    ToNode::Round(Round { height, number, proposer: proposer.into(), interval_ms, peers: 3 })
}

fn proposal(height: u64, round: u64, rules: &str) -> ToNode {
    ToNode::Proposal { height, round, basis: basis(height - 1, rules) }
}

/// On the block of this height.
fn basis(tip: u64, rules: &str) -> Basis {
    Basis { previous: hash(tip), rules: rules.into() }
}

/// Everything it does until `until`, with the time since `start`.
fn run(part: &mut Participant, start: Instant, until: Instant) -> Vec<(Duration, Act)> {
    let mut done = Vec::new();
    while part.due() <= until {
        let due = part.due();
        let acts = part.elapse(due);
        done.extend(acts.into_iter().map(|act| (due - start, act)));
    }
    done
}

#[test]
fn it_endorses_in_the_first_half_and_commits_at_the_end_of_the_round() {
    let start = Instant::now();
    let mut part = node(2, start);
    assert!(part.hear(round(3, 0, "io1other"), start).is_empty());
    part.hear(proposal(3, 0, ""), start);
    let endorsed = run(&mut part, start, start + INTERVAL / 2);
    let endorse = Act::Say(ToReferee::Endorse { height: 3, round: 0, basis: basis(2, "") });
    assert_eq!(endorsed.len(), 1);
    assert_eq!(endorsed[0].1, endorse);
    assert!(endorsed[0].0 >= INTERVAL / 5);
    let block = chain(3)[2].clone();
    part.hear(ToNode::Locked { block: block.clone(), ends_in_ms: 500 }, start + INTERVAL / 2);
    let committed = run(&mut part, start, start + INTERVAL);
    assert_eq!(committed[0], (INTERVAL, Act::Commit { block, own: true }));
    assert_eq!(part.tip(), 3);
}

#[test]
fn it_proposes_when_it_is_its_turn_and_only_then() {
    let start = Instant::now();
    let mut part = node(2, start);
    let propose = Act::Say(ToReferee::Propose { height: 3, round: 1, basis: basis(2, "") });
    assert_eq!(part.hear(round(3, 1, "io1me"), start), [propose]);
    let behind = part.hear(round(4, 0, "io1me"), start);
    assert!(!behind.iter().any(|act| matches!(act, Act::Say(_))), "it is behind");
}

/// What it complains of until the round's end, with the time, and height and number of the round.
fn complaints(part: &mut Participant, start: Instant) -> Vec<(u128, Lack, u64, u64)> {
    let done = run(part, start, start + INTERVAL).into_iter();
    done.filter_map(|(at, act)| match act {
        Act::Lack { what, round } => Some((at.as_millis(), what, round.height, round.number)),
        _ => None,
    })
    .collect()
}

#[test]
fn a_round_without_a_block_is_complained_of_and_one_with_a_block_is_not() {
    let start = Instant::now();
    let mut stalled = node(2, start);
    stalled.hear(round(3, 7, "io1other"), start);
    stalled.hear(proposal(3, 7, ""), start);
    let endorsements =
        [(820, Lack::ProposalEndorsements, 3, 7), (1_000, Lack::LockEndorsements, 3, 7)];
    assert_eq!(complaints(&mut stalled, start), endorsements);

    let mut absent = node(2, start);
    absent.hear(round(3, 7, "io1other"), start);
    let mut behind = node(2, start);
    behind.hear(round(9, 1, "io1other"), start);
    behind.hear(proposal(9, 1, ""), start);
    // Seven rounds since its own tip, and no proposal for the block that it lacks.
    let all = [
        (500, Lack::Proposal, 3, 7),
        (820, Lack::ProposalEndorsements, 3, 7),
        (1_000, Lack::LockEndorsements, 3, 7),
    ];
    assert_eq!(complaints(&mut behind, start), all);
    assert_eq!(complaints(&mut absent, start), all, "the proposer is away");

    let mut well = node(2, start);
    well.hear(round(3, 0, "io1other"), start);
    well.hear(proposal(3, 0, ""), start);
    let block = chain(3)[2].clone();
    well.hear(ToNode::Locked { block, ends_in_ms: 500 }, start + INTERVAL / 2);
    assert_eq!(complaints(&mut well, start), []);
}

#[test]
fn what_was_not_said_by_the_round_s_end_is_said_when_the_next_one_begins() {
    let start = Instant::now();
    let mut part = node(2, start);
    part.hear(round(3, 0, "io1other"), start);
    let acts = part.hear(round(3, 1, "io1other"), start + INTERVAL);
    assert_eq!(acts.len(), 3);
    assert!(acts.iter().all(|act| matches!(act, Act::Lack { round, .. } if round.number == 0)));
}

#[test]
fn a_stop_before_the_endorsements_are_in_misses_the_block_and_a_later_one_does_not() {
    let start = Instant::now();
    let mut early = node(2, start);
    early.hear(round(3, 0, "io1other"), start);
    let ends = start + INTERVAL;
    assert_eq!(early.leave(start + INTERVAL / 10), Leaving { at: ends, block: None });

    let mut late = node(2, start);
    late.hear(round(3, 0, "io1other"), start);
    let block = chain(3)[2].clone();
    late.hear(ToNode::Locked { block: block.clone(), ends_in_ms: 400 }, start + INTERVAL * 6 / 10);
    let leaving = late.leave(start + INTERVAL * 8 / 10);
    assert_eq!(leaving, Leaving { at: ends, block: Some(block) });
}

#[test]
fn on_a_stalled_chain_or_behind_it_leaves_at_once() {
    let start = Instant::now();
    let at_once = Leaving { at: start, block: None };
    let mut stalled = node(2, start);
    stalled.hear(round(3, 7, "io1other"), start);
    assert_eq!(stalled.leave(start), at_once);
    let mut behind = node(2, start);
    behind.hear(round(9, 0, "io1other"), start);
    assert_eq!(behind.leave(start), at_once);
}

#[test]
fn a_block_taken_from_peers_follows_the_tip_without_a_tick() {
    let start = Instant::now();
    let mut part = node(2, start);
    let block = chain(3)[2].clone();
    let acts = part.hear(ToNode::Block(block.clone()), start);
    assert_eq!(acts[0], Act::Commit { block, own: false });
}

#[test]
fn who_missed_a_block_stands_still_until_the_tick_and_then_jumps() {
    let start = Instant::now();
    let blocks = chain(8);
    let mut part = node(2, start);
    for block in &blocks[3..] {
        assert!(part.hear(ToNode::Block(block.clone()), start).is_empty());
    }
    let asked = run(&mut part, start, start + TICK);
    let ticked = (TICK, Act::Ticked { from: 3, to: 22 });
    assert_eq!(asked, [ticked, (TICK, Act::Say(ToReferee::Sync { from: 3 }))]);
    assert_eq!((part.tip(), part.target()), (2, 8));
    let now = start + TICK;
    part.hear(ToNode::Blocks(vec![blocks[2].clone()]), now);
    assert!(part.applying(), "readiness is 503 meanwhile");
    run(&mut part, start, now + APPLY * 10);
    assert_eq!(part.tip(), 8, "the buffer filled the rest");
    assert!(!part.applying());
}

#[test]
fn at_the_tip_a_tick_asks_for_nothing() {
    let start = Instant::now();
    let mut part = node(2, start);
    part.hear(round(3, 0, "io1other"), start);
    let done = run(&mut part, start, start + TICK * 2);
    assert!(!done.iter().any(|(_, act)| matches!(act, Act::Say(ToReferee::Sync { .. }))));
}

#[test]
fn who_stands_by_or_is_frozen_neither_proposes_nor_endorses() {
    let start = Instant::now();
    let address = "io1me".to_owned();
    let who = Hello { address, version: "v".into(), height: 2, hash: hash(2), mode: STANDBY };
    let mut standby = with(who, start);
    let mut frozen = node(2, start);
    frozen.freeze();
    for part in [&mut standby, &mut frozen] {
        assert!(part.hear(round(3, 0, "io1me"), start).is_empty());
        assert!(run(part, start, start + INTERVAL).is_empty());
    }
    let block = ToNode::Block(chain(3)[2].clone());
    assert!(frozen.hear(block.clone(), start).is_empty());
    assert!(!standby.hear(block, start).is_empty(), "it follows");
}

fn locked(height: usize) -> ToNode {
    ToNode::Locked { block: chain(height as u64)[height - 1].clone(), ends_in_ms: 500 }
}

#[test]
fn who_is_to_stand_by_finishes_its_round_and_follows_afterwards() {
    let start = Instant::now();
    let mut part = node(2, start);
    part.hear(round(3, 0, "io1other"), start);
    part.hear(proposal(3, 0, ""), start);
    assert_eq!(part.set_mode(STANDBY, start), [], "the referee counts this round's endorsement");
    let done = run(&mut part, start, start + INTERVAL / 2);
    assert!(matches!(&done[..], [(_, Act::Say(ToReferee::Endorse { height: 3, round: 0, .. }))]));
    part.hear(locked(3), start + INTERVAL / 2);
    run(&mut part, start, start + INTERVAL);
    let acts = part.hear(round(4, 0, "io1me"), start + INTERVAL);
    assert_eq!(acts, [Act::Say(ToReferee::Mode(STANDBY))], "and proposes nothing");
    let block = ToNode::Block(chain(4)[3].clone());
    assert!(matches!(&part.hear(block, start)[..], [Act::Commit { own: false, .. }, _]));
}

#[test]
fn who_is_active_again_takes_part_in_the_round_that_runs() {
    let start = Instant::now();
    let mut part = node(2, start);
    assert_eq!(part.set_mode(STANDBY, start), [Act::Say(ToReferee::Mode(STANDBY))]);
    part.hear(round(3, 0, "io1me"), start);
    let later = start + INTERVAL * 9 / 10;
    let acts = part.set_mode(ACTIVE, later);
    let propose = Act::Say(ToReferee::Propose { height: 3, round: 0, basis: basis(2, "") });
    assert_eq!(acts, [Act::Say(ToReferee::Mode(ACTIVE)), propose]);
    let endorse = Act::Say(ToReferee::Endorse { height: 3, round: 0, basis: basis(2, "") });
    assert_eq!(part.elapse(later), [endorse]);
}

#[test]
fn who_is_paused_commits_nothing_not_even_what_is_certain_and_jumps_at_a_tick_afterwards() {
    let start = Instant::now();
    let blocks = chain(6);
    let mut part = node(2, start);
    part.hear(round(3, 0, "io1other"), start);
    part.hear(locked(3), start + INTERVAL / 2);
    assert_eq!(part.set_mode(PAUSED, start), [Act::Say(ToReferee::Mode(PAUSED))]);
    for block in &blocks[2..5] {
        assert_eq!(part.hear(ToNode::Block(block.clone()), start), []);
    }
    let said = |acts: &[(Duration, Act)]| acts.iter().any(|(_, act)| matches!(act, Act::Say(_)));
    let done = run(&mut part, start, start + TICK);
    assert!(!said(&done) && part.tip() == 2 && part.target() == 5, "{done:?}");

    let now = start + TICK;
    assert_eq!(part.set_mode(ACTIVE, now), [Act::Say(ToReferee::Mode(ACTIVE))]);
    assert_eq!(part.hear(ToNode::Block(blocks[5].clone()), now), [], "it lacks those before");
    let asked = run(&mut part, start, now + TICK);
    assert!(asked.contains(&(TICK * 2, Act::Say(ToReferee::Sync { from: 3 }))), "{asked:?}");
    part.hear(ToNode::Blocks(blocks[2..].to_vec()), now + TICK);
    run(&mut part, start, now + TICK + APPLY * 10);
    assert_eq!(part.tip(), 6);
}

#[test]
fn a_new_connection_is_told_no_mode_twice() {
    let start = Instant::now();
    let mut part = node(2, start);
    part.hear(round(3, 0, "io1other"), start);
    part.set_mode(STANDBY, start);
    part.met(STANDBY);
    let acts = part.hear(round(3, 1, "io1me"), start);
    assert!(!acts.iter().any(|act| matches!(act, Act::Say(_))), "{acts:?}");
}

#[test]
fn a_block_of_other_rules_is_neither_endorsed_nor_committed_however_it_comes() {
    let start = Instant::now();
    let who = Hello {
        address: "io1me".into(),
        version: "v".into(),
        height: 2,
        hash: hash(2),
        mode: ACTIVE,
    };
    let forks = Forks::new(&BTreeMap::new(), &BTreeMap::from([("yapHeight".to_owned(), 3)]));
    let mut part = Participant::new(&who, forks, TICK, APPLY, start);
    part.hear(round(3, 0, "io1other"), start);
    let acts = part.hear(proposal(3, 0, ""), start);
    assert!(matches!(&acts[..], [Act::Unendorsed { why, .. }] if why.contains("at height 3")));
    let said = run(&mut part, start, start + INTERVAL);
    assert!(!said.iter().any(|(_, act)| matches!(act, Act::Say(_))), "{said:?}");

    let old = chain(3)[2].clone();
    let refused = |acts: Vec<Act>| matches!(&acts[..], [Act::Refused { .. }]);
    assert!(refused(part.hear(ToNode::Block(old.clone()), start)));
    assert!(refused(part.hear(ToNode::Blocks(vec![old]), start)));
    assert_eq!((part.tip(), part.received(), part.applying()), (2, 3, false), "and it is ready");

    let new = Block::under("yap", chain(2).last(), "io1other", 9);
    let acts = part.hear(ToNode::Block(new.clone()), start);
    assert!(matches!(&acts[..], [Act::Commit { .. }, _]));
    part.hear(round(4, 0, "io1other"), start);
    let basis = Basis { previous: new.hash, rules: "yap".into() };
    let proposed = ToNode::Proposal { height: 4, round: 0, basis: basis.clone() };
    assert_eq!(part.hear(proposed, start), []);
    let said = run(&mut part, start, start + INTERVAL / 2);
    let endorse = ToReferee::Endorse { height: 4, round: 0, basis };
    assert!(said.iter().any(|(_, act)| *act == Act::Say(endorse.clone())), "{said:?}");
}

#[test]
fn a_block_after_another_tip_is_refused() {
    let start = Instant::now();
    let mut part = node(2, start);
    let other = Block::after(None, "io1stranger", 0);
    let other = Block::after(Some(&other), "io1stranger", 0);
    let third = Block::after(Some(&other), "io1stranger", 0);
    let acts = part.hear(ToNode::Block(third), start);
    assert!(matches!(&acts[..], [Act::Refused { why }] if why.contains("wrong prev hash")));
    assert_eq!(part.tip(), 2);
}

#[test]
fn all_endorsements_fall_into_the_first_half_and_not_at_one_moment() {
    let start = Instant::now();
    let part = node(0, start);
    let share = |height| {
        let ToNode::Round(round) = round(height, 0, "x") else { unreachable!() };
        part.share(&round)
    };
    let shares: Vec<f64> = (1..200).map(share).collect();
    let (low, high) = shares.iter().fold((1.0_f64, 0.0_f64), |(l, h), s| (l.min(*s), h.max(*s)));
    assert!((0.2..0.25).contains(&low) && (0.45..=0.5).contains(&high), "{low} {high}");
}
