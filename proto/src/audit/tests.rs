//! True bundles that hold, and each fault made from one.

mod fixture;

use fixture::{Story, at, done, key, name, plan, sealed};
use jiff::SignedDuration;

use super::{Account, Attendance, Bundle, Fault, How, Order};
use crate::documents::plan::{Action, Budget, Compatibility, Schedule, Wave};
use crate::documents::{Class, Digest, PlanId};
use crate::evidence::proof::Proof;
use crate::evidence::{Event, Receipt};
use crate::trust::{Offer, Trust};

fn attendance(story: &Story) -> Attendance {
    match story.audit(&story.bundle()) {
        Ok(account) => account.attendance(),
        Err(fault) => panic!("a true story is refused: {fault}"),
    }
}

#[test]
fn a_true_bundle_holds_and_tells_who_did_what() {
    let told = attendance(&Story::told());
    let how: Vec<_> = told.nodes.iter().map(|line| (line.node.as_str(), line.how)).collect();
    assert_eq!(
        how,
        [
            ("r1", How::Done),
            ("r2", How::Done),
            ("r3", How::Declined),
            ("r4", How::Done),
            ("r6", How::Silent),
            ("r5", How::NoAgent)
        ]
    );
    let totals: Vec<_> = told.totals.iter().map(|it| (it.how, it.nodes, it.seats)).collect();
    let one = |how| (how, 1, 1);
    assert_eq!(
        totals,
        [(How::Done, 3, 3), one(How::Declined), one(How::Silent), one(How::NoAgent)]
    );
    assert_eq!((told.seats, told.order, told.took_part()), (6, Some(Order::Held), 3));
    let first = &told.nodes[0];
    assert_eq!((first.acknowledged, first.began), (Some(at(1)), Some(at(9))));
    assert_eq!((first.away_ms, first.counted, first.late), (Some(31_000), Some(2), false));
    assert_eq!(told.nodes[2].why.as_deref(), Some("on holiday"));
    assert_eq!(told.took_ms, Some(96_000 + 2_000));
}

#[test]
fn what_is_written_is_read_again_and_nothing_else_is() {
    let bundle = Story::told().bundle();
    let file = bundle.to_bytes();
    let again = Bundle::from_bytes(&file).expect("our own file");
    assert!(again.to_bytes() == file && again.documents == bundle.documents);
    Story::told().audit(&again).expect("it holds as before");
    let refused = |bytes: &[u8]| {
        let said = Bundle::from_bytes(bytes).expect_err("no bundle").to_string();
        assert!(said.starts_with("V030: "), "{said}");
    };
    refused(b"{}");
    refused(&[&file[..], b"\n"].concat());
    let text = String::from_utf8(file).expect("text");
    refused(text.replace("bundle/v1", "bundle/v2").as_bytes());
    refused(text.replacen("{\"beacons", "{ \"beacons", 1).replacen('{', "{ ", 1).as_bytes());
}

#[test]
fn texts_of_others_cannot_move_a_cursor() {
    let mut story = Story::promised();
    let hostile = "<script>\u{202e}\u{9b}2J".to_owned();
    story.rewrite(3, 2, |it| it.event = Event::Declined { reason: hostile });
    let why = attendance(&story).nodes[2].why.clone();
    assert_eq!(why.as_deref(), Some("<script>\u{fffd}\u{fffd}2J"));
}

#[test]
fn documents_that_do_not_verify_from_the_first_root_are_refused() {
    let story = Story::told();
    let mut bundle = story.bundle();
    let metadata = bundle.documents.roles.get_mut("hotfix").expect("the role");
    *metadata = String::from_utf8(metadata.clone()).expect("text").replace("42", "43").into_bytes();
    story.refuses(&bundle, "V031");

    let other = Story { root: b"{}".to_vec(), ..story.clone() };
    other.refuses(&story.bundle(), "V031");

    let mut bundle = story.bundle();
    bundle.documents.timestamp = None;
    story.refuses(&bundle, "V031");
}

#[test]
fn a_plan_that_nothing_lists_is_refused() {
    let story = Story::told();
    let mut bundle = story.bundle();
    bundle.plan = PlanId { digest: Digest::of(b"another"), ..story.id.clone() };
    story.refuses(&bundle, "V032");
    // The plan's bytes are there, and the metadata that lists them is not.
    let mut bundle = story.bundle();
    bundle.documents.roles.remove("hotfix");
    let said = story.audit(&bundle).err().expect("a fault").to_string();
    assert!(said.starts_with("V031: ") || said.starts_with("V032: "), "{said}");
}

