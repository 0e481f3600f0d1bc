//! Whatever one bit does to what a board sends, nobody believes anything that was not signed.

use std::sync::LazyLock;

use muster_proto::trust::draft::{Document, Draft};
use muster_proto::trust::{Offer, Trust};
use muster_tests::tuf::{World, genesis, plan, release};
use proptest::prelude::*;

/// A board with two roots, every kind of document and a genesis file.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut world = World::with_plans();
    let mut with_genesis = release("v2.5.0");
    let (digest, length) =
        (muster_proto::documents::Digest::of(&genesis()), genesis().len() as u64);
    with_genesis.genesis =
        muster_proto::documents::release::GenesisChange::Replaced { digest, length };
    world.put(Document::Release(with_genesis, Some(genesis())), &["dan", "eve"]);
    world.put(Document::Root(World::root_spec(2)), &["ann", "bob"]);
    world
});

/// Every file of an offer, in one order.
fn files(offer: &mut Offer) -> Vec<&mut Vec<u8>> {
    let pair = [&mut offer.timestamp, &mut offer.snapshot].into_iter().flatten();
    let roles = offer.roles.values_mut().chain(offer.targets.values_mut());
    offer.roots.iter_mut().chain(pair).chain(roles).collect()
}

fn flip(file: &mut [u8], place: prop::sample::Index, bit: u8) {
    let at = place.index(file.len());
    file[at] ^= 1 << bit;
}

/// Nothing in `seen` that is not, word for word, in the honest board.
fn is_part_of(seen: &Trust, honest: &Trust) {
    for (id, plan) in seen.plans() {
        assert_eq!(Some(plan), honest.plans().get(id));
        assert_eq!(seen.plan_bytes(id), honest.plan_bytes(id));
    }
    for (version, release) in seen.releases() {
        assert_eq!(Some(release), honest.release_named(version).map(|(_, release)| release));
    }
    if let Some(roster) = seen.roster() {
        assert_eq!(Some(roster), honest.roster());
    }
    for path in ["release/v2.5.0/genesis.yaml", "hotfix/mainnet/1.json"] {
        assert!(seen.file(path).is_none() || seen.file(path) == honest.file(path));
    }
    assert!(seen.versions().root <= honest.versions().root);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_flipped_bit_is_never_believed(
        file: prop::sample::Index, place: prop::sample::Index, bit in 0u8..8
    ) {
        let mut offer = WORLD.offer();
        let mut all = files(&mut offer);
        let at = file.index(all.len());
        flip(all[at], place, bit);
        let mut newcomer = WORLD.newcomer();
        newcomer.take(&offer, WORLD.now);
        is_part_of(&newcomer, &WORLD.board);
        // Who holds the honest board loses nothing by it.
        let mut agent = WORLD.agent();
        agent.take(&offer, WORLD.now);
        prop_assert_eq!(agent.plans(), WORLD.board.plans());
        prop_assert_eq!(agent.versions(), WORLD.board.versions());
    }

    #[test]
    fn a_flipped_bit_in_a_draft_is_never_signed(place: prop::sample::Index, bit in 0u8..8) {
        let document = Document::Plan(Box::new(plan(3)));
        let honest = WORLD.freeze(&document).expect("a draft");
        let mut file = honest.to_bytes();
        flip(&mut file, place, bit);
        if let Ok(draft) = Draft::from_bytes(&file)
            && let Ok(checked) = draft.verify(Some(&WORLD.newcomer()), WORLD.now)
        {
            prop_assert_eq!(checked.signed(), honest.signed.as_slice());
            prop_assert_eq!(checked.document(), &document);
        }
    }

    #[test]
    fn rubbish_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let rubbish = Offer {
            roots: vec![bytes.clone()],
            timestamp: Some(bytes.clone()),
            snapshot: Some(bytes.clone()),
            roles: [("hotfix".to_owned(), bytes.clone())].into(),
            targets: [("hotfix/mainnet/1.json".to_owned(), bytes.clone())].into(),
        };
        let mut agent = WORLD.agent();
        let before = agent.offer(0);
        let taken = agent.take(&rubbish, WORLD.now);
        prop_assert!(!taken.advanced && taken.refused.len() >= 3);
        prop_assert_eq!(agent.offer(0), before);
        prop_assert!(Draft::from_bytes(&bytes).is_err());
    }
}

#[test]
fn another_spelling_of_one_signature_is_no_second_timestamp() {
    // A board can rewrite hex in capitals; that must not look as if the publisher signed twice.
    let mut agent = WORLD.agent();
    let text = String::from_utf8(WORLD.offer().timestamp.expect("a timestamp")).expect("text");
    let (head, tail) = text.split_once("\"sig\":\"").expect("a signature");
    let (sig, rest) = tail.split_once('"').expect("its end");
    let loud = format!("{head}\"sig\":\"{}\"{rest}", sig.to_uppercase());
    let offer = Offer { timestamp: Some(loud.into_bytes()), ..Offer::default() };
    let taken = agent.take(&offer, WORLD.now);
    assert!(taken.refused.is_empty() && !taken.advanced, "{taken:?}");
}
