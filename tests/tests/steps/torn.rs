//! A crash in the middle of an effect on files: what the disk shows then is made by hand, and the
//! end is exactly the old or the new node all the same.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};
use futures::future::FutureExt as _;
use jiff::Timestamp;
use muster_agent::journal::{Effect, JournalView};
use muster_agent::steps::PlanContext;
use muster_proto::rule::Final;
use muster_tests::node::behaviour::{Behaviour, Defect};

use crate::kit::{self, Crash, End, Host, on_host};

/// What the disk shows after a crash between two file operations of one effect.
#[derive(Debug, Clone, Copy)]
enum Torn {
    /// The new genesis file was half written beside the old one.
    HalfStaged,
    /// The old file has its second name, and was not replaced yet.
    Linked,
}

impl Torn {
    fn effect(self) -> Effect {
        match self {
            Torn::HalfStaged => Effect::Stage,
            Torn::Linked => Effect::Swap,
        }
    }

    fn make(self, host: &Host, context: &PlanContext, new: &[u8]) -> Result<()> {
        let beside = |end: &str| -> PathBuf {
            let name = format!("genesis.yaml.muster-{}.{end}", context.id.serial);
            host.home.genesis().with_file_name(name)
        };
        match self {
            Torn::HalfStaged => fs::write(beside("new"), &new[..new.len() / 2])?,
            Torn::Linked => fs::hard_link(host.home.genesis(), beside("before"))?,
        }
        Ok(())
    }
}

/// Ends the agent once the intent of `torn`'s effect is on the disk, makes the disk look as
/// `torn` says, and lets the next start of the agent go on.
async fn ends(host: &Host, context: &PlanContext, torn: Torn, new: &[u8]) -> Result<End> {
    let (data, id, effect) = (host.data(), context.id.clone(), torn.effect());
    let hook = Arc::new(move |point: muster_agent::journal::WritePoint| {
        let fold = || JournalView::open(&data).and_then(|view| view.fold(&id));
        if point.after && fold().is_ok_and(|fold| fold.open.contains(&effect)) {
            std::panic::resume_unwind(Box::new(Crash));
        }
    });
    let (runner, journal) = host.runner(hook)?;
    let end = AssertUnwindSafe(kit::drive(&runner, context)).catch_unwind().await;
    drop((runner, journal));
    match end {
        Err(crash) if crash.is::<Crash>() => {}
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(end) => anyhow::bail!("it was not ended: {:?}", end?),
    }
    torn.make(host, context, new)?;
    let (runner, _journal) = host.runner(kit::undisturbed())?;
    kit::drive(&runner, context).await
}

/// The genesis file of the node, and the one of the release.
fn geneses(host: &Host) -> Result<(Vec<u8>, Vec<u8>)> {
    let old = fs::read(host.home.genesis())?;
    let new = [&old[..], b"# of v2.4.5\n"].concat();
    Ok((old, new))
}

#[tokio::test]
async fn a_file_that_was_half_staged_or_half_swapped_is_the_new_one_in_the_end() -> Result<()> {
    for torn in [Torn::HalfStaged, Torn::Linked] {
        on_host(&format!("{torn:?}").to_lowercase(), async |host| {
            let (old, new) = geneses(host)?;
            let image = host.load(&kit::new_version()).await?;
            let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
            let end = ends(host, &kit::upgrade(42, &release, Some(&new)), torn, &new).await?;
            ensure!(end == End::Final(Final::Done), "{end:?} after {torn:?}");
            host.is_the_new_node(&image, 42).await?;
            ensure!(fs::read(host.home.genesis())? == new, "{torn:?}");
            let before = host.home.genesis().with_file_name("genesis.yaml.muster-42.before");
            ensure!(fs::read(before)? == old, "{torn:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_was_half_staged_or_half_swapped_is_the_old_one_after_an_undo() -> Result<()> {
    on_host("torn-undo", async |host| {
        let (old, new) = geneses(host)?;
        let bad: Behaviour = kit::new_version().with(Defect::WrongVersion("v2.5.0".into()));
        let image = host.load(&bad).await?;
        let mut release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        for (serial, torn) in (42..).zip([Torn::HalfStaged, Torn::Linked]) {
            release.issued = Timestamp::now();
            let context = kit::upgrade(serial, &release, Some(&new));
            let end = ends(host, &context, torn, &new).await?;
            ensure!(end == End::Final(Final::RolledBack), "{end:?} after {torn:?}");
            host.is_the_old_node(&old).await?;
        }
        Ok(())
    })
    .await
}
