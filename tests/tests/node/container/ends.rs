//! Stopping and starting a container: exit codes, what the probes say meanwhile, what is logged, who brings it back.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bollard::query_parameters::{
    KillContainerOptionsBuilder, RestartContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::Home;
use muster_tests::node::http;
use serde_json::Value;
use tokio::time::timeout;

use super::PATIENCE;
use super::lab::{Lab, state, within};
use crate::recorded::log::steps;
use crate::recorded::{joined, json};

/// Between two looks at the probes.
const LOOK: Duration = Duration::from_millis(5);

/// A container that is gone answers nothing at all.
const SILENT: Duration = Duration::from_millis(200);

/// Statuses of liveness and readiness; 0 when nobody answers.
type Probes = (u64, u64);

async fn get(probe: SocketAddr, path: &str) -> (u64, String) {
    let (status, body) = match timeout(SILENT, http::get(probe, path)).await {
        Ok(Ok(answer)) => answer,
        _ => (0, String::new()),
    };
    (status.into(), body)
}

/// What the probes say from now on until nobody answers.
async fn until_silent(probe: SocketAddr) -> Vec<Probes> {
    let mut seen = Vec::new();
    let mut pace = tokio::time::interval(LOOK);
    while seen.last() != Some(&(0, 0)) {
        pace.tick().await;
        seen.push((get(probe, "/liveness").await.0, get(probe, "/readiness").await.0));
    }
    seen
}

/// From the last time that all was well: a look during which it closed, and a hiccup before, left out.
fn going(mut seen: Vec<Probes>) -> Vec<Probes> {
    seen.retain(|(live, ready)| (*live == 0) == (*ready == 0));
    seen.dedup();
    let well = seen.iter().rposition(|probes| *probes == (200, 200)).unwrap();
    seen.split_off(well)
}

/// The same as recorded: rows of seconds, liveness, readiness.
fn recorded_going(case: &Value) -> Vec<Probes> {
    let rows = case["probes_during_stop"].as_array().unwrap().iter();
    going(rows.map(|row| (row[1].as_u64().unwrap(), row[2].as_u64().unwrap())).collect())
}

/// What the three paths say from the start on until it is ready: each path with status and body.
async fn coming(probe: SocketAddr) -> Vec<(String, u64, String)> {
    let mut seen = Vec::new();
    let mut pace = tokio::time::interval(LOOK * 4);
    loop {
        pace.tick().await;
        for path in ["/liveness", "/readiness", "/health"] {
            let (status, body) = get(probe, path).await;
            seen.push((path.to_owned(), status, body));
        }
        if seen[seen.len() - 3..].iter().all(|(_, status, _)| *status == 200) {
            return seen;
        }
    }
}

/// How a path comes up: its answers in order, each once. While old blocks are applied and while the data opens
/// readiness fails; who looks less often does not see it.
fn path(seen: &[(String, u64, String)], path: &str) -> Vec<(u64, String)> {
    let own = seen.iter().filter(|(name, ..)| name == path);
    let mut own: Vec<_> = own.map(|(_, status, body)| (*status, body.clone())).collect();
    assert!(own.iter().all(|(status, body)| *status != 503 || body == "FAIL"), "{own:?}");
    own.retain(|(status, _)| *status != 503);
    own.dedup();
    own
}

/// The same as recorded, where a body of nobody is the client's own error.
fn recorded_coming(watched: &Value) -> Vec<(String, u64, String)> {
    let rows = watched["seq"].as_array().unwrap().iter();
    let row = |row: &Value| {
        let status = row[2].as_u64().unwrap();
        let body = if status == 0 { "" } else { row[3].as_str().unwrap() };
        (row[1].as_str().unwrap().to_owned(), status, body.to_owned())
    };
    rows.map(row).collect()
}

fn assert_came(ours: &[(String, u64, String)], watched: &Value) {
    let recorded = recorded_coming(watched);
    for name in ["/liveness", "/readiness", "/health"] {
        assert_eq!(path(ours, name), path(&recorded, name), "{name}");
    }
}

/// How a recording was made to stop.
#[derive(Clone, Copy)]
enum Stop {
    /// `docker stop`
    Docker,
    /// `docker kill -s`
    Kill(&'static str),
}

async fn stop(lab: &Lab, id: &str, how: Stop) -> Result<()> {
    match how {
        Stop::Docker => {
            let patience = StopContainerOptionsBuilder::new().t(60).build();
            lab.docker.stop_container(id, Some(patience)).await?;
        }
        Stop::Kill(signal) => {
            let options = KillContainerOptionsBuilder::new().signal(signal).build();
            lab.docker.kill_container(id, Some(options)).await?;
            super::end(&lab.docker, id).await?;
        }
    }
    Ok(())
}

/// One stop and one start, compared with each of `cases`.
async fn ends(lab: &Lab, id: &str, home: &Home, how: Stop, cases: &[Value]) -> Result<()> {
    let probe = (lab.network.address(10), 8_080).into();
    // Right after a block, so that it has most of a round to leave.
    lab.next_block().await?;
    let log = || std::fs::read_to_string(home.log().join("s.log"));
    let before = log()?.len();
    let watching = tokio::spawn(until_silent(probe));
    let well = async { while get(probe, "/readiness").await.0 != 200 {} };
    timeout(PATIENCE, well).await.context("it is not ready")?;
    stop(lab, id, how).await?;
    let seen = going(timeout(PATIENCE, watching).await??);
    let (state, said) = (state(&lab.inspect(id).await?)?, log()?[before..].to_owned());
    lab.docker.start_container(id, None).await?;
    let came = timeout(PATIENCE, coming(probe)).await.context("it does not come back")?;
    for case in cases {
        assert_eq!(state, case["exit"].as_str().unwrap());
        assert_eq!(seen, recorded_going(case));
        assert_eq!(steps(&said), steps(&joined(&case["log_tail"])), "{said}");
        assert_came(&came, &case["restart"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_goes_and_comes_back_as_recorded_under_each_signal() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(2.5);
    within("ends", behaviour, async |lab| {
        let home = lab.home("home")?;
        let id = lab.start("node", &home, 10).await?;
        let terms = json("stop-sigterm-producing.json");
        ends(lab, &id, &home, Stop::Docker, terms.as_array().unwrap()).await?;
        ends(lab, &id, &home, Stop::Kill("INT"), &[json("sigint.json")]).await?;
        ends(lab, &id, &home, Stop::Kill("KILL"), &[json("sigkill.json")]).await?;

        lab.next_block().await?;
        let patience = RestartContainerOptionsBuilder::new().t(60).build();
        lab.docker.restart_container(&id, Some(patience)).await?;
        let probe = (lab.network.address(10), 8_080).into();
        let came = timeout(PATIENCE, coming(probe)).await.context("it does not come back")?;
        assert_came(&came, &json("docker-restart.json")["w"]);
        lab.next_block().await
    })
    .await
}
