//! What all tests of trust look at.

use muster_proto::trust::{Offer, Taken, Trust};
use muster_tests::tuf::{World, resigned};
use serde_json::{Value, json};

pub(super) fn codes(taken: &Taken) -> Vec<&'static str> {
    taken.refused.iter().map(|refused| refused.error.code()).collect()
}

/// Somebody who holds what the board held takes `offer`: refused by `code`, and no plan is new.
pub(super) fn refused(world: &World, offer: &Offer, code: &str) -> Trust {
    let mut agent = world.agent();
    let before = agent.plans().clone();
    let taken = agent.take(offer, world.now);
    assert!(codes(&taken).contains(&code), "{code} expected, {:?}", taken.refused);
    for id in agent.plans().keys() {
        assert!(before.contains_key(id), "{id} came in by a refused offer");
    }
    agent
}

/// The hotfix role's metadata, changed and signed by its officers again, on a board that checks
/// nothing.
pub(super) fn forced_hotfix(world: &World, change: impl FnOnce(&mut Value)) -> Offer {
    let mut agent = world.agent();
    agent.take(&Offer::default(), world.now);
    let held = world.offer().roles["hotfix"].clone();
    let metadata = resigned(&held, &["dan", "eve"], |signed| {
        signed["version"] = json!(signed["version"].as_u64().expect("a version") + 1);
        change(signed);
    });
    world.force("hotfix", &metadata, &[])
}
