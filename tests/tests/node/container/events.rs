//! What the Engine tells of a container's end, and whether its restart policy brings it back.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptionsBuilder, StopContainerOptionsBuilder};
use futures::StreamExt as _;
use muster_tests::node::behaviour::{Behaviour, Defect};
use muster_tests::node::http;

use super::lab::{Lab, state, within};
use super::{PATIENCE, POLL};
use crate::recorded::text;

/// `1795361893 iz-3 exit=2`: time, container and exit code of a line.
fn death(line: &str) -> Option<(u64, &str, i64)> {
    let mut words = line.split(' ');
    let (time, name) = (words.next()?.parse().ok()?, words.next()?);
    let code = words.next()?.strip_prefix("exit=")?.parse().ok()?;
    words.next().is_none().then_some((time, name, code))
}

/// One event in the shape of the recording.
fn line(event: &EventMessage) -> Option<String> {
    let actor = event.actor.as_ref()?.attributes.as_ref()?;
    let (name, code) = (actor.get("name")?, actor.get("exitCode")?);
    Some(format!("{} {name} exit={code}", event.time?))
}

async fn stop(lab: &Lab, id: &str) -> Result<()> {
    let patience = StopContainerOptionsBuilder::new().t(60).build();
    Ok(lab.docker.stop_container(id, Some(patience)).await?)
}

/// Waits until the node is ready and the Engine counts so many restarts.
async fn runs_again(lab: &Lab, id: &str, restarts: i64) -> Result<()> {
    let probe = (lab.network.address(10), 8_080).into();
    let waiting = async {
        let mut pace = tokio::time::interval(POLL);
        loop {
            pace.tick().await;
            let counted = lab.inspect(id).await?.restart_count == Some(restarts);
            let ready = async || http::get(probe, "/readiness").await.is_ok_and(|a| a.0 == 200);
            if counted && ready().await {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.context("it does not run again")?
}

#[tokio::test]
async fn the_engine_tells_of_a_crash_and_of_stops_as_recorded() -> Result<()> {
    let recorded = text("docker-events-die.txt");
    let deaths: Vec<_> = recorded.lines().skip(1).filter_map(death).collect();
    assert_eq!(deaths.len(), recorded.lines().count() - 1, "every line was understood");
    assert!(deaths.windows(2).all(|w| w[0].0 <= w[1].0), "in the order of time");
    let of = |node: &str| -> Vec<i64> {
        deaths.iter().filter(|(_, name, _)| *name == node).map(|(_, _, code)| *code).collect()
    };
    let crashed = of("iz-3");
    assert_eq!(crashed.len(), 3);

    // Long enough to be stopped before it crashes again.
    let behaviour = Behaviour::version("v2.4.4").scaled(5.0).starting_in(50);
    within("events", behaviour.with(Defect::CrashAfterBlocks(8)), async |lab| {
        let filters = HashMap::from([
            ("event", vec!["die".to_owned()]),
            ("container", vec![lab.name("iz-3")]),
        ]);
        let since = (jiff::Timestamp::now().as_second() - 1).to_string();
        let options = EventsOptionsBuilder::default().since(&since).filters(&filters).build();
        let mut events = std::pin::pin!(lab.docker.events(Some(options)));

        let id = lab.start("iz-3", &lab.home("home")?, 10).await?;
        runs_again(lab, &id, 1).await.context("on-failure brings back what crashed")?;
        stop(lab, &id).await?;
        assert_eq!(state(&lab.inspect(&id).await?)?, "0 oom=false restarts=1 running=false");
        lab.docker.start_container(&id, None).await?;
        runs_again(lab, &id, 0).await?;
        stop(lab, &id).await?;

        let mut told = Vec::new();
        while told.len() < crashed.len() {
            let event = tokio::time::timeout(PATIENCE, events.next()).await?;
            told.extend(line(&event.context("the Engine's events end")??));
        }
        let ours: Vec<_> = told.iter().filter_map(|line| death(line)).collect();
        let codes: Vec<_> = ours.iter().map(|(_, _, code)| *code).collect();
        assert_eq!(codes, crashed, "{told:?}");
        assert!(ours.windows(2).all(|w| w[0].0 <= w[1].0), "{told:?}");
        assert!(ours.iter().all(|(_, name, _)| *name == lab.name("iz-3")), "{told:?}");
        Ok(())
    })
    .await
}
