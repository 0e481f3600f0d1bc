use super::super::wire::Mode;
use super::*;

const INTERVAL: u64 = 1_000;
const START: u64 = 1_000_000;
const ACTIVE: Mode = Mode { active: true, paused: false };

fn seat(n: usize) -> String {
    format!("io1seat{n}")
}

fn hello(n: usize, height: u64) -> ToReferee {
    let version = "v2.4.4".to_owned();
    let hash = GENESIS_HASH.to_owned();
    ToReferee::Hello(Hello { address: seat(n), version, height, hash, mode: ACTIVE })
}

fn basis(previous: &str, rules: &str) -> Basis {
    Basis { previous: previous.into(), rules: rules.into() }
}

/// For the first block.
fn propose(height: u64, round: u64, rules: &str) -> ToReferee {
    ToReferee::Propose { height, round, basis: basis(GENESIS_HASH, rules) }
}

/// For the first block.
fn endorse(height: u64, round: u64, rules: &str) -> ToReferee {
    ToReferee::Endorse { height, round, basis: basis(GENESIS_HASH, rules) }
}

/// A chain of `seats` whose first `here` are connected, each on the line of its number.
fn chain(seats: usize, here: usize) -> Chain {
    let mut chain = Chain::new((0..seats).map(seat).collect(), INTERVAL, START);
    for n in 0..here {
        chain.hear(n as Line, hello(n, 0), START);
    }
    chain
}

/// Lets `here` seats play the running round, and ends it. Returns the height after it.
fn play(chain: &mut Chain, here: usize) -> u64 {
    let (height, round) = (chain.round.height, chain.round.number);
    let half = chain.due_ms() - INTERVAL / 2;
    let basis = basis(chain.tip_hash(), "");
    for n in 0..here {
        let (line, basis) = (n as Line, basis.clone());
        if seat(n) == chain.round.proposer {
            chain.hear(line, ToReferee::Propose { height, round, basis: basis.clone() }, half);
        }
        chain.hear(line, ToReferee::Endorse { height, round, basis }, half);
    }
    let ends = chain.due_ms();
    chain.elapse(ends);
    let (tip, hash) = (chain.tip(), chain.tip_hash().to_owned());
    for n in 0..here {
        let hash = hash.clone();
        chain.hear(n as Line, ToReferee::Committed { height: tip, hash }, ends);
    }
    tip
}

#[test]
fn more_than_two_thirds_of_the_seats_advance_and_two_thirds_halt() {
    for (seats, enough) in [(4, 3), (7, 5), (24, 17), (3, 3), (1, 1)] {
        let mut chain = chain(seats, enough);
        assert_eq!(chain.quorum(), enough, "of {seats}");
        let tips: Vec<u64> = (0..2 * seats).map(|_| play(&mut chain, enough)).collect();
        assert!(tips[2 * seats - 1] > 0, "{enough} of {seats} advance");

        let mut chain = self::chain(seats, enough - 1);
        let tips: Vec<u64> = (0..2 * seats).map(|_| play(&mut chain, enough - 1)).collect();
        assert_eq!(tips[2 * seats - 1], 0, "{} of {seats} halt", enough - 1);
    }
}

#[test]
fn an_absent_proposer_costs_one_doubled_interval_a_turn() {
    let mut chain = chain(4, 3);
    while play(&mut chain, 3) < 9 {}
    let times: Vec<u64> = chain.blocks.iter().map(|m| m.time_ms).collect();
    let gaps: Vec<u64> = times.windows(2).map(|w| (w[1] - w[0]) / INTERVAL).collect();
    // Seat 3 is away: heights 3 and 7 take two rounds.
    assert_eq!(gaps, [1, 2, 1, 1, 1, 2, 1, 1]);
    assert_eq!(chain.report(0, chain.due_ms() - INTERVAL).longest_gap_ms, 2 * INTERVAL);
}

#[test]
fn quorum_without_the_proposal_is_no_block() {
    let mut chain = chain(4, 4);
    let (height, round) = (1, 0);
    for line in 0..4 {
        let says = chain.hear(line, endorse(height, round, ""), START + 300);
        assert!(says.is_empty());
    }
    let proposer = (height + round) as Line % 4;
    let says = chain.hear(proposer, propose(height, round, ""), START + 400);
    let locked = |what: &ToNode| matches!(what, ToNode::Locked { ends_in_ms: 600, .. });
    let told = |what: &ToNode| matches!(what, ToNode::Proposal { height: 1, round: 0, .. });
    assert_eq!(says.len(), 8, "everybody learns of the proposal, and who endorsed, of the block");
    assert!(says[..4].iter().all(|(_, what)| told(what)));
    assert!(says[4..].iter().all(|(_, what)| locked(what)));
}

