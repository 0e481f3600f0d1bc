//! Containers that do not come up: what the restart policy makes of them, and who is deaf.

use anyhow::{Context as _, Result};
use bollard::models::{
    ContainerInspectResponse, ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{LogsOptionsBuilder, StopContainerOptionsBuilder};
use futures::StreamExt as _;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::host::Home;
use muster_tests::node::http;
use serde_json::Value;

use super::lab::{Lab, within};
use super::{PATIENCE, POLL};
use crate::recorded::log::lines;
use crate::recorded::{joined, json};

fn behaviour() -> Behaviour {
    Behaviour::version("v2.4.4").scaled(10.0).starting_in(50)
}

/// A number of `status=restarting … restarts=6 exit=1 …`.
fn number(state: &str, name: &str) -> Option<i64> {
    state.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// Waits until the Engine shows of a container what `wanted` wants.
async fn until(
    lab: &Lab,
    id: &str,
    wanted: impl Fn(&ContainerInspectResponse) -> bool,
) -> Result<ContainerInspectResponse> {
    let waiting = async {
        let mut pace = tokio::time::interval(POLL);
        loop {
            pace.tick().await;
            let seen = lab.inspect(id).await?;
            if wanted(&seen) {
                return anyhow::Ok(seen);
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.context("it never came to that")?
}

/// Whether it was started again at least once, or has ended for good.
fn settled(seen: &ContainerInspectResponse) -> bool {
    let state = seen.state.as_ref();
    let exited = state.and_then(|s| s.status).is_some_and(|s| s.to_string() == "exited");
    exited || seen.restart_count >= Some(1)
}

/// Waits until it is settled, and compares exit code and whether it is brought back with the recorded state.
async fn assert_ends(lab: &Lab, id: &str, recorded: &str) -> Result<()> {
    let seen = until(lab, id, settled).await?;
    let again = seen.restart_count > Some(0);
    assert_eq!(again, number(recorded, "restarts") > Some(0), "{recorded}");
    // While it runs between two ends the Engine shows 0.
    let ended = |seen: &ContainerInspectResponse| {
        seen.state.as_ref().and_then(|s| s.exit_code) == number(recorded, "exit")
    };
    until(lab, id, ended).await.with_context(|| recorded.to_owned())?;
    Ok(())
}

fn edit(path: &std::path::Path, from: &str, to: &str) -> Result<()> {
    let text = std::fs::read_to_string(path)?;
    anyhow::ensure!(text.contains(from), "{from}");
    Ok(std::fs::write(path, text.replace(from, to))?)
}

/// A container that is broken in the way of a recorded case.
async fn broken(
    lab: &Lab,
    (case, last): (&str, u8),
    change: impl FnOnce(&Home) -> Result<()>,
) -> Result<String> {
    let home = lab.home(case)?;
    change(&home)?;
    lab.start(case, &home, last).await
}

#[tokio::test]
async fn the_restart_policy_brings_back_what_ends_with_an_error_and_nothing_else() -> Result<()> {
    let (first, second) = (json("failures.json"), json("failures-2.json"));
    let state = |case: &Value| case["state"].as_str().unwrap().to_owned();
    within("failures", behaviour(), async |lab| {
        let key = broken(lab, ("unkkey", 11), |home| {
            edit(&home.config(), "system:\n", "fooBar: 1\nsystem:\n")
        });
        assert_ends(lab, &key.await?, &state(&first["unkkey"])).await?;
        let bad = broken(lab, ("badkey", 12), |home| edit(&home.config(), "Key: \"", "Key: \"xx"));
        assert_ends(lab, &bad.await?, &state(&first["badkey"])).await?;
        let data = broken(lab, ("rodata", 13), |home| {
            // Root may write where it pleases, but not into a folder.
            Ok(std::fs::create_dir(home.data().join("chain.db"))?)
        });
        let data = data.await?;
        assert_ends(lab, &data, &state(&second["rodata2"])).await?;

        let always = RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        };
        let update = ContainerUpdateBody { restart_policy: Some(always), ..Default::default() };
        lab.docker.update_container(&data, update).await?;
        lab.docker.start_container(&data, None).await?;
        let case = second["rodata, restart unless-stopped"].as_str().unwrap();
        let restarted = |seen: &ContainerInspectResponse| seen.restart_count > Some(0);
        assert!(number(case, "restarts") > Some(0));
        until(lab, &data, restarted).await?;
        assert_ends(lab, &data, case).await
    })
    .await
}

/// What a container printed.
async fn output(lab: &Lab, id: &str) -> Result<String> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).build();
    let mut pieces = std::pin::pin!(lab.docker.logs(id, Some(options)));
    let mut text = String::new();
    while let Some(piece) = pieces.next().await {
        text.push_str(&piece?.to_string());
    }
    Ok(text)
}

/// Waits until a container lives, compares its probes with the recorded ones, and stops it in vain.
async fn assert_deaf(lab: &Lab, id: &str, last: u8, case: &Value, code: &Value) -> Result<()> {
    let probe = (lab.network.address(last), 8_080).into();
    let mut pace = tokio::time::interval(POLL);
    let lives = async {
        while http::get(probe, "/liveness").await.is_err() {
            pace.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, lives).await.context("it does not live")?;
    for path in ["/liveness", "/readiness"] {
        let line = case["probes"][path].as_str().unwrap();
        let (status, _) = http::get(probe, path).await?;
        assert_eq!(line.split(' ').nth(1), Some(status.to_string().as_str()), "{path}");
    }
    let state = case["state"].as_str().unwrap();
    let seen = lab.inspect(id).await?;
    assert!(state.contains("status=running") && seen.restart_count == number(state, "restarts"));
    let patience = StopContainerOptionsBuilder::new().t(1).build();
    lab.docker.stop_container(id, Some(patience)).await?;
    let ended = super::end(&lab.docker, id).await?;
    assert_eq!(code.to_string().trim_matches('"'), ended.to_string(), "only SIGKILL ends it");
    Ok(())
}

#[tokio::test]
async fn who_waits_for_the_data_lock_or_for_peers_is_deaf_and_says_what_was_recorded() -> Result<()>
{
    let cases = json("failures-2.json");
    within("deaf", behaviour(), async |lab| {
        let home = lab.home("home")?;
        lab.start("first", &home, 10).await?;
        lab.next_block().await?;
        let case = &cases["twoB2"];
        let second = lab.start("second", &home, 11).await?;
        let code = &case["SIGTERM to the waiting one"][1];
        assert_deaf(lab, &second, 11, case, code).await?;
        let recorded = lines(&joined(&case["log"]));
        let ours = lines(&output(lab, &second).await?);
        assert_eq!(recorded.len(), 4);
        assert_eq!(ours[ours.len() - 4..], recorded, "and then it waits silently");

        let nobody = broken(lab, ("nobody", 12), |home| {
            let peer = lab.referee.p2p();
            let wrong = format!("/tcp/{}/", u32::from(peer.port() == 1) + 1);
            edit(&home.config(), &format!("/tcp/{}/", peer.port()), &wrong)
        });
        let code = &cases["SIGTERM while waiting for bootstrap (startup)"][1];
        assert_deaf(lab, &nobody.await?, 12, &cases["bootdown2"], code).await
    })
    .await
}
