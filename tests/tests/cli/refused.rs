//! What officers are refused, and what a refusal leaves behind: nothing.

use super::kit::{World, done, listing, plan_yaml, refused};

/// A plan frozen at alice's and carried to bob's.
async fn frozen() -> World {
    let world = World::with_roster().await;
    world.write("alice", "plan.yaml", &plan_yaml(1));
    done(&world.muster("alice", &["plan", "freeze", "plan.yaml", "-o", "1.draft"]).await);
    world.carry("alice", "bob", "1.draft");
    world
}

#[tokio::test]
async fn a_draft_that_was_changed_is_refused_and_nothing_is_signed() {
    let world = frozen().await;
    let draft = world.read("bob", "1.draft");
    let value: serde_json::Value = serde_json::from_str(&draft).expect("JSON");
    for (field, code) in [("expires", "T074"), ("version", "T075")] {
        let mut changed = value.clone();
        changed["signed"][field] = match field {
            "version" => 7.into(),
            _ => "2030-01-01T00:00:00Z".into(),
        };
        world.write("bob", "1.draft", &changed.to_string());
        let before = listing(&world.home("bob"));
        refused(&world.sign("bob", "1.draft").await, 3, code);
        assert_eq!(listing(&world.home("bob")), before);
    }
    world.write("bob", "1.draft", &draft[..draft.len() / 2]);
    refused(&world.sign("bob", "1.draft").await, 3, "T070");
}

#[tokio::test]
async fn a_board_in_a_draft_that_its_signers_did_not_sign_is_refused() {
    let world = frozen().await;
    let mut value: serde_json::Value =
        serde_json::from_str(&world.read("bob", "1.draft")).expect("JSON");
    // Cut the roster's metadata out of the board: the order cannot be derived from it.
    value["board"]["roles"].as_object_mut().expect("roles").remove("roster");
    world.write("bob", "1.draft", &value.to_string());
    let said = world.sign("bob", "1.draft").await;
    refused(&said, 3, "U013");
    assert!(!listing(&world.home("bob")).contains(&"1.key.sig".to_owned()));
}

#[tokio::test]
async fn a_signature_over_other_bytes_is_refused_by_name() {
    let world = frozen().await;
    let sigs = world.signed("1.draft", &["bob"]).await;
    world.write("alice", "plan.yaml", &plan_yaml(1).replace("everybody", "all of them"));
    done(&world.muster("alice", &["plan", "freeze", "plan.yaml", "-o", "other.draft"]).await);
    let said = world.hand_in("other.draft", &sigs).await;
    refused(&said, 3, "T084");
    assert!(said.err.contains("bob"), "{}", said.err);
}

#[tokio::test]
async fn a_file_that_is_no_signature_is_refused() {
    let world = frozen().await;
    world.write("alice", "x.sig", "{}");
    refused(&world.hand_in("1.draft", &["x.sig".into()]).await, 3, "U014");
}

#[tokio::test]
async fn a_draft_that_the_role_has_moved_past_is_refused_by_the_board_and_then_by_everybody() {
    let world = frozen().await;
    let first = world.signed("1.draft", &["alice", "bob"]).await;
    world.write("alice", "plan2.yaml", &plan_yaml(2));
    done(&world.muster("alice", &["plan", "freeze", "plan2.yaml", "-o", "2.draft"]).await);
    let second = world.signed("2.draft", &["alice", "bob"]).await;
    done(&world.hand_in("2.draft", &second).await);
    refused(&world.hand_in("1.draft", &first).await, 3, "C103");
    // Once she has heard the board, her own machine refuses it too.
    done(&world.muster("alice", &["fleet"]).await);
    refused(&world.hand_in("1.draft", &first).await, 3, "T078");
}

#[tokio::test]
async fn the_desk_gives_each_key_its_rights_and_no_more() {
    let world = frozen().await;
    let sigs = world.signed("1.draft", &["alice", "bob"]).await;
    for sig in &sigs {
        world.carry("alice", "bob", sig);
        world.carry("alice", "carol", sig);
    }
    let args = ["publish", "1.draft", &sigs[0], &sigs[1]];
    refused(&world.muster("bob", &args).await, 3, "C101");
    world.carry("alice", "carol", "1.draft");
    refused(&world.muster("carol", &args).await, 3, "C100");
    refused(&world.muster("carol", &["fleet"]).await, 3, "C100");
    done(&world.hand_in("1.draft", &sigs).await);
    let hold = ["hold", "1", "--for", "10m", "--reason", "looking"];
    refused(&world.muster("bob", &hold).await, 3, "C101");
    let held = world.muster("alice", &hold).await;
    done(&held);
    assert!(held.out.starts_with("plan hotfix/1 is held"), "{}", held.out);
    let freed = world.muster("alice", &["release-hold", "1"]).await;
    assert!(freed.out.starts_with("plan hotfix/1 is not held"), "{}{}", freed.out, freed.err);
}

