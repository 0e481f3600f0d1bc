//! The demo on Ctrl-C: it leaves nothing behind.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use muster_tests::demo::stage::RUN;
use muster_tests::fleet::PATIENCE;
use muster_tests::fleet::process::{Process, binary};
use muster_tests::image::{LABEL, engine};
use tokio::process::Command;

/// Names of containers and networks that are labelled as the demo's.
async fn labelled(docker: &Docker) -> Result<Vec<String>> {
    let ours = HashMap::from([("label", vec![format!("{LABEL}={RUN}")])]);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let containers = docker.list_containers(Some(all)).await?;
    let all = ListNetworksOptionsBuilder::new().filters(&ours).build();
    let networks = docker.list_networks(Some(all)).await?;
    let containers = containers.into_iter().flat_map(|one| one.names.unwrap_or_default());
    Ok(containers.chain(networks.into_iter().filter_map(|one| one.name)).collect())
}

/// Command lines of processes that work in one of the demo's folders.
fn at_work() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        // A process may end under the search.
        let Ok(line) = std::fs::read(entry?.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains("/muster-demo-") {
            found.push(line);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_ends_on_ctrl_c_with_130_and_leaves_nothing_behind() -> Result<()> {
    let docker = engine().await?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("demo.log");
    let mut demo = Process::start("the demo", Command::new(binary("demo")?), &log)?;
    demo.says("1 · A hotfix", PATIENCE).await?;
    assert!(labelled(&docker).await?.len() > 7, "seven nodes and a network");
    assert!(at_work()?.len() > 7, "seven agents and a controller");
    let ended = demo.interrupt(Duration::from_secs(15)).await?;
    assert_eq!(ended.code(), Some(130), "{}", demo.tail());
    assert_eq!(labelled(&docker).await?, Vec::<String>::new());
    assert_eq!(at_work()?, Vec::<String>::new());
    Ok(())
}
