//! With how many of n a chain goes on: what real fleets of 4, 7 and 24 did against the referee's arithmetic. Pure.

use std::collections::BTreeMap;

use muster_tests::referee::chain::Chain;
use serde_json::Value;

use super::json;

/// Seconds between two blocks of the recordings.
const INTERVAL: f64 = 2.5;

/// When which height was seen, in seconds.
type Heights = Vec<(f64, u64)>;

/// `17 of 24 up, …` → 17 and 24.
fn present(title: &str) -> Option<(usize, usize)> {
    let mut words = title.split([' ', ',']);
    let here = words.next()?.parse().ok()?;
    let of = words.next()? == "of";
    let all = words.next()?.parse().ok()?;
    of.then_some((here, all))
}

fn heights(samples: &Value) -> Heights {
    let samples = samples.as_array().unwrap().iter();
    samples.map(|sample| (sample[0].as_f64().unwrap(), sample[1].as_u64().unwrap())).collect()
}

/// What was seen with each number of present ones.
fn recorded(name: &str) -> BTreeMap<usize, Vec<Heights>> {
    let mut seen: BTreeMap<usize, Vec<Heights>> = BTreeMap::new();
    for (title, samples) in json(name).as_object().unwrap() {
        if let Some((here, _)) = present(title) {
            seen.entry(here).or_default().push(heights(samples));
        }
    }
    seen
}

#[test]
fn real_fleets_advance_and_halt_where_the_referee_s_quorum_says() {
    for (all, counts) in [(4, vec![2, 3, 4]), (7, vec![4, 5, 6, 7]), (24, vec![16, 17, 24])] {
        let seats = (0..all).map(|n| format!("io1seat{n}")).collect();
        let quorum = Chain::new(seats, 2_500, 0).quorum();
        let seen = recorded(&format!("consensus-arithmetic-{all}.json"));
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), counts, "of {all}");
        assert!(counts.contains(&quorum) && counts.contains(&(quorum - 1)), "both sides of {all}");
        for (here, runs) in seen {
            for run in runs {
                let advanced = run.last().unwrap().1 > run[0].1;
                assert_eq!(advanced, here >= quorum, "{here} of {all}: {run:?}");
            }
        }
    }
}

#[test]
fn one_absent_proposer_of_four_cost_one_doubled_interval_a_turn() {
    let run = recorded("consensus-arithmetic-4.json").remove(&3).unwrap().remove(0);
    // The first height was already there when the clock began.
    let gaps = run[1..].windows(2).map(|w| ((w[1].0 - w[0].0) / INTERVAL).round() as u64);
    let gaps: Vec<u64> = gaps.collect();
    assert!(run.windows(2).all(|w| w[1].1 == w[0].1 + 1), "every height was seen: {run:?}");
    let mut turns = gaps.windows(4);
    // As in the referee's own test: heights of a turn take 1, 1, 1 and 2 intervals, beginning somewhere.
    assert!(turns.all(|turn| turn.iter().sum::<u64>() == 5), "{gaps:?}");
    assert!(gaps.len() >= 8 && gaps.iter().all(|gap| (1..=2).contains(gap)), "{gaps:?}");
}
