//! Freeze, sign, merge, publish: what an officer's machine and a board refuse.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use muster_proto::documents::keys::Signers;
use muster_proto::documents::plan::{Action, ReleaseRef};
use muster_proto::documents::release::GenesisChange;
use muster_proto::documents::{Digest, Plan};
use muster_proto::trust::draft::{self, DetachedSig, Document, Draft, PLAN_KEPT};
use muster_proto::trust::keys::key_id;
use muster_proto::trust::{Publisher, RoleState};
use muster_tests::tuf::{World, at, genesis, key, plan, release, resigned, roster};

fn of_plan(plan: Plan) -> Document {
    Document::Plan(Box::new(plan))
}

fn not_frozen(world: &World, document: &Document, code: &str) {
    let error = world.freeze(document).expect_err("a refusal");
    assert_eq!(error.code(), code, "{error}");
}

/// The draft of hotfix/3, as a file, after somebody changed it.
fn tampered(change: impl FnOnce(&mut Draft)) -> (&'static str, String) {
    let world = World::with_plans();
    let mut draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    change(&mut draft);
    let draft = Draft::from_bytes(&draft.to_bytes()).expect("still a draft");
    let error = draft.verify(Some(&world.newcomer()), world.now).expect_err("a refusal");
    (error.code(), error.to_string())
}

#[test]
fn the_first_root_needs_no_board_and_becomes_its_file() {
    let draft = draft::freeze_root(&World::root_spec(1), None, at()).expect("a first root");
    let merged = World::merged(&draft, None, &["ann", "cyn"], at());
    assert!(merged.complete());
    let digest = Digest::of(&merged.metadata);
    muster_proto::trust::Trust::pin(&merged.metadata, &digest, "mainnet").expect("a good root");
}

#[test]
fn a_draft_is_its_own_file() {
    let world = World::with_plans();
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    assert_eq!(Draft::from_bytes(&draft.to_bytes()).expect("the file"), draft);
    let error = Draft::from_bytes(b"{\"muster\": \"draft/v9\"}").expect_err("a refusal");
    assert_eq!(error.code(), "T070");
}

#[test]
fn what_is_signed_says_in_words_what_it_does() {
    let world = World::with_plans();
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    let checked = draft.verify(Some(&world.newcomer()), world.now).expect("an honest draft");
    assert_eq!((checked.role(), checked.version()), ("hotfix", 3));
    assert_eq!(checked.document(), &of_plan(plan(3)));
    assert!(checked.dropped().is_empty());
    assert_eq!(checked.expires(), draft.frozen_at + SignedDuration::from_hours(2400));
    assert_eq!(checked.board().expect("a board").roster(), world.board.roster());
    let hotfix = checked.roles().into_iter().find(|role| role.name == "hotfix").expect("a role");
    assert_eq!((hotfix.threshold, hotfix.state), (2, RoleState::Good));
}

#[test]
fn a_draft_that_somebody_changed_is_not_signed() {
    let other_plan = |draft: &mut Draft| {
        let mut other = plan(3);
        other.parallel = 4;
        let bytes = muster_proto::documents::canonical::to_bytes(&other).expect("canonical");
        draft.targets.insert("hotfix/mainnet/3.json".into(), bytes);
    };
    let (code, text) = tampered(other_plan);
    assert_eq!(code, "T074", "{text}");
    let (code, text) = tampered(|draft| {
        let text = String::from_utf8(draft.signed.clone()).expect("text");
        draft.signed = text.replace("hotfix/mainnet/1.json", "hotfix/mainnet/9.json").into_bytes();
    });
    assert_eq!(code, "T074", "{text}");
    let (code, _) = tampered(|draft| draft.role = "drill".into());
    assert_eq!(code, "T074");
    let (code, _) = tampered(|draft| draft.path = Some("hotfix/mainnet/4.json".into()));
    assert_eq!(code, "T070", "the document is not where the draft says");
    let (code, _) = tampered(|draft| {
        draft.targets.insert("hotfix/mainnet/4.json".into(), b"{}".to_vec());
    });
    assert_eq!(code, "T074");
    let (code, _) = tampered(|draft| {
        draft.targets.insert("hotfix/mainnet/3.json".into(), b"{}".to_vec());
    });
    assert_eq!(code, "T071");
}

