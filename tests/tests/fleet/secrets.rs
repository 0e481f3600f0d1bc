//! A node's secrets stay on its host: whatever Muster writes, says and keeps is searched for the
//! operators' keys and for every secret planted in the nodes' configuration and environment, in
//! every usual writing. Before that a release fails, and a node quotes its own secrets in an error.

use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use muster_proto::rule::Final;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::watcher::Watcher;
use muster_tests::fleet::{Fleet, Make, planted};
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::node::key::test_key;

/// What the node says of a value that is no number.
const QUOTED: &str = "cannot unmarshal";

/// A secret as it might be written.
fn writings(secret: &str) -> Vec<Vec<u8>> {
    let raw = hex::decode(secret).unwrap_or_else(|_| secret.into());
    let text = [
        secret.to_owned(),
        secret.to_uppercase(),
        hex::encode(secret),
        STANDARD.encode(secret),
        STANDARD.encode(&raw),
        URL_SAFE_NO_PAD.encode(&raw),
    ];
    text.map(String::into_bytes).into_iter().chain([raw]).collect()
}

/// Every secret of every node in every writing.
fn secrets() -> Vec<Vec<u8>> {
    let keys = (0..4).map(test_key).flat_map(|key| writings(&key));
    keys.chain(planted::ALL.iter().flat_map(|secret| writings(secret))).collect()
}

fn holds(bytes: &[u8], wanted: &[Vec<u8>]) -> bool {
    wanted.iter().any(|one| bytes.windows(one.len()).any(|window| window == one.as_slice()))
}

