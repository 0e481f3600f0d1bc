//! What people see of a real fleet: every command, as text within 80 columns and as JSON; and how
//! `watch` ends.

use anyhow::{Context as _, Result};
use muster_proto::rule::Final;
use muster_tests::fleet::process::Said;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::watcher::Watcher;
use muster_tests::fleet::{Fleet, Make};
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::terminal::fits;
use serde_json::Value;

const HOLD: [&str; 6] = ["hold", "2", "--for", "10m", "--reason", "the bridge is busy"];

/// A command, what it names in its JSON, and how it ends while plan 2 is held.
type Screen = (&'static [&'static str], &'static [&'static str], i32);

const SCREENS: [Screen; 7] = [
    (&["fleet"], &["network", "at", "nodes", "seats", "seats_well", "holds", "boards"], 0),
    (&["watch", "2", "--timeout", "1s"], &["plan", "state", "waves", "nodes", "away", "holds"], 4),
    (&["why", "robot-1"], &["node", "plan", "line", "gates", "away", "itself"], 0),
    (&["why", "2"], &["plan", "state", "nodes", "reasons"], 0),
    (&["history"], &["plans", "told_by"], 0),
    (&HOLD, &["plan", "at", "boards"], 0),
    (&["release-hold", "2"], &["plan", "at", "boards"], 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_fits_and_has_its_json_and_watch_ends_with_0_1_and_4() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let hanna = fleet.person("hanna", "watch, hold").await?;
    let bad = Behaviour::version("v2.4.4").scaled(10.0).starting_in(100);
    fleet.release(&bad.with(Defect::CrashAfterBlocks(1))).await?;
    fleet.publish(&Script::upgrade(1, "v2.4.4", 4)).await?;
    shown(&hanna.muster(&["watch", "1"]).await?, 1);
    assert_eq!(fleet.see().await?.ended(1, Final::RolledBack), 1);

    fleet.delegate("robot-1").policy("ask")?;
    let restart = Script::new(2, "restart", 4).of(&["robot-1"]);
    fleet.publish(&restart.with("supersedes: [1]")).await?;
    fleet.until("it asks", |seen| seen.words("robot-1", 2).contains(&"asked")).await?;
    shown(&hanna.muster(&HOLD).await?, 0);
    assert_eq!(fleet.delegate("robot-1").cli(&["approve", "2", "--yes"]).await?.code, 0);
    fleet.until("it is held", |seen| seen.says("robot-1", 2).starts_with("held by")).await?;
    for (command, keys, code) in SCREENS {
        both(&hanna, command, keys, code).await?;
    }

    let said = hanna.muster(&["watch", "2"]).await?;
    shown(&said, 0);
    assert!(said.out.contains("1 of 1"), "{}", said.out);
    assert_eq!(fleet.see().await?.ended(2, Final::Done), 1);
    fleet.end().await
}

/// As text, then as JSON.
async fn both(who: &Watcher, command: &[&str], keys: &[&str], code: i32) -> Result<()> {
    shown(&who.muster(command).await?, code);
    let said = who.muster(&[&["--json"], command].concat()).await?;
    assert_eq!(said.code, code, "{command:?}: {}", said.err);
    let documents = serde_json::Deserializer::from_str(&said.out).into_iter::<Value>();
    let documents = documents.collect::<Result<Vec<_>, _>>().context(said.out.clone())?;
    assert!(!documents.is_empty(), "{command:?} says nothing");
    for document in documents {
        let missing: Vec<_> = keys.iter().filter(|key| document.get(**key).is_none()).collect();
        assert!(missing.is_empty(), "{command:?} does not name {missing:?}: {document}");
    }
    Ok(())
}

#[track_caller]
fn shown(said: &Said, code: i32) {
    assert_eq!(said.code, code, "{}{}", said.out, said.err);
    assert!(!said.out.is_empty(), "nothing is shown: {}", said.err);
    fits(&said.out);
    fits(&said.err);
}
