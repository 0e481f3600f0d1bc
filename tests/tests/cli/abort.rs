//! `muster abort`: one command and one key from the reason to the board.

use anyhow::Result;
use muster_tests::fleet::process::{Said, binary};
use muster_tests::terminal::converse;

use super::kit::{NETWORK, World, done, fits, json, listing, refused};

const ABORT: [&str; 6] =
    ["abort", "1", "--reason", "the canary lost its peers", "--key", "key.pem"];

async fn abort(world: &World, args: &[&str]) -> Said {
    world.secretly("alice", &[&ABORT[..], args].concat()).await
}

#[tokio::test]
async fn one_command_ends_a_plan_and_says_what_becomes_of_everybody() {
    let world = World::with_plan().await;
    let said = abort(&world, &["--yes", "--no-watch"]).await;
    done(&said);
    fits(&said.out);
    fits(&said.err);
    let preview = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["This ends plan hotfix/1 for good", "they have not begun, and never will"] {
        assert!(preview.contains(words), "{words} in {preview}");
    }
    assert!(said.out.contains("aborted hotfix/1"), "{}", said.out);
    let why = world.muster("bob", &["why", "1"]).await;
    assert!(why.out.contains("the canary lost its peers"), "{}", why.out);
    // Once is enough.
    refused(&abort(&world, &["--yes", "--no-watch"]).await, 3, "T088");
}

#[tokio::test]
async fn a_dry_run_shows_it_and_neither_asks_nor_signs_nor_sends() {
    let world = World::with_plan().await;
    let before = listing(&world.home("alice"));
    let dry = ["abort", "1", "--reason", "enough", "--dry-run"];
    let said = world.muster("alice", &dry).await;
    done(&said);
    fits(&said.out);
    assert!(said.out.contains("Nothing was signed and nothing was sent"), "{}", said.out);
    assert!(said.out.contains("abort: 1 of 3 must sign"), "{}", said.out);
    assert_eq!(listing(&world.home("alice")), before);
    let said = json(&world.muster("alice", &[&["--json"], &dry[..]].concat()).await);
    assert_eq!(
        (said["plan"].as_str(), said["state"].as_str()),
        (Some("hotfix/1"), Some("dry-run"))
    );
    assert_eq!(said["preview"]["never"].as_array().map(Vec::len), Some(4), "{said}");
}

#[tokio::test]
async fn several_officers_sign_a_draft_of_it_as_of_anything_else() {
    let world = World::with_plan().await;
    let draft = ["abort", "1", "--reason", "enough", "-o", "abort.draft"];
    done(&world.muster("alice", &draft).await);
    world.carry("alice", "bob", "abort.draft");
    let inspected = world.muster("bob", &["inspect", "abort.draft"]).await;
    done(&inspected);
    fits(&inspected.out);
    let words = inspected.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Abort of plan hotfix/1"), "{words}");
    assert!(words.contains("reason enough"), "{words}");
    let sigs = world.signed("abort.draft", &["bob"]).await;
    done(&world.hand_in("abort.draft", &sigs).await);
    refused(&abort(&world, &["--yes", "--no-watch"]).await, 3, "T088");
}

#[tokio::test]
async fn what_cannot_be_aborted_is_refused_and_nothing_changes() {
    let world = World::with_plan().await;
    let go = ["--yes", "--no-watch"];
    let with = |plan: &'static str, reason: &'static str| {
        [&["abort", plan, "--reason", reason, "--key", "key.pem"], &go[..]].concat()
    };
    refused(&world.secretly("alice", &with("9", "x")).await, 2, "U010");
    refused(&world.secretly("alice", &with("1", " ")).await, 2, "U007");
    refused(&world.secretly("alice", &with("1", "two\nlines")).await, 2, "U007");
    // Nobody is asked without a terminal.
    refused(&abort(&world, &["--no-watch"]).await, 2, "U020");
    let made = ["key", "new", "--name", "dave", "-o", "dave.pem"];
    done(&world.secretly("alice", &made).await);
    let dave = ["abort", "1", "--reason", "x", "--key", "dave.pem", "--yes", "--no-watch"];
    refused(&world.secretly("alice", &dave).await, 3, "T083");
    // Bob has a key of the role, and no right to publish: what he signed is kept.
    let bob = world.secretly("bob", &[&ABORT[..], &go[..]].concat()).await;
    assert_eq!(bob.code, 3, "{}", bob.err);
    let kept = listing(&world.home("bob"));
    assert!(kept.contains(&"abort-hotfix-1.draft".to_owned()), "{kept:?}");
    assert!(kept.contains(&"abort-hotfix-1.key.sig".to_owned()), "{kept:?}");
}

#[tokio::test]
async fn it_is_confirmed_by_the_networks_name_and_then_watched_to_its_end() -> Result<()> {
    let world = World::with_plan().await;
    let args = [&["--dir", "."], &ABORT[..]].concat();
    let (muster, home) = (binary("muster")?, world.home("alice"));
    let asks = "to abort hotfix/1:";
    for wrong in ["y", "mainnet", ""] {
        let said = converse(&muster, &args, &home, &[(asks, wrong)]).await?;
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.out.contains("error[U021]"), "{said:?}");
    }
    let dialogue = [(asks, NETWORK), ("Passphrase for key.pem", "correct horse of alice")];
    let said = converse(&muster, &args, &home, &dialogue).await?;
    assert_eq!(said.code, 0, "nobody was in the middle: {said:?}");
    assert!(said.out.contains("aborted hotfix/1"), "{said:?}");
    assert!(said.out.contains("ABORTED"), "{said:?}");
    Ok(())
}