#[tokio::test]
async fn a_key_without_a_say_and_a_wrong_passphrase_sign_nothing() {
    let world = frozen().await;
    let stranger = ["key", "new", "--name", "mallory", "-o", "mallory.pem"];
    done(&world.secretly("bob", &stranger).await);
    let sign = |key| ["sign", "1.draft", "--key", key, "--yes"];
    refused(&world.secretly("bob", &sign("mallory.pem")).await, 3, "T083");
    let wrong = [&sign("key.pem")[..], &["--passphrase-fd", "0"]].concat();
    refused(&world.with_input("bob", &wrong, "not this one\n").await, 3, "K002");
    assert!(
        !listing(&world.home("bob"))
            .iter()
            .any(|name| name.starts_with("1.") && name.ends_with(".sig"))
    );
}

#[tokio::test]
async fn nobody_signs_without_being_asked() {
    let world = frozen().await;
    // No terminal, no --yes: nobody could have confirmed.
    let args = ["sign", "1.draft", "--key", "key.pem"];
    refused(&world.secretly("bob", &args).await, 2, "U020");
    // Nor is a passphrase taken from a pipe that nobody named.
    refused(&world.muster("bob", &[&args[..], &["--yes"]].concat()).await, 2, "U020");
}

#[tokio::test]
async fn short_passphrases_and_existing_files_are_refused() {
    let world = World::new().await;
    let new = ["key", "new", "--name", "x", "-o", "x.pem", "--passphrase-fd", "0"];
    refused(&world.with_input("alice", &new, "short\n").await, 2, "U023");
    refused(&world.with_input("alice", &new, "").await, 2, "U024");
    let over = ["key", "new", "--name", "x", "-o", "key.pem"];
    refused(&world.secretly("alice", &over).await, 2, "U006");
}

#[tokio::test]
async fn another_root_is_never_pinned_over_the_first() {
    let world = World::founded().await;
    let other = World::new().await;
    other.write("alice", "root.yaml", "");
    let root = world.read("alice", "1.root.json");
    let args = ["init", "--root", "1.root.json", "--root-sha256"];
    let zeros = "0".repeat(64);
    refused(&world.muster("bob", &[&args[..], &[&zeros]].concat()).await, 3, "U031");
    world.write("bob", "1.root.json", &root.replace("alice", "alicf"));
    let sum = world.muster("bob", &["--json", "init"]).await;
    done(&sum);
    let changed = muster_proto::documents::Digest::of(world.read("bob", "1.root.json").as_bytes());
    refused(&world.muster("bob", &[&args[..], &[changed.hex()]].concat()).await, 3, "U030");
    refused(&world.muster("bob", &["init", "--network", "mainnet"]).await, 3, "U030");
}

#[tokio::test]
async fn a_board_that_is_not_there_or_not_the_pinned_one_is_told_apart() {
    let mut world = World::founded().await;
    let addr = world.board.address.addr.clone();
    let other = muster_proto::documents::Digest::of(b"another key");
    let pin = format!("{addr}={other}");
    done(&world.muster("bob", &["init", "--controller", &pin]).await);
    refused(&world.muster("bob", &["fleet"]).await, 3, "N012");
    world.board.kill().await.expect("killed");
    refused(&world.muster("alice", &["fleet"]).await, 5, "U041");
    let said = world.muster("alice", &["--json", "fleet"]).await;
    let error: serde_json::Value = serde_json::from_str(&said.out).expect("an error as JSON");
    assert_eq!(
        (error["error"]["code"].as_str(), error["error"]["exit"].as_i64()),
        (Some("U041"), Some(5))
    );
}

#[tokio::test]
async fn wrong_use_ends_with_2_and_says_what_there_is() {
    let world = World::with_roster().await;
    refused(&world.muster("alice", &["why", "node-9"]).await, 2, "U012");
    refused(&world.muster("alice", &["why", "42"]).await, 2, "U010");
    refused(&world.muster("alice", &["explain", "X999"]).await, 2, "U005");
    let unknown = world.muster("alice", &["watch", "fire/1"]).await;
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    refused(&world.muster("board", &["fleet"]).await, 2, "U001");
}

#[tokio::test]
async fn a_damaged_trust_state_is_never_begun_anew() {
    let world = World::with_roster().await;
    let state = world.home("alice").join("trust.state");
    let mut bytes = std::fs::read(&state).expect("a state");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&state, &bytes).expect("written");
    refused(&world.muster("alice", &["fleet"]).await, 3, "T040");
    assert_eq!(std::fs::read(&state).expect("a state"), bytes);
}
