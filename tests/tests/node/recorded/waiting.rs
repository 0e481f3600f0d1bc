//! Nodes that wait for peers or find no data, from the second round of failures.

use std::collections::BTreeSet;

use anyhow::Result;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::{Home, Place, Spec};
use muster_tests::node::process::{Process, loopback};
use muster_tests::referee::{Referee, Setup};
use serde_json::Value;

use super::log::{Line, lines};
use super::metrics::page;
use super::{PATIENCE, joined, json};

fn behaviour() -> Behaviour {
    Behaviour::version("v2.4.4").scaled(20.0).starting_in(50)
}

/// The series that were asked for, those that are there.
fn heartbeat(page: &str) -> BTreeSet<String> {
    let wanted = ["consensus_height", "blockchainHeight", "targetHeight", "numConnectedPeers"];
    let lines = page.lines().filter(|l| l.starts_with("iotex_"));
    let lines = lines.filter(|line| wanted.iter().any(|name| line.contains(name)));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// The same as it was recorded.
fn recorded_heartbeat(case: &Value) -> BTreeSet<String> {
    heartbeat(&joined(&case["probes"]["heartbeat"]))
}

/// `HTTP/1.1 503 Service Unavailable` → 503.
fn status(case: &Value, path: &str) -> u16 {
    let line = case["probes"][path].as_str().unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Starts a node with these bootstrap peers and waits until it shows what was recorded of the case.
async fn shows(number: u8, bootstrap: Vec<String>, case: &Value) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let ip = loopback(number, 1);
    let home = Home::lay_out(folder.path(), &Spec::new(1, ip, bootstrap), Place::Process(ip))?;
    let mut node = Process::start(&home, &behaviour(), ip)?;
    let wanted = recorded_heartbeat(case);
    node.until(PATIENCE, async |n| heartbeat(&page(n).await) == wanted).await?;
    for path in ["/liveness", "/readiness"] {
        assert_eq!(node.status(path).await, status(case, path), "{path}");
    }
    assert!(node.runs() && case["state"].as_str().unwrap().contains("status=running"));
    Ok(node.output())
}

/// The errors of a log, each once.
fn errors(log: &str) -> BTreeSet<Line> {
    let errors = lines(log).into_iter().filter(|line| line.level == "error");
    // Of recorded lines that are long only the beginning was kept.
    errors.map(|line| Line { fields: Vec::new(), ..line }).collect()
}

#[tokio::test]
async fn who_reaches_too_few_bootstrap_peers_shows_and_says_what_was_recorded() -> Result<()> {
    let cases = json("failures-2.json");
    let dead = |n| format!("{}:4689", loopback(10, n));
    let referee = Referee::start(Setup {
        seats: vec![Spec::new(1, loopback(10, 1), vec![]).address()],
        timing: behaviour().timing(),
        p2p: (loopback(10, 250), 4_689).into(),
        api: ([127, 0, 0, 1], 0).into(),
    })
    .await?;
    let reached = referee.p2p().to_string();
    for (case, peers) in
        [("half", vec![reached, dead(98), dead(99)]), ("bootdown2", vec![dead(99)])]
    {
        let said = shows(10, peers, &cases[case]).await?;
        assert_eq!(errors(&said), errors(&joined(&cases[case]["first_bad_lines"])), "{case}");
        assert!(!said.contains("Server is ready."));
    }
    Ok(())
}

#[tokio::test]
async fn without_bootstrap_peers_a_node_is_ready_alone() -> Result<()> {
    let said = shows(11, Vec::new(), &json("failures-2.json")["control2"]).await?;
    assert!(said.contains("Server is ready."));
    Ok(())
}

#[tokio::test]
async fn without_data_it_ends_with_the_recorded_words() -> Result<()> {
    let case = &json("failures-2.json")["rodata2"];
    let folder = tempfile::tempdir()?;
    let ip = loopback(12, 1);
    let home = Home::lay_out(folder.path(), &Spec::new(1, ip, vec![]), Place::Process(ip))?;
    // Root may write where it pleases, but not into a folder.
    std::fs::create_dir(home.data().join("chain.db"))?;
    let mut node = Process::start(&home, &behaviour(), ip)?;
    let exit = node.exit(PATIENCE).await?.code();
    let state = case["state"].as_str().unwrap();
    assert!(state.ends_with(&format!("exit={}", exit.unwrap())), "{exit:?} {state}");
    let plain = |log: &str| -> Vec<Line> {
        let all = lines(log).into_iter().map(|line| Line { fields: Vec::new(), ..line });
        all.skip_while(|line| line.caller != "server/main.go:123").collect()
    };
    assert_eq!(plain(&node.output()), plain(&joined(&case["log"])));
    Ok(())
}