#[test]
fn a_locked_block_commits_also_when_everybody_has_left() {
    let mut chain = chain(4, 4);
    let (height, round) = (1, 0);
    chain.hear(1, propose(height, round, ""), START);
    for line in 0..3 {
        chain.hear(line, endorse(height, round, ""), START + 300);
    }
    (0..4).for_each(|line| chain.leave(line, START + 500));
    chain.elapse(START + INTERVAL);
    assert_eq!(chain.tip(), 1);
    let report = chain.report(0, START + INTERVAL);
    assert_eq!((report.lowest_online, report.online()), (Some(0), 0));
}

#[test]
fn endorsements_of_another_round_of_strangers_and_of_standbys_do_not_count() {
    let mut chain = chain(4, 2);
    let mode = Mode { active: false, paused: false };
    let (version, hash) = ("v".into(), String::new());
    let standby = Hello { address: seat(2), version, height: 0, hash, mode };
    chain.hear(2, ToReferee::Hello(standby), START);
    chain.hear(9, hello(9, 0), START);
    chain.hear(1, propose(1, 0, ""), START);
    chain.hear(0, endorse(2, 0, ""), START);
    for line in [1, 2, 9] {
        chain.hear(line, endorse(1, 0, ""), START);
    }
    assert_eq!(chain.round.endorsed.len(), 1);
    assert!(chain.round.locked.is_none());
}

#[test]
fn a_seat_that_is_paused_or_stands_by_counts_as_away_until_it_is_back() {
    let mut chain = chain(4, 4);
    assert_eq!(play(&mut chain, 4), 1);
    let modes = [Mode { active: true, paused: true }, Mode { active: false, paused: false }];
    for (line, mode) in modes.into_iter().enumerate() {
        chain.hear(line as Line, ToReferee::Mode(mode), chain.due_ms() - 900);
    }
    let tips: Vec<u64> = (0..8).map(|_| play(&mut chain, 4)).collect();
    assert_eq!(tips[7], 1, "two of four are too few");
    let report = chain.report(START + INTERVAL, chain.due_ms());
    assert_eq!((report.lowest_online, report.online()), (Some(2), 4));
    let shown = |n: usize| (report.seats[n].active, report.seats[n].paused);
    assert_eq!([shown(0), shown(1), shown(2)], [(true, true), (false, false), (true, false)]);

    chain.hear(0, ToReferee::Mode(ACTIVE), chain.due_ms() - 900);
    let tips: Vec<u64> = (0..2).map(|_| play(&mut chain, 4)).collect();
    assert!(tips[1] > 1, "three of four are enough");
}

#[test]
fn endorsements_of_other_rules_do_not_count_and_who_gave_them_hears_of_no_block() {
    let mut chain = chain(4, 4);
    chain.hear(1, propose(1, 0, "yap"), START);
    for line in [0, 1] {
        chain.hear(line, endorse(1, 0, "yap"), START + 300);
    }
    assert_eq!(chain.hear(2, endorse(1, 0, ""), START + 300), [], "two against two");
    let told = chain.hear(3, endorse(1, 0, "yap"), START + 300);
    let lines: Vec<Line> = told.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [0, 1, 3]);
    chain.elapse(START + INTERVAL);
    let mined = &chain.blocks[0];
    assert_eq!((mined.block.rules.as_str(), mined.endorsed), ("yap", 3));
}

#[test]
fn a_split_gives_a_block_to_some_and_halts_until_it_is_mended() {
    let mut chain = chain(4, 4);
    play(&mut chain, 4);
    chain.split(BTreeSet::from([seat(0)]));
    let (height, round, basis) = (2, 0, basis(chain.tip_hash(), ""));
    chain.hear(2, ToReferee::Propose { height, round, basis: basis.clone() }, chain.due_ms());
    for line in 0..4 {
        let endorse = ToReferee::Endorse { height, round, basis: basis.clone() };
        let said = chain.hear(line, endorse, chain.due_ms() - 500);
        assert!(said.iter().all(|(to, _)| *to == 0), "{said:?}");
    }
    let said = chain.elapse(chain.due_ms());
    let told: Vec<_> = said.iter().filter(|(_, s)| matches!(s, ToNode::Block(_))).collect();
    assert_eq!((chain.tip(), told.len(), told[0].0), (2, 1, 0));
    assert_eq!(play(&mut chain, 4), 2, "nothing is certain any more");
    let asked = |chain: &mut Chain, line| {
        let said = chain.hear(line, ToReferee::Sync { from: 2 }, chain.due_ms());
        matches!(&said[..], [(_, ToNode::Blocks(blocks))] if blocks.len() == 1)
    };
    assert!(asked(&mut chain, 0) && !asked(&mut chain, 1));
    chain.mend();
    assert!(asked(&mut chain, 1));
    assert_eq!(play(&mut chain, 4), 3);
}

