//! What a step refuses before it touches the node, each by its code; the node runs on untouched.

use anyhow::{Context as _, Result, ensure};
use bollard::query_parameters::RemoveContainerOptionsBuilder;
use muster_agent::steps::{PlanContext, Runner};
use muster_proto::documents::Digest;
use muster_proto::documents::release::Release;
use muster_proto::rule::Step;

use super::kit::{self, Host, on_host};

/// The code by which the preparation of a plan is refused.
async fn refused(runner: &Runner, context: &PlanContext) -> Result<String> {
    runner.look(true).await;
    runner.run(&Step::Acknowledge { in_hand: None }, context).await.context("acknowledge")?;
    match runner.run(&Step::Prepare, context).await {
        Err(error) => Ok(error.code.code.to_owned()),
        Ok(ran) => anyhow::bail!("prepared: {ran:?}"),
    }
}

/// Releases that cannot be prepared here, with the code of each.
fn releases(good: &Release) -> Vec<(&'static str, Release)> {
    let with = |change: &dyn Fn(&mut Release)| {
        let mut release = good.clone();
        change(&mut release);
        release
    };
    let image = good.images["linux/amd64"].clone();
    let nowhere = Digest::of(b"an image that nobody has");
    vec![
        ("E304", with(&|release| release.from = vec!["v2.4.3".into()])),
        ("E306", with(&|release| release.images = [("linux/s390x".into(), image.clone())].into())),
        (
            "E307",
            with(&|release| {
                release.images.get_mut("linux/amd64").expect("it is there").config =
                    nowhere.clone();
            }),
        ),
        // The tag of v2.4.6 names another image than the one that this release signed.
        ("E309", with(&|release| release.version = "v2.4.6".into())),
    ]
}

async fn good(host: &Host) -> Result<Release> {
    let image = host.load(&kit::new_version()).await?;
    Ok(kit::release_of(host, &image, "v2.4.5", None))
}

#[tokio::test]
async fn releases_that_cannot_be_prepared_are_refused_and_leave_the_node_alone() -> Result<()> {
    on_host("refused", async |host| {
        let old = std::fs::read(host.home.genesis())?;
        let good = good(host).await?;
        let mut other = kit::new_version();
        other.version = "v2.4.6".into();
        host.load(&other).await?;
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        for (serial, (code, release)) in (42..).zip(releases(&good)) {
            let found = refused(&runner, &kit::upgrade(serial, &release, None)).await?;
            ensure!(found == code, "{code}: {found}");
        }
        // A genesis file that the release names and no board has handed over.
        let release =
            kit::release_of(host, &host.load(&kit::new_version()).await?, "v2.4.5", Some(b"new"));
        let found = refused(&runner, &kit::upgrade(50, &release, None)).await?;
        ensure!(found == "E329", "{found}");
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_container_that_is_paused_or_gone_is_not_touched() -> Result<()> {
    on_host("gone", async |host| {
        let release = good(host).await?;
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        host.docker.pause_container(&host.first).await?;
        let found = refused(&runner, &kit::upgrade(42, &release, None)).await?;
        ensure!(found == "E332", "{found}");
        ensure!(host.inspect(&host.run).await?["State"]["Paused"] == true);
        host.docker.unpause_container(&host.first).await?;
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        host.docker.remove_container(&host.first, Some(force)).await?;
        let found = refused(&runner, &kit::upgrade(43, &release, None)).await?;
        ensure!(found == "E301", "{found}");
        Ok(())
    })
    .await
}