#[test]
fn a_board_that_does_not_verify_is_not_signed_over() {
    let (code, _) = tampered(|draft| {
        let held = draft.board.roles["hotfix"].clone();
        draft.board.roles.insert("hotfix".into(), resigned(&held, &["dan"], |_| {}));
    });
    assert_eq!(code, "T007");
    let (code, _) = tampered(|draft| draft.board.timestamp = None);
    assert_eq!(code, "T028", "a board without a timestamp names no keys of roles");
    let (code, _) = tampered(|draft| {
        draft.board.targets.remove("hotfix/mainnet/1.json");
    });
    assert_eq!(code, "T021", "a hidden plan would vanish from the list");
    let (code, _) = tampered(|draft| {
        draft.board.roles.remove("hotfix");
    });
    assert_eq!(code, "T021", "a hidden role would lose its whole list");
}

#[test]
fn a_draft_of_another_root_is_not_signed() {
    let world = World::with_plans();
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    let mut foreign = World::root_spec(1);
    foreign.officers = BTreeMap::from([
        ("max".to_owned(), key("max").public()),
        ("nat".to_owned(), key("nat").public()),
    ]);
    foreign.root = Signers { threshold: 1, keys: vec!["max".into()] };
    foreign.targets = foreign.root.clone();
    foreign.publishers = BTreeMap::from([("zoe".to_owned(), key("zoe").public())]);
    foreign.snapshot = Signers { threshold: 1, keys: vec!["zoe".into()] };
    foreign.timestamp = foreign.snapshot.clone();
    let root = draft::freeze_root(&foreign, None, at()).expect("a root");
    let root = World::merged(&root, None, &["max"], at()).metadata;
    let pinned =
        muster_proto::trust::Trust::pin(&root, &Digest::of(&root), "mainnet").expect("a root");
    let error = draft.verify(Some(&pinned), world.now).expect_err("a refusal");
    assert_eq!(error.code(), "T003");
    assert_eq!(draft.verify(None, world.now).expect_err("a refusal").code(), "T087");
}

#[test]
fn only_the_first_root_is_frozen_without_a_board() {
    let world = World::bare();
    let draft = world.freeze(&Document::Keys(World::keys_spec())).expect("a draft");
    let bare = Draft { board: Default::default(), ..draft };
    assert_eq!(bare.verify(None, world.now).expect_err("a refusal").code(), "T087");
}

#[test]
fn a_key_without_a_say_signs_nothing() {
    let world = World::with_plans();
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    let checked = draft.verify(Some(&world.newcomer()), world.now).expect("an honest draft");
    let error = checked.sign(&key("ann")).expect_err("a refusal");
    assert_eq!(error.code(), "T083");
    assert!(error.to_string().contains("dan, eve, fay"), "{error}");
}

#[test]
fn signatures_that_do_not_belong_are_not_merged() {
    let world = World::with_plans();
    let pinned = world.newcomer();
    let checked = |serial| {
        let draft = world.freeze(&of_plan(plan(serial))).expect("a draft");
        draft.verify(Some(&pinned), world.now).expect("an honest draft")
    };
    let (third, fourth) = (checked(3), checked(4));
    let dan = third.sign(&key("dan")).expect("signed");
    let eve_of_fourth = fourth.sign(&key("eve")).expect("signed");
    let code = |sigs: &[DetachedSig]| third.merge(sigs).expect_err("a refusal").code();
    assert_eq!(code(&[dan.clone(), eve_of_fourth]), "T084");
    assert_eq!(code(&[dan.clone(), dan.clone()]), "T085");
    let stranger = key("ann");
    let foreign = DetachedSig {
        keyid: key_id(&stranger.public()),
        sig: hex::encode(stranger.sign(third.signed())),
    };
    assert_eq!(code(&[dan.clone(), foreign]), "T083");
    let garbled = DetachedSig { sig: dan.sig[..100].into(), ..dan.clone() };
    assert_eq!(code(&[garbled]), "T084");
    let merged = third.merge(&[dan]).expect("one good signature");
    assert!(!merged.complete());
    assert_eq!(merged.missing(), ["hotfix: 1 more of eve, fay"]);
}