/// Four seats that have made five blocks of which two are reversed, and the blocks that were made.
fn reversed() -> (Chain, Vec<Block>) {
    let mut chain = chain(4, 4);
    while play(&mut chain, 4) < 5 {}
    let blocks = chain.blocks.iter().map(|m| m.block.clone()).collect();
    (0..4).for_each(|line| chain.leave(line, chain.due_ms()));
    chain.reverse(3, chain.due_ms());
    (chain, blocks)
}

fn back(chain: &mut Chain, n: usize, tip: &Block) -> Says {
    let (height, hash) = (tip.height, tip.hash.clone());
    let who = Hello { address: seat(n), version: "v".into(), height, hash, mode: ACTIVE };
    chain.hear(n as Line, ToReferee::Hello(who), chain.due_ms() - 900)
}

#[test]
fn what_was_reversed_comes_back_from_who_still_holds_it() {
    let (mut chain, blocks) = reversed();
    assert_eq!(chain.report(0, chain.due_ms()).reversed.len(), 2);
    assert_eq!(back(&mut chain, 1, &blocks[2]), []);
    assert_eq!(back(&mut chain, 0, &blocks[4]), [(0, ToNode::Give { from: 4 })]);
    chain.hear(0, ToReferee::Have(blocks[3..].to_vec()), chain.due_ms() - 800);
    assert_eq!((chain.tip(), chain.tip_hash()), (5, blocks[4].hash.as_str()));
    let report = chain.report(0, chain.due_ms());
    assert_eq!((report.seats[0].at_tip, report.seats[1].at_tip), (true, false));
}

#[test]
fn who_comes_after_others_were_built_is_on_a_tip_of_its_own() {
    let (mut chain, blocks) = reversed();
    (1..4).for_each(|n| assert_eq!(back(&mut chain, n, &blocks[2]), []));
    while play(&mut chain, 4) < 5 {}
    assert_ne!(chain.tip_hash(), blocks[4].hash, "the same height, another block");
    assert_eq!(back(&mut chain, 0, &blocks[4]), []);
    let late = chain.report(0, chain.due_ms()).seats[0].clone();
    assert_eq!(
        (late.height, late.hash, late.at_tip),
        (Some(5), Some(blocks[4].hash.clone()), false)
    );
    let tip = chain.tip_hash().to_owned();
    chain.hear(0, ToReferee::Have(blocks[3..].to_vec()), chain.due_ms());
    assert_eq!(chain.tip_hash(), tip, "they do not follow");
}

#[test]
fn two_connections_with_one_key_are_seen_and_count_as_one_seat() {
    let mut chain = chain(4, 3);
    chain.hear(7, hello(0, 0), START + 5);
    let report = chain.report(0, START + 10);
    assert_eq!(report.equivocations.len(), 1);
    assert_eq!(report.equivocations[0].address, seat(0));
    assert_eq!(report.online(), 3);
    assert!(chain.report(START + 6, START + 10).equivocations.is_empty(), "before the mark");
}

#[test]
fn the_lowest_number_of_seats_since_a_mark_includes_the_one_at_the_mark() {
    let mut chain = chain(4, 4);
    chain.leave(0, START + 100);
    chain.leave(1, START + 200);
    chain.hear(0, hello(0, 0), START + 300);
    chain.hear(1, hello(1, 0), START + 400);
    let lowest = |since| chain.report(since, START + 900).lowest_online;
    assert_eq!(lowest(START + 150), Some(2));
    assert_eq!(lowest(START + 250), Some(2), "it held at the mark");
    assert_eq!(lowest(START + 350), Some(3));
    assert_eq!(lowest(START + 500), Some(4));
}

#[test]
fn who_says_nothing_for_long_is_gone() {
    let mut chain = chain(4, 4);
    let mut now = START;
    for _ in 0..=SILENT_ROUNDS {
        now += INTERVAL;
        chain.hear(0, ToReferee::Ping, now);
        chain.elapse(now);
    }
    assert_eq!(chain.report(0, now).online(), 1);
}

#[test]
fn a_sync_brings_at_most_two_hundred_blocks() {
    let mut chain = chain(1, 1);
    while play(&mut chain, 1) < 250 {}
    let says = chain.hear(0, ToReferee::Sync { from: 11 }, chain.due_ms());
    let [(0, ToNode::Blocks(blocks))] = &says[..] else { panic!("{says:?}") };
    assert_eq!((blocks[0].height, blocks.len()), (11, 200));
    assert!(blocks.windows(2).all(|w| w[1].previous == w[0].hash));
}
