//! Keys and thresholds that cannot work, and keys in their files.

use muster_proto::documents::keys::{BadSpec, KeysSpec, RootSpec, SigningRole};
use muster_proto::trust::SecretKey;
use muster_proto::trust::draft::{self, Document};
use muster_tests::tuf::{World, at, key};

fn bad_root(change: impl FnOnce(&mut RootSpec)) -> &'static str {
    let mut spec = World::root_spec(1);
    change(&mut spec);
    draft::freeze_root(&spec, None, at()).expect_err("a refusal").code()
}

#[test]
fn a_root_that_cannot_work_is_not_frozen() {
    assert_eq!(bad_root(|spec| spec.root.keys.push("zoe".into())), "D901");
    assert_eq!(
        bad_root(|spec| _ = spec.officers.insert("twin".into(), key("ann").public())),
        "D902"
    );
    assert_eq!(bad_root(|spec| spec.root.keys.push("ann".into())), "D902");
    assert_eq!(bad_root(|spec| spec.root.threshold = 4), "D903");
    assert_eq!(bad_root(|spec| spec.targets.threshold = 0), "D903");
    assert_eq!(
        bad_root(|spec| _ = spec.publishers.insert("ann2".into(), key("ann").public())),
        "D904"
    );
    assert_eq!(bad_root(|spec| _ = spec.officers.insert("a b".into(), key("x").public())), "D905");
    assert_eq!(bad_root(|spec| spec.expires = at()), "D907");
    assert_eq!(bad_root(|spec| spec.networks.clear()), "D908");
    assert_eq!("wizard".parse::<SigningRole>().map_err(|error: BadSpec| error.code()), Err("D906"));
}

#[test]
fn keys_that_cannot_work_are_not_frozen() {
    let world = World::bare();
    let code = |change: &dyn Fn(&mut KeysSpec)| {
        let mut spec = World::keys_spec();
        change(&mut spec);
        world.freeze(&Document::Keys(spec)).expect_err("a refusal").code()
    };
    let short = code(&|spec| {
        spec.roles.get_mut(&SigningRole::Drill).expect("the role").expires_in_s = 60;
    });
    assert_eq!(short, "D909");
    // A publisher's key among the officers.
    assert_eq!(code(&|spec| _ = spec.officers.insert("x".into(), key("board").public())), "D904");
}

#[test]
fn keys_come_back_from_their_files() {
    let one = SecretKey::generate();
    let open = one.to_pem(None).expect("a PEM");
    assert_eq!(SecretKey::from_pem(&open, None).expect("the key").public(), one.public());
    let sealed = one.to_pem(Some("four words of it")).expect("a PEM");
    assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let back = SecretKey::from_pem(&sealed, Some("four words of it")).expect("the key");
    assert_eq!(back.public(), one.public());
    let code = |pem: &str, pass: Option<&str>| {
        SecretKey::from_pem(pem, pass).expect_err("a refusal").code()
    };
    assert_eq!(code("nothing", None), "K001");
    assert_eq!(code(&sealed, Some("another")), "K002");
    assert_eq!(code(&sealed, None), "K003");
    assert_eq!(code(&open, Some("four words of it")), "K004");
    assert_eq!(one.to_pem(Some("")).expect_err("a refusal").code(), "K005");
    let shown = format!("{one:?}");
    assert!(shown.contains(&one.public().to_string()) && shown.len() < 100, "{shown}");
}