#[test]
fn a_role_that_has_moved_on_is_frozen_again() {
    let mut world = World::with_plans();
    let slow = world.publication(of_plan(plan(3)), &["dan", "eve"]);
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    world.put(of_plan(plan(4)), &["dan", "fay"]);
    let error = world.publisher.publish(&world.board, &slow, world.now).expect_err("a refusal");
    assert_eq!(error.code(), "T060");
    // An officer who has seen the newer board refuses as well.
    assert_eq!(draft.verify(Some(&world.agent()), world.now).expect_err("no").code(), "T078");
    let draft = world.freeze(&Document::Roster(roster(2))).expect("a draft");
    let mut newer = roster(3);
    newer.nodes.pop();
    world.put(Document::Roster(newer), &["dan", "fay"]);
    let again = draft.verify(Some(&world.agent()), world.now).expect_err("a refusal");
    assert_eq!(again.code(), "T077");
    let draft = world.freeze(&Document::Keys(World::keys_spec())).expect("a draft");
    world.put(Document::Keys(World::keys_spec()), &["ann", "bob"]);
    assert_eq!(draft.verify(Some(&world.agent()), world.now).expect_err("no").code(), "T075");
}

#[test]
fn what_is_out_already_publishes_nothing() {
    let mut world = World::with_plans();
    let publication = world.publication(of_plan(plan(3)), &["dan", "eve"]);
    world.publish(&publication);
    let again = world.publisher.publish(&world.board, &publication, world.now);
    assert!(again.expect("no error").is_empty());
}

#[test]
fn a_board_refuses_what_its_readers_would_refuse() {
    let world = World::with_plans();
    let code = |publication: &muster_proto::trust::Publication| {
        let before = world.board.versions();
        let error = world.publisher.publish(&world.board, publication, world.now);
        assert_eq!(world.board.versions(), before);
        error.expect_err("a refusal").code()
    };
    let good = world.publication(of_plan(plan(3)), &["dan", "eve"]);
    let mut bad = good.clone();
    bad.metadata = resigned(&good.metadata, &["dan"], |_| {});
    assert_eq!(code(&bad), "T003");
    let mut bad = good.clone();
    bad.targets.insert("hotfix/mainnet/3.json".into(), b"{}".to_vec());
    assert_eq!(code(&bad), "T007");
    let mut bad = good.clone();
    bad.targets.clear();
    assert_eq!(code(&bad), "T021");
    let mut bad = good.clone();
    bad.role = "wizard".into();
    assert_eq!(code(&bad), "T009");
    let mut bad = good.clone();
    bad.metadata = resigned(&good.metadata, &["dan", "eve"], |signed| {
        signed["expires"] = serde_json::json!("2026-07-01T00:00:00Z");
    });
    assert_eq!(code(&bad), "T004");
}

#[test]
fn a_publisher_that_the_root_does_not_name_publishes_nothing() {
    let world = World::with_plans();
    let stranger = Publisher::new(key("zoe"), key("zoe"));
    assert_eq!(stranger.stamp(&world.board, world.now).expect_err("no").code(), "T061");
    let mut spec = World::root_spec(1);
    spec.publishers.insert("second".into(), key("second").public());
    spec.timestamp = Signers { threshold: 2, keys: vec!["board".into(), "second".into()] };
    let root = draft::freeze_root(&spec, None, at()).expect("a root");
    let root = World::merged(&root, None, &["ann", "bob"], at()).metadata;
    let trust =
        muster_proto::trust::Trust::pin(&root, &Digest::of(&root), "mainnet").expect("a root");
    let mut lone = world.clone();
    lone.board = trust;
    lone.root = root;
    let publication = lone.publication(Document::Keys(World::keys_spec()), &["ann", "bob"]);
    let error = lone.publisher.publish(&lone.board, &publication, lone.now).expect_err("no");
    assert_eq!(error.code(), "T062");
}