#[test]
fn a_bundle_is_verified_at_the_plans_own_time_however_old_it_is() {
    let story = Story::told();
    let bundle = story.bundle();
    story.audit(&bundle).expect("it holds, and no clock was asked");
    // The same documents are worth nothing to whoever would act on them ten years later.
    let mut late = Trust::pin(&story.root, &Digest::of(&story.root), "testnet").expect("a root");
    let clock = at(0) + SignedDuration::from_hours(24 * 365 * 10);
    let taken = late.take(&bundle.documents, clock);
    assert!(!taken.refused.is_empty() && late.plans().is_empty());
}

#[test]
fn a_receipt_that_is_missing_is_named() {
    let story = Story::told();
    for (counter, next) in [(1, 2), (3, 4), (4, 5)] {
        let mut bundle = story.bundle();
        bundle.chains.get_mut(&name(1)).expect("a chain").remove(counter - 1);
        let said = story.refuses(&bundle, "V035");
        assert!(said.contains(&format!("receipt {counter} of r1 is missing; receipt {next}")));
    }
}

#[test]
fn receipts_out_of_their_order_are_named() {
    let story = Story::told();
    let mut bundle = story.bundle();
    bundle.chains.get_mut(&name(2)).expect("a chain").swap(1, 2);
    let said = story.refuses(&bundle, "V036");
    assert!(said.contains("of r2 stand out of order: 3 where 2 belongs"), "{said}");
    let mut bundle = story.bundle();
    let chain = bundle.chains.get_mut(&name(2)).expect("a chain");
    chain.push(chain[0].clone());
    story.refuses(&bundle, "V036");
}

#[test]
fn a_forged_signature_is_named() {
    let story = Story::told();
    let mut bundle = story.bundle();
    let receipt: &Receipt = &story.chains[&name(2)][2];
    bundle.chains.get_mut(&name(2)).expect("a chain")[2] = sealed(receipt, &key(77));
    let said = story.refuses(&bundle, "V033");
    assert!(said.contains("receipt 3 of r2"), "{said}");
    // A date that was changed in the file breaks the signature too.
    let mut bundle = story.bundle();
    let moved = Receipt { at: at(3000), ..receipt.clone() };
    let forged = sealed(&moved, &key(1));
    bundle.chains.get_mut(&name(2)).expect("a chain")[2] = forged;
    story.refuses(&bundle, "V033");

    let mut bundle = story.bundle();
    bundle.beacons.insert(name(1), story.beacon(2));
    story.refuses(&bundle, "V033");
}

#[test]
fn what_is_no_receipt_of_this_node_is_named() {
    let story = Story::told();
    let replaced = |by: Vec<u8>| {
        let mut bundle = story.bundle();
        bundle.chains.get_mut(&name(1)).expect("a chain")[0] = by;
        bundle
    };
    story.refuses(&replaced(b"null".to_vec()), "V034");
    let of_another = Receipt { node: name(2), ..story.chains[&name(1)][0].clone() };
    story.refuses(&replaced(sealed(&of_another, &key(1))), "V034");
    let mut other = story.clone();
    other.rewrite(1, 1, |it| it.muster = "receipt/v2".into());
    story.refuses(&other.bundle(), "V034");
}

#[test]
fn an_exchanged_link_and_a_second_one_are_named() {
    let story = Story::told();
    let mut bundle = story.bundle();
    let other = Receipt { at: at(2), ..story.chains[&name(1)][1].clone() };
    let chain = bundle.chains.get_mut(&name(1)).expect("a chain");
    chain[1] = sealed(&other, &key(1));
    story.refuses(&bundle, "V037");

    let mut bundle = story.bundle();
    bundle.chains.get_mut(&name(1)).expect("a chain").push(sealed(&other, &key(1)));
    story.refuses(&bundle, "V038");
}

#[test]
fn whoever_has_no_agent_under_the_plan_says_nothing() {
    let story = Story::told();
    for node in [name(5), "nobody".parse().expect("a name")] {
        let mut bundle = story.bundle();
        bundle.chains.insert(node, Vec::new());
        story.refuses(&bundle, "V039");
    }
}

