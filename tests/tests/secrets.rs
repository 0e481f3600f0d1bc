//! A node's secrets stay on its host: whatever Muster writes, says and keeps is searched for the
//! operator's key and for a secret of the container's environment, in every usual writing.

use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use muster_proto::rule::Final;
use muster_tests::fleet::script::Script;
use muster_tests::fleet::{Fleet, Make, PLANTED};
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::node::key::test_key;

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
    let bad = Behaviour::version("v2.4.4").scaled(10.0).starting_in(100);
    fleet.release(&bad.with(Defect::CrashAfterBlocks(1))).await?;
    fleet.officers.publish_plan(&Script::upgrade(1, "v2.4.4", 4).yaml()).await?;
    fleet.until("the canary is back", |seen| seen.ended(1, Final::RolledBack) == 1).await?;

    let keys = (0..4).map(test_key).flat_map(|key| writings(&key));
    let wanted: Vec<_> = keys.chain(writings(PLANTED)).collect();
    // The search finds what is there: in the node's own configuration, and in its container.
    let robot = fleet.delegate("robot-1");
    assert!(holds(&std::fs::read(robot.home.config())?, &wanted));
    let container = robot.container.clone();
    let inspected = fleet.docker.inspect_container(&container, None).await?;
    assert!(holds(format!("{:?}", inspected.config).as_bytes(), &wanted));

    for delegate in &fleet.delegates {
        let journal = found_below(&delegate.dir, &[delegate.name.clone().into_bytes()])?;
        assert!(journal.iter().any(|file| file.contains("journal")), "searched: {journal:?}");
        assert_eq!(found_below(&delegate.dir, &wanted)?, Vec::<String>::new());
        let pid = delegate.pid().context("the agent runs")?;
        assert!(!holds(&of_process(pid)?, &wanted), "arguments of {}", delegate.name);
        for command in [&["status"][..], &["log"], &["pending"], &["--json", "status"]] {
            let said = delegate.cli(command).await?;
            let text = said.out + &said.err;
            assert!(!text.is_empty() && !holds(text.as_bytes(), &wanted), "{command:?}: {text}");
        }
    }
    for board in &fleet.boards {
        assert_eq!(found_below(&board.dir, &wanted)?, Vec::<String>::new());
        let pid = board.pid().context("the controller runs")?;
        assert!(!holds(&of_process(pid)?, &wanted), "arguments of the controller");
    }
    let seen = fleet.see().await?;
    let receipts = format!("{:?}", seen.receipts("robot-1", 1));
    assert!(receipts.contains("Failed") && !holds(receipts.as_bytes(), &wanted));
    fleet.end().await
}
