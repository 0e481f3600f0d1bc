//! From every state that a small fleet can reach, an abort leads to a safe one by steps that are
//! local to each agent: every state, of every action, by the real decision core.

mod model;

use model::{Aborted, RESTART, START, STOP, UPGRADE};
use stateright::{Checker as _, Model as _};

/// Every action, for so many nodes; prints how many states there were.
fn every_state(nodes: u8, blind: bool, at_least: usize) {
    let mut all = 0;
    for (action, name) in
        [(UPGRADE, "upgrade"), (RESTART, "restart"), (STOP, "stop"), (START, "start")]
    {
        let checker = Aborted::new(nodes, action, blind).checker().threads(2).spawn_bfs().join();
        checker.assert_properties();
        println!("{nodes} nodes, {name}: {} states", checker.unique_state_count());
        all += checker.unique_state_count();
    }
    assert!(all >= at_least, "only {all} states: the model proves nothing");
}

#[test]
fn an_abort_is_safe_in_every_state_of_two_nodes_whatever_they_were_shown() {
    every_state(2, true, 10_000);
}

#[test]
fn an_abort_is_safe_in_every_state_of_three_nodes() {
    every_state(3, false, 10_000);
}