#[test]
fn a_time_that_goes_back_is_named() {
    let mut story = Story::told();
    let began = story.chains[&name(4)][2].at;
    story.rewrite(4, 5, |it| it.at = began - SignedDuration::from_secs(3));
    story.audit(&story.bundle()).expect("clocks are set by a little now and then");
    story.rewrite(4, 5, |it| it.at = began - SignedDuration::from_secs(7));
    let said = story.refuses(&story.bundle(), "V040");
    assert!(said.contains("receipt 5 of r4"), "{said}");
}

#[test]
fn a_time_that_contradicts_the_heads_is_named() {
    let mut story = Story::published(&plan());
    story.clocks.insert(4, -60);
    for node in 1..=4 {
        story.says(node, Event::Acknowledged { in_hand: None });
    }
    story.says(3, Event::Declined { reason: "no".into() });
    [1, 2, 4].into_iter().for_each(|node| story.restart(node));
    let said = story.refuses(&story.bundle(), "V041");
    assert!(said.contains("r4 began at") && said.contains("of r1"), "{said}");
}

#[test]
fn what_others_have_seen_and_the_bundle_leaves_out_is_named() {
    let story = Story::told();
    let mut bundle = story.bundle();
    bundle.chains.get_mut(&name(1)).expect("a chain").pop();
    let said = story.refuses(&bundle, "V042");
    assert!(said.contains("receipt 3 of r2 refers to receipt 5 of r1"), "{said}");
    let mut bundle = story.bundle();
    bundle.chains.remove(&name(3));
    story.refuses(&bundle, "V042");

    // Nobody began after the last one; only his own beacon tells.
    let mut bundle = story.bundle();
    bundle.beacons.insert(name(4), story.beacon(4));
    story.audit(&bundle).expect("it holds");
    bundle.chains.get_mut(&name(4)).expect("a chain").pop();
    let said = story.refuses(&bundle, "V042");
    assert!(said.contains("the newest beacon of r4"), "{said}");
}

#[test]
fn another_history_than_the_one_that_was_seen_is_named() {
    let mut story = Story::told();
    story.rewrite(1, 5, |it| it.at += SignedDuration::from_secs(1));
    story.refuses(&story.bundle(), "V043");
}

#[test]
fn whoever_begins_before_his_turn_is_named() {
    let mut story = Story::promised();
    story.begins(2, Some(2));
    let said = story.refuses(&story.bundle(), "V044");
    assert!(said.contains("r2 began without permission (receipt 3): r1 before it"), "{said}");
    let judged = Account::open(&story.bundle(), &story.root).expect("all signed").attendance();
    assert_eq!(judged.order, Some(Order::Broken));
    assert!(judged.nodes[1].why.as_ref().is_some_and(|why| why.starts_with("V044")));
}

#[test]
fn whoever_passes_an_absent_one_within_the_budget_had_permission_and_who_returns_is_late() {
    let mut roomy = plan();
    roomy.budget = Budget::Seats(3);
    let mut story = Story::published(&roomy);
    [1, 2].into_iter().for_each(|node| story.says(node, Event::Acknowledged { in_hand: None }));
    story.now += 300;
    story.begins(2, Some(2));
    // 1 counts as undone, 3, 4 and 6 as owing their promise.
    let said = story.refuses(&story.bundle(), "V044");
    assert!(said.contains("5 seats would be away, the budget is 3"), "{said}");

    let mut story = Story::published(&roomy);
    for node in [1, 2, 3, 4] {
        story.says(node, Event::Acknowledged { in_hand: None });
    }
    story.now += 300;
    story.begins(2, Some(3));
    story.says(2, done());
    story.begins(1, Some(2));
    let told = attendance(&story);
    assert_eq!((told.nodes[0].late, told.nodes[1].late), (true, false));
    assert_eq!(told.order, Some(Order::Held));
}

#[test]
fn a_gate_and_its_soak_are_judged_by_what_was_seen() {
    let mut waves = plan();
    let wave = |name: &str, nodes: &[u8], soak_ms| Wave {
        name: name.into(),
        nodes: nodes.iter().map(|it| fixture::name(*it)).collect(),
        done: nodes.len() as u32,
        soak_ms,
    };
    waves.waves = vec![wave("canary", &[1], 60_000), wave("rest", &[2, 4], 0)];
    let told = |wait| {
        let mut story = Story::published(&waves);
        for node in 1..=4 {
            story.says(node, Event::Acknowledged { in_hand: None });
        }
        story.restart(1);
        story.now += wait;
        story.restart(2);
        story
    };
    let early = told(10);
    let said = early.refuses(&early.bundle(), "V044");
    assert!(said.contains("wave canary soaks"), "{said}");
    attendance(&told(60));
}

