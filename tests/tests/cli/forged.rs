//! Drafts that lie, at the officer who signs and at the one who publishes: each is refused by its
//! code, nothing is signed, and the board is as it was.

use super::kit::{World, done, json, listing, plan_yaml, refused};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const PLAN: &str = "hotfix/testnet/1.json";

/// How a draft is spoilt, what the cheat is called, and the code that refuses it.
type Cheat = (&'static str, fn(&mut Value), &'static str);

/// Cheats that everybody finds, whatever he has heard before.
const CHEATS: [Cheat; 5] = [
    ("tampered", |draft| draft["signed"]["expires"] = "2030-01-01T00:00:00Z".into(), "T074"),
    ("expired", |draft| draft["frozen-at"] = "2026-01-01T00:00:00Z".into(), "T076"),
    ("wrong role", |draft| draft["role"] = "drill".into(), "T074"),
    ("wrong network", |draft| rewrite(&mut draft["targets"][PLAN], "testnet", "mainnet"), "T073"),
    ("wrong content", |draft| rewrite(&mut draft["targets"][PLAN], "everybody", "nobody"), "T074"),
];

/// Replaces text in a file of a draft.
fn rewrite(blob: &mut Value, from: &str, to: &str) {
    let bytes = STANDARD.decode(blob.as_str().expect("a file")).expect("base64");
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.contains(from), "{from} in {text}");
    *blob = STANDARD.encode(text.replacen(from, to, 1)).into();
}

/// Takes the signatures off a file of the draft's board.
fn unsign(blob: &mut Value) {
    let bytes = STANDARD.decode(blob.as_str().expect("a file")).expect("base64");
    let mut metadata: Value = serde_json::from_slice(&bytes).expect("metadata");
    metadata["signatures"] = Value::Array(Vec::new());
    *blob = STANDARD.encode(metadata.to_string()).into();
}

/// A plan frozen at alice's, and the draft.
async fn frozen() -> (World, Value) {
    let world = World::with_roster().await;
    world.write("alice", "plan.yaml", &plan_yaml(1));
    done(&world.muster("alice", &["plan", "freeze", "plan.yaml", "-o", "1.draft"]).await);
    let draft = serde_json::from_str(&world.read("alice", "1.draft")).expect("a draft");
    (world, draft)
}

fn spoilt(draft: &Value, cheat: fn(&mut Value)) -> String {
    let mut draft = draft.clone();
    cheat(&mut draft);
    draft.to_string()
}

#[tokio::test]
async fn a_forged_draft_is_signed_by_nobody() {
    let (world, draft) = frozen().await;
    // Carol has signed nothing before: she believes of a board what its signers signed.
    let under_signed: Cheat =
        ("under-signed", |draft| unsign(&mut draft["board"]["timestamp"]), "T003");
    world.write("carol", "x.draft", "");
    let before = listing(&world.home("carol"));
    for (name, cheat, code) in CHEATS.into_iter().chain([under_signed]) {
        world.write("carol", "x.draft", &spoilt(&draft, cheat));
        eprintln!("{name}");
        refused(&world.sign("carol", "x.draft").await, 3, code);
        assert_eq!(listing(&world.home("carol")), before, "{name} left a trace");
    }
    let sigs = world.signed("1.draft", &["alice", "bob"]).await;
    done(&world.hand_in("1.draft", &sigs).await);
    // Replayed: bob hears that it is out, and signs it no second time.
    done(&world.muster("bob", &["fleet"]).await);
    let before = listing(&world.home("bob"));
    refused(&world.sign("bob", "1.draft").await, 3, "T078");
    assert_eq!(listing(&world.home("bob")), before);
}

#[tokio::test]
async fn a_forged_draft_is_published_by_nobody_and_the_board_is_as_it_was() {
    let (world, draft) = frozen().await;
    let sigs = world.signed("1.draft", &["alice", "bob"]).await;
    let history = async || json(&world.muster("bob", &["--json", "history"]).await);
    let before = history().await;
    for (name, cheat, code) in CHEATS {
        world.write("alice", "x.draft", &spoilt(&draft, cheat));
        eprintln!("{name}");
        refused(&world.hand_in("x.draft", &sigs).await, 3, code);
        assert_eq!(history().await, before, "{name} left a trace");
    }
    let mut forged: Value = serde_json::from_str(&world.read("alice", &sigs[1])).expect("JSON");
    forged["sig"] = "0".repeat(128).into();
    world.write("alice", "forged.sig", &forged.to_string());
    refused(&world.hand_in("1.draft", &[sigs[0].clone(), "forged.sig".into()]).await, 3, "T084");
    let under_signed = world.hand_in("1.draft", &sigs[..1]).await;
    assert_eq!(under_signed.code, 4, "{}", under_signed.err);
    assert_eq!(history().await, before);
    // It is still the first version of its role: nothing came in between.
    let args = ["--json", "publish", "1.draft", &sigs[0], &sigs[1]];
    assert_eq!(json(&world.muster("alice", &args).await)["version"], 1);
    assert_ne!(history().await, before);
}
