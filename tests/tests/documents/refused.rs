//! Refusals of signed documents and of files on the delegate's host, each by its code.

use muster_agent::config::yaml;
use muster_agent::control::client::ask;
use muster_agent::control::protocol::Question;
use muster_agent::journal::{Identity, Journal};
use muster_proto::documents::{NO_ABORTS, Release, Roster, canonical};
use muster_proto::rule::{Decision, Documents, Evidence, Observations, Stage, decide, permission};
use muster_proto::trust::keys::SecretKey;
use muster_tests::rules::{Move, PlanDraw, Relation, Scene, SceneDraw, World};
use tokio::net::UnixListener;

/// The code that an error begins with.
#[track_caller]
fn code(error: &impl std::error::Error) -> String {
    let said = error.to_string();
    said.split(':').next().unwrap_or_default().to_owned()
}

fn roster() -> serde_json::Value {
    serde_json::json!({
        "muster": "roster/v1", "network": "testnet", "version": 1,
        "issued": "2026-11-22T12:00:00Z", "consensus": {"active": 1}, "nodes": []
    })
}

#[test]
fn a_fraction_has_no_canonical_form() {
    let refused = canonical::to_bytes(&serde_json::json!({"seats": 1.5})).expect_err("a fraction");
    assert_eq!(code(&refused), "D001");
}

#[test]
fn a_document_of_another_kind_or_form_is_refused() {
    let mut value = roster();
    let bytes = canonical::to_bytes(&value).expect("canonical");
    canonical::from_bytes::<Roster>(&bytes).expect("a roster");
    let spaced = serde_json::to_vec_pretty(&value).expect("JSON");
    let refused = canonical::from_bytes::<Roster>(&spaced).expect_err("not canonical");
    assert_eq!(code(&refused), "D004");
    let refused = canonical::from_bytes::<Release>(&bytes).expect_err("no release");
    assert_eq!(code(&refused), "D002");
    value["muster"] = "roster/v2".into();
    let newer = canonical::to_bytes(&value).expect("canonical");
    let refused = canonical::from_bytes::<Roster>(&newer).expect_err("another version");
    assert_eq!(code(&refused), "D003");
}

#[test]
fn a_file_of_the_agent_that_is_missing_or_too_large_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("policy.yaml");
    assert_eq!(code(&yaml::text(&path).expect_err("not there")), "E501");
    std::fs::write(&path, " ".repeat(yaml::MOST_BYTES as usize + 1)).expect("written");
    assert_eq!(code(&yaml::text(&path).expect_err("too large")), "E502");
}

#[test]
fn a_journal_in_a_folder_that_is_none_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").expect("written");
    let key = SecretKey::from_seed(&[7; 32]);
    let node = "node-1".parse().expect("a name");
    let me = Identity { network: "testnet".into(), node, key: key.public() };
    let seal = std::sync::Arc::new(move |receipt: &_| {
        muster_proto::evidence::Envelope::sign(receipt, key.signing_key()).map_err(Into::into)
    });
    let refused = Journal::open(&file, me, seal).expect_err("it is no folder");
    assert_eq!(code(&refused), "E104");
}

#[tokio::test]
async fn an_agent_that_hangs_up_or_talks_nonsense_gave_no_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("socket");
    assert_eq!(code(&ask(&socket, &Question::Status).await.expect_err("nobody")), "E540");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let hangs_up = tokio::spawn(async move { listener.accept().await.map(drop) });
    assert_eq!(code(&ask(&socket, &Question::Status).await.expect_err("no answer")), "E542");
    hangs_up.await.expect("it ran").expect("somebody called");
}

#[test]
fn an_undo_that_a_crash_left_without_its_reason_goes_on_under_a_code_of_its_own() {
    let plan = PlanDraw {
        action: 2,
        budget: 1,
        parallel: 1,
        order: vec![0, 1],
        cut: 0,
        slack: 0,
        soak_s: 0,
        tolerate: 0,
        emergency: false,
        relation: Relation::Neither,
    };
    let scene = Scene::new(&SceneDraw {
        nodes: 2,
        unmanaged: 0,
        group: false,
        seatless: false,
        leaver: None,
        clocks: vec![],
        plans: vec![plan],
    });
    let mut world = World::new(&scene, permission);
    world.step(Move::Learn(0, 0)).expect("nothing begins");
    let (id, body) = &scene.plans[0];
    let others = scene.others([], 0);
    let documents =
        Documents { id, plan: body, roster: &scene.rosters[0], others, aborts: &NO_ABORTS };
    let me = Observations {
        stage: Stage::Stopped,
        undoing: true,
        ..world.nodes[0].observations(0, std::slice::from_ref(id))
    };
    let decision = decide(&documents, &Evidence::default(), &me, body.issued);
    assert!(matches!(decision, Decision::Undo(why) if why.code == "E390"));
}