#[test]
fn a_draft_waits_a_month_and_no_longer() {
    let world = World::with_plans();
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    // The timestamp in it has long expired; it was fresh when this was frozen.
    let later = world.now + SignedDuration::from_hours(24 * 29);
    draft.verify(Some(&world.newcomer()), later).expect("signed by a slow officer");
    let too_late = world.now + SignedDuration::from_hours(24 * 31);
    let error = draft.verify(Some(&world.newcomer()), too_late).expect_err("a refusal");
    assert_eq!(error.code(), "T076");
    let early = world.now - SignedDuration::from_mins(6);
    assert_eq!(draft.verify(Some(&world.newcomer()), early).expect_err("no").code(), "T076");
}

#[test]
fn an_expired_board_freezes_nothing() {
    let mut world = World::with_plans();
    world.now += SignedDuration::from_mins(30);
    not_frozen(&world, &of_plan(plan(3)), "T004");
}

#[test]
fn a_document_for_another_network_is_not_frozen() {
    let world = World::with_plans();
    let mut elsewhere = plan(3);
    elsewhere.network = "testnet".into();
    not_frozen(&world, &of_plan(elsewhere), "T073");
    let mut elsewhere = roster(2);
    elsewhere.network = "testnet".into();
    not_frozen(&world, &Document::Roster(elsewhere), "T073");
}

#[test]
fn a_text_that_does_not_come_back_is_not_frozen() {
    let world = World::with_plans();
    let mut torn = plan(3);
    torn.title = "two\nlines".into();
    not_frozen(&world, &of_plan(torn), "T071");
}

#[test]
fn a_text_that_has_no_canonical_form_is_not_frozen() {
    let world = World::with_plans();
    // An i with a diaeresis of its own: signed, it would come back as one letter.
    let mut loose = plan(3);
    loose.title = "nai\u{308}ve".into();
    not_frozen(&world, &of_plan(loose), "T072");
}

#[test]
fn versions_go_up_by_one() {
    let world = World::with_plans();
    not_frozen(&world, &Document::Root(World::root_spec(3)), "T077");
    not_frozen(&world, &Document::Roster(roster(1)), "T077");
}

#[test]
fn a_used_or_distant_serial_is_not_frozen() {
    let world = World::with_plans();
    for serial in [1, 2, 1003] {
        not_frozen(&world, &of_plan(plan(serial)), "T078");
    }
    world.freeze(&of_plan(plan(1002))).expect("the last that may follow");
}

#[test]
fn a_release_never_changes() {
    let world = World::with_plans();
    let mut other = release("v2.4.4");
    other.compatible = false;
    not_frozen(&world, &Document::Release(other, None), "T079");
}

fn with_genesis() -> muster_proto::documents::Release {
    let mut it = release("v2.5.0");
    let (digest, length) = (Digest::of(&genesis()), genesis().len() as u64);
    it.genesis = GenesisChange::Replaced { digest, length };
    it
}

#[test]
fn a_release_travels_with_its_own_genesis_file() {
    let mut world = World::with_plans();
    not_frozen(&world, &Document::Release(with_genesis(), None), "T080");
    not_frozen(&world, &Document::Release(with_genesis(), Some(b"another".to_vec())), "T080");
    not_frozen(&world, &Document::Release(release("v2.5.0"), Some(genesis())), "T080");
    world.put(Document::Release(with_genesis(), Some(genesis())), &["dan", "eve"]);
    let agent = world.agent();
    assert_eq!(agent.file("release/v2.5.0/genesis.yaml"), Some(genesis().as_slice()));
    let (reference, found) = agent.release_named("v2.5.0").expect("the release");
    assert_eq!(agent.release(&reference), Some(found));
    let other = ReleaseRef { digest: Digest::of(b"x"), ..reference };
    assert_eq!(agent.release(&other), None, "a release by another digest");
}

