//! The one flow from key to board, with officers in different places and a real controller.

use super::kit::{World, done, fits, json, listing, plan_yaml, refused};

#[tokio::test]
async fn three_officers_carry_a_plan_from_their_keys_to_the_board() {
    let world = World::with_plan().await;
    let fleet = world.muster("bob", &["fleet"]).await;
    done(&fleet);
    fits(&fleet.out);
    assert!(fleet.out.contains("valid now: hotfix/1"), "{}", fleet.out);
    let shown = json(&world.muster("bob", &["--json", "fleet"]).await);
    assert_eq!(shown["seats"], 4);
    let inspected = world.muster("bob", &["inspect", "../alice/plan.yaml.draft"]).await;
    // Bob has seen the plan on the board by now: its serial is taken.
    refused(&inspected, 3, "T078");
    let why = world.muster("bob", &["why", "node-1"]).await;
    done(&why);
    fits(&why.out);
    assert!(why.out.starts_with("node-1 is away: no beacon yet"), "{}", why.out);
    let history = json(&world.muster("bob", &["--json", "history"]).await);
    assert_eq!(history["plans"][0]["ended"]["silent"], 4);
    assert_eq!(history["plans"][0]["verified"], true);
}

#[tokio::test]
async fn what_is_printed_at_freezing_is_what_the_signer_derives_anew() {
    let world = World::with_roster().await;
    world.write("alice", "plan.yaml", &plan_yaml(1));
    let frozen = ["--json", "plan", "freeze", "plan.yaml", "-o", "1.draft"];
    let frozen = json(&world.muster("alice", &frozen).await);
    world.carry("alice", "carol", "1.draft");
    let read = json(&world.muster("carol", &["--json", "inspect", "1.draft"]).await);
    assert_eq!(frozen["document"], read["document"]);
    let order = read["document"]["plan"]["waves"].to_string();
    assert!(order.contains(r#"["node-1","node-2","node-4"]"#), "{order}");
    let signed = world.secretly("carol", &["sign", "1.draft", "--key", "key.pem", "--yes"]).await;
    done(&signed);
    fits(&signed.err);
    assert!(signed.err.contains("at most 1 seat away at any time"), "{}", signed.err);
}

#[tokio::test]
async fn too_few_signatures_wait_and_say_whose_are_missing() {
    let world = World::with_roster().await;
    world.write("alice", "plan.yaml", &plan_yaml(1));
    done(&world.muster("alice", &["plan", "freeze", "plan.yaml", "-o", "1.draft"]).await);
    let sigs = world.signed("1.draft", &["bob"]).await;
    let said = world.hand_in("1.draft", &sigs).await;
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.out.contains("signed by bob; 1 more of alice, carol"), "{}", said.out);
    let fleet = world.muster("alice", &["fleet"]).await;
    assert!(fleet.out.contains("valid now: none"), "{}", fleet.out);
}

#[tokio::test]
async fn a_dry_run_verifies_everything_and_sends_nothing() {
    let world = World::with_roster().await;
    world.write("alice", "plan.yaml", &plan_yaml(1));
    let freeze = ["plan", "freeze", "plan.yaml", "-o", "1.draft"];
    done(&world.muster("alice", &[&freeze[..], &["--dry-run"]].concat()).await);
    assert!(!listing(&world.home("alice")).contains(&"1.draft".to_owned()));
    done(&world.muster("alice", &freeze).await);
    let sigs = world.signed("1.draft", &["alice", "bob"]).await;
    let args = ["--json", "publish", "1.draft", &sigs[0], &sigs[1], "--dry-run"];
    assert_eq!(json(&world.muster("alice", &args).await)["state"], "complete");
    let fleet = world.muster("alice", &["fleet"]).await;
    assert!(fleet.out.contains("valid now: none"), "{}", fleet.out);
}

#[tokio::test]
async fn a_new_root_needs_the_old_threshold_and_its_own() {
    let world = World::founded().await;
    let yaml = world.read("alice", "root.yaml").replace("threshold: 2", "threshold: 3");
    world.write("alice", "root2.yaml", &yaml);
    done(&world.muster("alice", &["root", "freeze", "root2.yaml", "-o", "2.draft"]).await);
    let two = world.signed("2.draft", &["alice", "bob"]).await;
    let said = world.hand_in("2.draft", &two).await;
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.out.contains("root 1: 2 of 3 must sign; signed by alice, bob; complete"));
    let three = [two, world.signed("2.draft", &["carol"]).await].concat();
    done(&world.hand_in("2.draft", &three).await);
    // Everybody follows the chain of roots from the one that he pinned.
    let fleet = world.muster("bob", &["fleet"]).await;
    refused(&fleet, 4, "U013");
    let again = world.muster("alice", &["root", "freeze", "root2.yaml", "-o", "3.draft"]).await;
    done(&again);
    assert!(again.out.contains("signs     root 3"), "{}", again.out);
}
