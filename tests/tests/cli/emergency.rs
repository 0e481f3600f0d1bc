//! `muster emergency stop` at night: one command from the reason to the board.

use anyhow::Result;
use muster_tests::fleet::process::{Said, binary};
use muster_tests::terminal::converse;
use serde_json::Value;

use super::kit::{NETWORK, World, done, fits, json, listing, plan_yaml, refused};

const STOP: [&str; 6] =
    ["emergency", "stop", "--reason", "bridge drained, halt now", "--key", "key.pem"];

/// Alice's one command, with more arguments.
async fn stop(world: &World, args: &[&str]) -> Said {
    world.secretly("alice", &[&STOP[..], args].concat()).await
}

/// Plans that the board lists as valid, as bob sees them.
async fn valid_now(world: &World) -> String {
    let fleet = world.muster("bob", &["fleet"]).await;
    done(&fleet);
    let line = fleet.out.lines().find(|line| line.contains("valid now: ")).expect("a line");
    line.split("valid now: ").last().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn one_command_takes_a_stop_from_its_reason_to_the_board() {
    let world = World::with_roster().await;
    let said = stop(&world, &["--network", NETWORK, "--yes", "--no-watch"]).await;
    done(&said);
    fits(&said.out);
    fits(&said.err);
    assert!(said.out.contains("as plan emergency/1"), "{}", said.out);
    for words in [
        "This stops 4 nodes of testnet one by one, 5 s apart at the latest, beginning at",
        "it halts after the 2nd active one of 4, node-2",
        "starting again takes 2 of 3 hotfix keys",
        "4 nodes will not obey by themselves",
        "node-3 (never heard): ops3@example.org",
    ] {
        assert!(said.err.contains(words), "{words} in {}", said.err);
    }
    assert_eq!(valid_now(&world).await, "emergency/1");
    assert!(!listing(&world.home("alice")).iter().any(|file| file.starts_with("emergency")));

    // The next one has the next serial, and takes whom it is told to take, in that order.
    let more = ["--nodes", "node-4,node-2", "--at-once", "--yes", "--no-watch"];
    let said = json(&world.secretly("alice", &[&["--json"], &STOP[..], &more].concat()).await);
    assert_eq!(
        (said["plan"].as_str(), said["state"].as_str()),
        (Some("emergency/2"), Some("published"))
    );
    assert_eq!(said["preview"]["nodes"], serde_json::json!(["node-4", "node-2"]));
    assert_eq!(said["preview"]["pace_ms"], 0);
    assert_eq!(said["preview"]["halt"]["node"], "node-2");
    assert!(said["boards"][0]["published_at"].is_string(), "{said}");
    assert_eq!(valid_now(&world).await, "emergency/1, emergency/2");

    // A hotfix that ends them says so to whoever signs it.
    let start = plan_yaml(1)
        .replace("action: restart", "action: start\nends: [emergency/2]")
        .replace("  - {wave: canary, nodes: [node-3]}\n", "")
        .replace("budget: {down: 1 of 4}", "budget: all");
    world.write("alice", "start.yaml", &start);
    let frozen = world.muster("alice", &["plan", "freeze", "start.yaml", "-o", "1.draft"]).await;
    done(&frozen);
    fits(&frozen.out);
    let words: Vec<_> = frozen.out.split_whitespace().collect();
    let words = words.join(" ");
    let ends = "ends every emergency up to emergency/2: they hold nobody any more. A step that a \
                stop interrupted is rolled back: the node from before it starts";
    assert!(words.contains(ends), "{words}");
}

#[tokio::test]
async fn a_dry_run_shows_the_stop_and_neither_asks_nor_signs_nor_sends() {
    let world = World::with_roster().await;
    let before = listing(&world.home("alice"));
    let said = world.muster("alice", &[&STOP[..], &["--dry-run", "--pace", "1m"]].concat()).await;
    done(&said);
    fits(&said.out);
    assert!(said.out.starts_with("This stops 4 nodes of testnet one by one, 1 min apart"));
    assert!(said.out.contains("Nothing was signed and nothing was sent"), "{}", said.out);
    assert!(said.out.contains("emergency: 1 of 3 must sign"), "{}", said.out);
    assert_eq!(valid_now(&world).await, "none");
    assert_eq!(listing(&world.home("alice")), before);
    let args = [&["--json"], &STOP[..], &["--dry-run", "--start", "2099-01-01T00:00:00Z"]].concat();
    let late = world.muster("alice", &args).await;
    // Its keys expire before that, as for a plan from a file.
    let error: Value = serde_json::from_str(&late.out).expect("an error as JSON");
    assert_eq!((late.code, error["error"]["code"].as_str()), (3, Some("P006")), "{}", late.out);
}

#[tokio::test]
async fn another_network_a_strange_key_and_nodes_that_are_none_are_refused() {
    let mut world = World::with_roster().await;
    let go = ["--yes", "--no-watch"];
    let with = |args: &[&'static str]| [args, &go[..]].concat();
    refused(&stop(&world, &with(&["--network", "mainnet"])).await, 2, "U050");
    refused(&stop(&world, &with(&["--nodes", "node-1,node-9"])).await, 2, "U012");
    refused(&stop(&world, &with(&["--pace", "3h"])).await, 3, "P043");
    assert_eq!(stop(&world, &with(&["--pace", "2s", "--at-once"])).await.code, 2);
    // Nobody is asked without a terminal.
    refused(&stop(&world, &["--no-watch"]).await, 2, "U020");

    let made = ["key", "new", "--name", "dave", "-o", "dave.pem"];
    done(&world.secretly("alice", &made).await);
    let dave = [&["emergency", "stop", "--reason", "x", "--key", "dave.pem"], &go[..]].concat();
    refused(&world.secretly("alice", &dave).await, 3, "T083");
    assert_eq!(valid_now(&world).await, "none");
    world.board.kill().await.expect("killed");
    refused(&stop(&world, &go).await, 5, "U041");
}

#[tokio::test]
async fn what_the_board_does_not_take_is_signed_and_kept() {
    let world = World::with_roster().await;
    // Bob has a key of the role, and no right to publish.
    let said = world.secretly("bob", &[&STOP[..], &["--yes", "--no-watch"]].concat()).await;
    assert_eq!(said.code, 3, "{}", said.err);
    let next = "muster publish emergency-1.draft emergency-1.key.sig";
    assert!(
        said.err.split_whitespace().collect::<Vec<_>>().join(" ").contains(next),
        "{}",
        said.err
    );
    for file in ["emergency-1.draft", "emergency-1.key.sig"] {
        world.carry("bob", "alice", file);
    }
    done(&world.hand_in("emergency-1.draft", &["emergency-1.key.sig".to_owned()]).await);
    assert_eq!(valid_now(&world).await, "emergency/1");
}

#[tokio::test]
async fn with_a_larger_threshold_it_says_who_must_still_sign_and_how() {
    let world = World::with_roster().await;
    let keys = world.keys_yaml(2).replace("emergency: {threshold: 1", "emergency: {threshold: 2");
    world.write("alice", "keys2.yaml", &keys);
    world.publish("keys", "keys2.yaml", &["alice", "bob"]).await;
    for number in ["", "-2"] {
        let said = stop(&world, &["--yes"]).await;
        assert_eq!(said.code, 4, "{}", said.err);
        fits(&said.out);
        for words in [
            "plan emergency/1 is signed by you and NOT published".to_owned(),
            "signed by alice; 1 more of bob, carol".to_owned(),
            format!("muster sign emergency-1{number}.draft --key THEIR.pem"),
        ] {
            assert!(said.out.contains(&words), "{words} in {}", said.out);
        }
    }
    assert_eq!(valid_now(&world).await, "none");
    world.carry("alice", "bob", "emergency-1.draft");
    done(&world.sign("bob", "emergency-1.draft").await);
    world.carry("alice", "bob", "emergency-1.key.sig");
    world.carry("alice", "carol", "emergency-1.draft");
    done(&world.sign("carol", "emergency-1.draft").await);
    world.carry("carol", "alice", "emergency-1.key.sig").rename("carol.sig");
    world.carry("bob", "alice", "emergency-1.key.sig");
    let sigs = ["emergency-1.key.sig".to_owned(), "carol.sig".to_owned()];
    done(&world.hand_in("emergency-1.draft", &sigs).await);
    assert_eq!(valid_now(&world).await, "emergency/1");
}

#[tokio::test]
async fn it_is_confirmed_by_the_networks_name_and_then_watched() -> Result<()> {
    let world = World::with_roster().await;
    let args = [&["--dir", "."], &STOP[..], &["--timeout", "1s"]].concat();
    let (muster, home) = (binary("muster")?, world.home("alice"));
    for wrong in ["y", "mainnet", ""] {
        let said = converse(&muster, &args, &home, &[("1 of 3):", wrong)]).await?;
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.out.contains("error[U021]"), "{said:?}");
    }
    assert_eq!(valid_now(&world).await, "none");
    let dialogue = [("1 of 3):", NETWORK), ("Passphrase for key.pem", "correct horse of alice")];
    let said = converse(&muster, &args, &home, &dialogue).await?;
    assert_eq!(said.code, 4, "nobody obeys, and the watch ended: {said:?}");
    assert!(said.out.contains("as plan emergency/1"), "{said:?}");
    assert!(said.out.contains("down       0   of 4"), "{said:?}");
    assert_eq!(valid_now(&world).await, "emergency/1");
    Ok(())
}

#[tokio::test]
async fn of_two_officers_who_fire_at_once_the_second_is_told_of_the_first() {
    let world = World::with_roster().await;
    let go = ["--yes", "--no-watch", "--passphrase-fd", "0"];
    let args = [&STOP[..], &go[..]].concat();
    let slow = world.half_way("alice", &args, "nodes will not obey by themselves").await;
    // Somebody else at the same desk is quicker.
    done(&stop(&world, &["--yes", "--no-watch"]).await);
    let said = slow.goes_on("correct horse of alice\n").await;
    refused(&said, 3, "U051");
    let words = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("emergency/1 was published while this was read: bridge drained"));
    assert!(words.contains("muster watch emergency/1"), "{words}");
    assert_eq!(valid_now(&world).await, "emergency/1");
    assert!(!listing(&world.home("alice")).iter().any(|file| file.starts_with("emergency")));
}
