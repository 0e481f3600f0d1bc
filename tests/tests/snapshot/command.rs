//! What the operator types that needs no container: the real program, with no Engine anywhere.

use std::path::Path;

use anyhow::Result;
use muster_agent::config::{Config, Intervals};
use muster_agent::snapshot::Snapshots;
use muster_agent::snapshot::Stopped;
use muster_agent::snapshot::decide::manifest::Origin;
use muster_tests::fleet::process::{Said, binary, run};
use serde_json::Value;

use crate::kit::{self, NETWORK, name, names};

/// Writes `agent/agent.yaml` of bob-1.
pub(crate) fn agent_folder(place: &Path, socket: &str, container: &str) -> Result<()> {
    let config = Config {
        muster: Config::KIND.into(),
        network: NETWORK.into(),
        name: "bob-1".parse()?,
        container: container.into(),
        docker: format!("unix://{socket}"),
        controllers: vec![
            format!("127.0.0.1:7443=sha256:{}", "ab".repeat(32)).parse().expect("it"),
        ],
        intervals: Intervals::default(),
    };
    std::fs::create_dir_all(place.join("agent"))?;
    Ok(std::fs::write(place.join("agent/agent.yaml"), config.to_text())?)
}

/// `muster-agent snapshot …`
pub(crate) async fn ask(place: &Path, args: &[&str]) -> Result<Said> {
    let all = [&["--dir", "agent", "snapshot"], args].concat();
    run(&binary("muster-agent")?, &all, place).await
}

/// Takes one, for a plan or by hand.
fn take(snapshots: &Snapshots, data: &Path, text: &str, plan: Option<&str>) -> Result<()> {
    let origin = Origin { plan: plan.map(str::to_owned), ..kit::origin() };
    let (stopped, wanted) = (Stopped::vouched(data), kit::plain());
    let captured = snapshots.capture(&stopped, (&name(text), &origin), &wanted, &mut |_| {})?;
    snapshots.keep(&captured)?;
    snapshots.seal(&name(text), None, &mut |_| {})?;
    Ok(())
}

#[tokio::test]
async fn without_an_engine_only_what_needs_none_is_done() -> Result<()> {
    let (place, data, folder) = kit::small()?;
    agent_folder(place.path(), "/nowhere/docker.sock", "iotex")?;
    for args in [&["take"][..], &["take", "--dry-run"], &["restore", "one"], &["list"]] {
        let said = ask(place.path(), args).await?;
        assert!(said.code == 5 && said.err.contains("E201"), "{args:?}: {said:?}");
    }
    let said = ask(place.path(), &["list", "--to", "snapshots"]).await?;
    assert!(said.code == 0 && said.out.starts_with("No snapshot"), "{said:?}");
    let said = ask(place.path(), &["verify", "one", "--to", "snapshots"]).await?;
    assert!(said.code == 2 && said.err.contains("E411"), "{said:?}");
    let said = ask(place.path(), &["verify", "../one", "--to", "snapshots"]).await?;
    assert!(said.code == 2 && said.err.contains("E416"), "{said:?}");
    assert!(!folder.exists());
    let snapshots = Snapshots::open(&folder)?;
    take(&snapshots, &data, "one", None)?;
    let said = ask(place.path(), &["verify", "one", "--to", "snapshots"]).await?;
    assert!(said.code == 3 && said.err.contains("E414"), "{said:?}");
    drop(snapshots);
    let said = ask(place.path(), &["verify", "one", "--to", "snapshots"]).await?;
    assert!(said.code == 0 && said.out.contains("one"), "{said:?}");
    std::fs::write(folder.join("one/data/consensus.db"), "forged")?;
    let said = ask(place.path(), &["verify", "one", "--to", "snapshots"]).await?;
    assert!(said.code == 3 && said.err.contains("E413"), "{said:?}");
    let said = ask(place.path(), &["list", "--to", "snapshots"]).await?;
    assert!(said.code == 0 && said.out.contains("not verified"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn pruning_removes_what_may_go_and_says_why_the_others_stay() -> Result<()> {
    let (place, data, folder) = kit::small()?;
    agent_folder(place.path(), "/nowhere/docker.sock", "iotex")?;
    let snapshots = Snapshots::open(&folder)?;
    for (text, plan) in [("one", None), ("two", Some("hotfix/42")), ("three", None)] {
        take(&snapshots, &data, text, plan)?;
    }
    drop(snapshots);
    let prune = ["prune", "--to", "snapshots", "--retention", "1ms"];
    let dry = ask(place.path(), &[&prune[..], &["--dry-run"]].concat()).await?;
    assert!(dry.code == 0 && dry.out.contains("one: would be removed"), "{dry:?}");
    let young = ask(place.path(), &["prune", "--to", "snapshots"]).await?;
    assert!(young.code == 0 && young.out.contains("its time is not over"), "{young:?}");
    assert_eq!(names(&folder).len(), 3);
    let said = ask(place.path(), &[&prune[..], &["--json"]].concat()).await?;
    let told: Value = serde_json::from_str(&said.out)?;
    let verdict =
        |at: usize| (told["verdicts"][at]["name"].as_str(), told["verdicts"][at]["stays"].as_str());
    assert_eq!(verdict(0), (Some("one"), None));
    assert_eq!(verdict(1), (Some("two"), Some("not-committed")));
    assert_eq!(verdict(2), (Some("three"), Some("last-good")));
    assert_eq!(names(&folder), ["three", "two"]);
    // The newest is damaged: it no longer counts, and the older good one stays whatever comes.
    std::fs::write(folder.join("three/data/consensus.db"), "forged")?;
    let said = ask(place.path(), &["verify", "three", "--to", "snapshots"]).await?;
    assert!(said.code == 3 && said.err.contains("E413"), "{said:?}");
    let said = ask(place.path(), &prune).await?;
    assert!(said.out.contains("two: stays, no newer one is verified"), "{said:?}");
    assert_eq!(names(&folder), ["three", "two"]);
    Ok(())
}
