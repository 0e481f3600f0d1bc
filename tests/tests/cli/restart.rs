//! `muster emergency restart`: one command up to the first signature, then as any plan.

use muster_tests::fleet::process::Said;

use super::kit::{NETWORK, World, done, fits, json, listing, plan_yaml, refused};

const RESTART: [&str; 6] =
    ["emergency", "restart", "--reason", "states differ in memory", "--key", "key.pem"];

async fn restart(world: &World, args: &[&str]) -> Said {
    world.secretly("alice", &[&RESTART[..], args].concat()).await
}

#[tokio::test]
async fn the_first_officer_signs_and_keeps_it_and_the_second_completes_it() {
    let world = World::with_roster().await;
    let said = restart(&world, &["--network", NETWORK, "--at-once", "--yes"]).await;
    assert_eq!(said.code, 4, "it waits for a second signature: {}", said.err);
    fits(&said.out);
    fits(&said.err);
    assert!(said.out.contains("plan hotfix/1 is signed by you and NOT published"), "{}", said.out);
    assert!(said.out.contains("muster publish restart-1.draft"), "{}", said.out);
    assert!(listing(&world.home("alice")).contains(&"restart-1.key.sig".to_owned()));

    // Everybody's key file is called the same here.
    world.carry("alice", "alice", "restart-1.key.sig").rename("first.sig");
    let sigs = world.signed("restart-1.draft", &["carol"]).await;
    let all = [&["first.sig".to_owned()], &sigs[..]].concat();
    done(&world.hand_in("restart-1.draft", &all).await);
    let history = world.muster("bob", &["history"]).await;
    done(&history);
    assert!(history.out.contains("restart  states differ in"), "{}", history.out);
}

#[tokio::test]
async fn a_dry_run_shows_the_order_within_its_budget_and_neither_signs_nor_sends() {
    let world = World::with_roster().await;
    let before = listing(&world.home("alice"));
    let said = world.muster("alice", &[&RESTART[..], &["--dry-run"]].concat()).await;
    done(&said);
    fits(&said.out);
    let words = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("one by one, at most 1 seat away at any time (4 active)"), "{words}");
    assert!(words.contains("Nothing was signed and nothing was sent"), "{words}");
    assert_eq!(listing(&world.home("alice")), before);
    let some = ["--nodes", "node-4,node-2", "--at-once", "--dry-run"];
    let said = json(&world.muster("alice", &[&["--json"], &RESTART[..], &some].concat()).await);
    assert_eq!(
        (said["plan"].as_str(), said["state"].as_str()),
        (Some("hotfix/1"), Some("dry-run"))
    );
    let plan = said["shown"]["document"]["plan"].to_string();
    assert!(plan.find("node-4") < plan.find("node-2") && plan.contains("node-2"), "{plan}");
}

#[tokio::test]
async fn it_is_linted_as_any_plan_and_names_what_it_supersedes() {
    let world = World::with_roster().await;
    refused(&restart(&world, &["--network", "mainnet", "--yes"]).await, 2, "U050");
    refused(&restart(&world, &["--nodes", "node-9", "--yes"]).await, 2, "U012");
    // Two of four away leave no quorum.
    refused(&restart(&world, &["--down", "2", "--yes"]).await, 3, "P014");
    world.write("alice", "plan.yaml", &plan_yaml(1));
    world.publish("plan", "plan.yaml", &["alice", "carol"]).await;
    refused(&restart(&world, &["--yes"]).await, 3, "P007");
    let said = restart(&world, &["--supersedes", "1", "--yes"]).await;
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.out.contains("plan hotfix/2 is signed by you"), "{}", said.out);
}
