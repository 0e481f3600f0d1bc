//! The admin port from within the container and from outside: what `wget` shows, and who cannot reach it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::RestartContainerOptionsBuilder;
use futures::StreamExt as _;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::http;
use muster_tests::referee::report::Report;
use serde_json::Value;

use super::PATIENCE;
use super::lab::{Lab, within};
use crate::recorded::json;

/// What was recorded, and how it is asked for.
const ASKED: [(&str, &str); 13] = [
    ("GET /", "/"),
    ("GET /ha", "/ha"),
    ("GET /producer-keys", "/producer-keys"),
    ("GET /logging/global", "/logging/global"),
    ("GET /nope", "/nope"),
    ("ha before", "/ha"),
    ("ha deactivate ix-1", "/ha?activate=false"),
    ("ha after", "/ha"),
    ("POST /ha?activate=true", "/ha?activate=true"),
    ("/ha?activate=maybe", "/ha?activate=maybe"),
    ("ha before", "/ha"),
    ("pause ix-1", "/pause"),
    ("unpause", "/unpause"),
];

/// What `wget -S -O -` prints in the container, stderr and then stdout.
async fn wget(lab: &Lab, id: &str, path: &str, post: bool) -> Result<String> {
    let url = format!("http://127.0.0.1:9009{path}");
    let mut command = vec!["wget", "-S", "-O", "-"];
    command.extend(post.then_some("--post-data="));
    command.push(&url);
    let config = ExecConfig {
        cmd: Some(command.into_iter().map(str::to_owned).collect()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let exec = lab.docker.create_exec(id, config).await?;
    let started = lab.docker.start_exec(&exec.id, None::<StartExecOptions>).await?;
    let StartExecResults::Attached { mut output, .. } = started else { bail!("not attached") };
    let (mut said, mut body) = (String::new(), String::new());
    while let Some(piece) = output.next().await {
        match piece? {
            piece @ LogOutput::StdErr { .. } => said.push_str(&piece.to_string()),
            piece => body.push_str(&piece.to_string()),
        }
    }
    Ok(said + &body)
}

/// The lines without the moment and the bar that shows progress; stdout and stderr come in any order.
fn neutral(shown: &str) -> BTreeSet<String> {
    let body = |line: &str| line.find("{\"").map(|at| line[at..].to_owned());
    let bar = |line: &str| line.starts_with('-') && line.contains("100%");
    let lines = shown.lines().filter_map(|line| match body(line) {
        Some(body) => Some(body),
        None if bar(line) => None,
        None if line.trim_start().starts_with("Date: ") => Some("Date".to_owned()),
        None => Some(line.trim().to_owned()),
    });
    lines.filter(|line| !line.is_empty()).collect()
}

/// Waits for blocks after this moment.
async fn advances(lab: &Lab, blocks: usize) -> Result<()> {
    let mark = lab.referee.report(u64::MAX).now_ms;
    let more = |r: &Report| r.blocks.len() >= blocks;
    lab.referee.client().until(mark, PATIENCE, more).await.context("it stands still").map(|_| ())
}

#[tokio::test]
async fn wget_in_the_container_shows_what_was_recorded_and_nobody_else_reaches_the_port()
-> Result<()> {
    let recorded = json("admin-port.json");
    let behaviour = Behaviour::version("v2.4.4").scaled(10.0).starting_in(50);
    within("admin", behaviour, async |lab| {
        let id = lab.start("node", &lab.home("home")?, 10).await?;
        advances(lab, 1).await?;
        for (case, path) in ASKED {
            let shown = wget(lab, &id, path, case.starts_with("POST")).await?;
            let theirs = recorded[case].as_str().unwrap();
            assert_eq!(neutral(&shown), neutral(theirs), "{case}");
        }
        refused_outside(lab, &recorded["from the docker host to the container address"]).await;

        wget(lab, &id, "/pause", false).await?;
        let paused = |r: &Report| r.seats[0].paused;
        lab.referee.client().until(0, PATIENCE, paused).await.context("not paused")?;
        let mark = lab.referee.report(u64::MAX).now_ms;
        let passed = |r: &Report| r.now_ms >= mark + 6 * r.interval_ms;
        let report = lab.referee.client().until(mark, PATIENCE, passed).await?;
        assert!(report.blocks.len() <= 1, "one may have been certain before");
        let patience = RestartContainerOptionsBuilder::new().t(20).build();
        lab.docker.restart_container(&id, Some(patience)).await?;
        advances(lab, 3).await.context("a pause is lost at a restart")
    })
    .await
}

/// `http=000 err=7`: no connection.
async fn refused_outside(lab: &Lab, recorded: &Value) {
    assert_eq!(recorded, "http=000 err=7");
    let place = (lab.network.address(10), 9_009).into();
    let refused = http::get(place, "/ha").await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