#[test]
fn a_plan_does_not_outlive_what_it_rests_on() {
    let world = World::with_plans();
    let mut long = plan(3);
    long.valid.until = at() + SignedDuration::from_hours(24 * 150);
    let error = world.freeze(&of_plan(long)).expect_err("a refusal");
    assert_eq!(error.code(), "T081");
    assert!(error.to_string().contains("hotfix"), "{error}");
}

#[test]
fn a_document_dated_after_its_freezing_is_not_frozen() {
    let world = World::with_plans();
    let mut early = plan(3);
    early.issued = world.now + SignedDuration::from_secs(2);
    not_frozen(&world, &of_plan(early), "T086");
}

#[test]
fn plans_leave_the_list_a_week_after_they_ended() {
    let mut world = World::with_plans();
    world.now = plan(1).valid.until + PLAN_KEPT;
    world.stamp();
    let mut next = plan(3);
    next.issued = world.now;
    next.valid.until = world.now + SignedDuration::from_hours(24);
    world.put(of_plan(next.clone()), &["dan", "eve"]);
    // `put` went on by five seconds: both are past their week.
    assert_eq!(world.agent().plans().keys().map(|id| id.serial).collect::<Vec<_>>(), [3]);
    next.serial = 4;
    next.after = vec![3];
    next.issued = world.now;
    world.put(of_plan(next), &["dan", "eve"]);
    assert_eq!(world.agent().plans().len(), 2);
}

#[test]
fn old_releases_leave_the_list_when_no_plan_names_them() {
    let mut world = World::with_plans();
    let (reference, _) = world.board.release_named("v2.4.4").expect("it is out");
    let mut upgrade = plan(3);
    upgrade.action = Action::Upgrade(reference);
    world.put(of_plan(upgrade), &["dan", "eve"]);
    for minor in 0..9 {
        let mut next = release(&format!("v3.{minor}.0"));
        next.issued = world.now;
        world.put(Document::Release(next, None), &["dan", "eve"]);
    }
    let held: Vec<_> = world.board.releases().map(|(version, _)| version.to_owned()).collect();
    assert_eq!(held.len(), 9, "{held:?}");
    assert!(held.contains(&"v2.4.4".to_owned()), "a plan names it");
    assert!(!held.contains(&"v3.0.0".to_owned()), "the oldest goes");
}

#[test]
fn a_full_role_takes_no_more() {
    let mut world = World::new();
    // The officers' own list, longer than anybody reads.
    let files: BTreeMap<_, _> = (0..512)
        .map(|serial| {
            let it = muster_proto::trust::metadata::FileInfo::of(b"{}");
            (format!("hotfix/testnet/{serial}.json"), it)
        })
        .collect();
    let expires = at() + SignedDuration::from_hours(2400);
    let signed = muster_proto::trust::metadata::role(1, expires, &files).expect("canonical");
    let metadata = World::signed_by(&signed, &["dan", "eve"]);
    let offer = world.force("hotfix", &metadata, &[]);
    world.board.take(&offer, world.now);
    not_frozen(&world, &of_plan(plan(1)), "T082");
}

#[test]
fn a_stolen_draft_holds_no_secret() {
    let world = World::with_plans();
    let draft = world.freeze(&of_plan(plan(3))).expect("a draft");
    let file = String::from_utf8(draft.to_bytes()).expect("text");
    for name in ["ann", "dan", "board"] {
        let pem = key(name).to_pem(None).expect("a PEM");
        let body = pem.lines().nth(1).expect("base64");
        assert!(!file.contains(body) && !format!("{draft:?}").contains(body));
    }
}