/// Files below `dir` that hold one of them.
fn found_below(dir: &Path, wanted: &[Vec<u8>]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_dir() {
            found.extend(found_below(&path, wanted)?);
        } else if kind.is_file() && holds(&std::fs::read(&path)?, wanted) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

/// Arguments and environment of a process.
fn of_process(pid: u32) -> Result<Vec<u8>> {
    let read = |what| std::fs::read(format!("/proc/{pid}/{what}"));
    Ok([read("cmdline")?, read("environ")?].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_a_node_are_in_nothing_that_muster_writes() -> Result<()> {
    let mut fleet = Fleet::up(Make::quick(4)).await?;
    let watcher = fleet.person("wendy", "watch, hold").await?;
    a_release_fails(&mut fleet).await?;
    a_node_quotes_its_secrets(&mut fleet).await?;

    let wanted = secrets();
    the_search_finds_what_is_there(&mut fleet, &wanted).await?;
    nothing_on_hosts(&fleet, &wanted).await?;
    for board in &fleet.boards {
        assert_eq!(found_below(&board.dir, &wanted)?, Vec::<String>::new());
        let pid = board.pid().context("the controller runs")?;
        assert!(!holds(&of_process(pid)?, &wanted), "arguments of the controller");
    }
    nothing_on_screens(&watcher, &wanted).await?;
    let seen = fleet.see().await?;
    for (node, serial) in [("robot-1", 1), ("robot-2", 2)] {
        let receipts = format!("{:?} {:?}", seen.receipts(node, serial), seen.beacon(node));
        assert!(receipts.contains("Failed") && !holds(receipts.as_bytes(), &wanted));
    }
    fleet.end().await
}

/// An upgrade whose canary crashes and is rolled back.
async fn a_release_fails(fleet: &mut Fleet) -> Result<()> {
    let bad = Behaviour::version("v2.4.4").scaled(10.0).starting_in(100);
    fleet.release(&bad.with(Defect::CrashAfterBlocks(1))).await?;
    fleet.officers.publish_plan(&Script::upgrade(1, "v2.4.4", 4).yaml()).await?;
    fleet.until("the canary is back", |seen| seen.ended(1, Final::RolledBack) == 1).await
}

/// A restart after a slip in `config.yaml`: the node refuses the file and quotes what is in it, and
/// the agent shows the end of the node's log.
async fn a_node_quotes_its_secrets(fleet: &mut Fleet) -> Result<()> {
    let robot = fleet.delegate("robot-2");
    let (config, log) = (robot.home.config(), robot.dir.join("agent.log"));
    std::fs::write(&config, planted::slipped(&std::fs::read_to_string(&config)?))?;
    let restart = Script::new(2, "restart", 4).of(&["robot-2"]).with("supersedes: [1]");
    fleet.publish(&restart).await?;
    let quoted = || std::fs::read_to_string(&log).unwrap_or_default();
    fleet
        .until("the agent of robot-2 shows why its node does not start", |seen| {
            seen.words("robot-2", 2).contains(&"failed") && quoted().contains(QUOTED)
        })
        .await?;
    let hidden = quoted().lines().filter(|line| line.contains(QUOTED)).count();
    let secrets = planted::ALL.len() - 1;
    assert!(hidden >= secrets && quoted().contains("[redacted]"), "{hidden} of {secrets} lines");
    Ok(())
}

/// In the node's own configuration, in its container, and in what it printed.
async fn the_search_finds_what_is_there(fleet: &mut Fleet, wanted: &[Vec<u8>]) -> Result<()> {
    let robot = fleet.delegate("robot-1");
    let config = std::fs::read(robot.home.config())?;
    for secret in planted::ALL.iter().skip(1).map(ToString::to_string).chain([test_key(0)]) {
        assert!(holds(&config, &writings(&secret)), "{secret} is not planted");
    }
    let container = robot.container.clone();
    let inspected = fleet.docker.inspect_container(&container, None).await?;
    assert!(holds(format!("{:?}", inspected.config).as_bytes(), wanted));
    Ok(())
}

/// Journals, logs, trust, enrolments, configurations; arguments; what the delegate's own command
/// line says.
async fn nothing_on_hosts(fleet: &Fleet, wanted: &[Vec<u8>]) -> Result<()> {
    for delegate in &fleet.delegates {
        let journal = found_below(&delegate.dir, &[delegate.name.clone().into_bytes()])?;
        assert!(journal.iter().any(|file| file.contains("journal")), "searched: {journal:?}");
        assert_eq!(found_below(&delegate.dir, wanted)?, Vec::<String>::new());
        let pid = delegate.pid().context("the agent runs")?;
        assert!(!holds(&of_process(pid)?, wanted), "arguments of {}", delegate.name);
        for command in [&["status"][..], &["log"], &["pending"], &["--json", "status"]] {
            let said = delegate.cli(command).await?;
            let text = said.out + &said.err;
            assert!(!text.is_empty() && !holds(text.as_bytes(), wanted), "{command:?}: {text}");
        }
    }
    Ok(())
}

/// What `muster` shows, and what it keeps.
async fn nothing_on_screens(watcher: &Watcher, wanted: &[Vec<u8>]) -> Result<()> {
    let commands: [&[&str]; 17] = [
        &["hold", "2", "--for", "10m", "--reason", "a node does not start"],
        &["--json", "hold", "2", "--for", "10m", "--reason", "a node does not start"],
        &["fleet"],
        &["--json", "fleet"],
        &["watch", "1", "--lines"],
        &["--json", "watch", "1"],
        &["watch", "2", "--timeout", "1s"],
        &["why", "robot-2"],
        &["--json", "why", "robot-2"],
        &["why", "2"],
        &["--json", "why", "2"],
        &["history"],
        &["--json", "history"],
        &["release-hold", "2"],
        &["log", "robot-1"],
        &["log", "robot-2"],
        &["--json", "log", "robot-2"],
    ];
    for command in commands {
        let said = watcher.muster(command).await?;
        assert!(!said.out.is_empty(), "{command:?}: {}", said.err);
        let text = said.out + &said.err;
        assert!(!holds(text.as_bytes(), wanted), "{command:?}: {text}");
    }
    assert_eq!(found_below(watcher.home(), wanted)?, Vec::<String>::new());
    Ok(())
}