#[test]
fn whoever_counts_too_little_or_too_much_is_named() {
    for sum in [1, 3] {
        let mut story = Story::promised();
        story.begins(1, Some(sum));
        story.refuses(&story.bundle(), "V045");
    }
    // Who is away himself counts nothing.
    let mut story = Story::promised();
    story.begins(1, None);
    assert_eq!(attendance(&story).nodes[0].counted, None);
}

#[test]
fn facts_that_no_agent_writes_in_this_order_are_named() {
    let mut story = Story::published(&plan());
    story.begins(1, Some(2));
    let said = story.refuses(&story.bundle(), "V046");
    assert!(said.contains("before its promise"), "{said}");
    let mut story = Story::told();
    story.begins(4, Some(2));
    let said = story.refuses(&story.bundle(), "V046");
    assert!(said.contains("after its last word"), "{said}");
    let mut story = Story::promised();
    story.says(1, done());
    story.refuses(&story.bundle(), "V046");
}

#[test]
fn two_envelopes_that_prove_nothing_are_refused_and_two_that_do_are_taken() {
    let mut story = Story::told();
    let links = story.bundle().chains[&name(1)].clone();
    let mut bundle = story.bundle();
    let proof = Proof { first: links[0].clone(), second: links[1].clone() };
    bundle.proofs.insert(name(1), proof);
    story.refuses(&bundle, "V047");
    story.rewrite(1, 5, |it| it.at += SignedDuration::from_secs(1));
    let mut bundle = story.bundle();
    let second = bundle.chains[&name(1)][4].clone();
    bundle.proofs.insert(name(1), Proof { first: links[4].clone(), second });
    story.audit(&bundle).expect("he contradicted himself, and nobody left anything out");
}

#[test]
fn a_chain_of_roots_leads_from_the_first() {
    let story = Story::told();
    let mut bundle = story.bundle();
    bundle.documents.roots.push(b"no root".to_vec());
    story.refuses(&bundle, "V031");
    let only = Offer { roots: Vec::new(), ..story.bundle().documents };
    let bundle = Bundle { documents: only, ..story.bundle() };
    story.audit(&bundle).expect("the pinned one is all there is");
    assert!(matches!(Account::open(&bundle, b""), Err(Fault::Documents { .. })));
}

#[test]
fn a_stop_by_the_clock_is_judged_by_its_slots() {
    let mut stop = plan();
    stop.class = Class::Emergency;
    (stop.action, stop.budget) = (Action::Stop, Budget::All);
    stop.compatibility = Compatibility::Halting;
    stop.schedule = Some(Schedule { start: at(0), pace_ms: 60_000, grace_ms: 1_000 });
    let told = |wait, first_is_down| {
        let mut story = Story::published(&stop);
        [1, 2].into_iter().for_each(|node| story.says(node, Event::Acknowledged { in_hand: None }));
        if first_is_down {
            story.begins(1, None);
            story.says(1, done());
        }
        story.now += wait;
        story.begins(2, None);
        story
    };
    let early = told(30, false);
    let said = early.refuses(&early.bundle(), "V044");
    assert!(said.contains("its slot is") && said.contains("sooner when r1 are down"), "{said}");
    attendance(&told(30, true));
    let late = attendance(&told(60, false));
    assert_eq!((late.action, late.nodes[1].order), ("stop", Some(Order::Held)));
}

#[test]
fn what_was_said_of_plans_that_have_left_the_board_accuses_nobody() {
    let mut story = Story::published(&plan());
    let now = story.id.clone();
    story.id.serial = 7;
    story.clocks.insert(1, 9_000);
    // An older plan, other keys, a clock that was wrong then.
    story.says(2, Event::Acknowledged { in_hand: None });
    story.begins(1, None);
    story.says(1, done());
    story.rewrite(1, 1, |it| {
        let Event::Began { heads, .. } = &mut it.event else { panic!("it began") };
        heads.values_mut().for_each(|head| head.hash = Digest::of(b"under another key"));
    });
    (story.id, story.now) = (now, 100);
    story.clocks.clear();
    for node in 1..=4 {
        story.says(node, Event::Acknowledged { in_hand: None });
    }
    [1, 2, 3, 4].into_iter().for_each(|node| story.restart(node));
    let told = attendance(&story);
    assert_eq!((told.took_part(), told.order), (4, Some(Order::Held)));
}
