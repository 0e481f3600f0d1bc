//! Dry drills: every check, no effect, and a receipt that says what would have been done.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use muster_agent::journal::{Journal, JournalView};
use muster_agent::runtime::Engine;
use muster_agent::steps::PlanContext;
use muster_proto::documents::Class;
use muster_proto::documents::plan::{Action, Drill};
use muster_proto::evidence::Event;
use muster_proto::rule::{Final, Step};
use muster_tests::faults::engine::EngineProxy;
use muster_tests::node::behaviour::Defect;

use crate::kit::by_hand::{ACKNOWLEDGE, begin, refusal, steps};
use crate::kit::{self, End, Host, on_host};

/// What a host waits for takes no time of the machine.
const HOSTS: usize = 4;

const REHEARSED: [&str; 4] = ["acknowledged", "prepared", "began", "done"];

fn dry(context: &PlanContext) -> PlanContext {
    kit::changed(context, |plan| (plan.class, plan.drill) = (Class::Drill, Drill::Dry))
}

/// A dry upgrade with a genesis file of its own.
async fn dry_upgrade(host: &Host, serial: u64, defect: Option<Defect>) -> Result<PlanContext> {
    let mut new = fs::read(host.home.genesis())?;
    new.extend_from_slice(b"# of v2.4.5\n");
    let version = kit::new_version();
    let image = host.load(&defect.map_or(version.clone(), |bad| version.with(bad))).await?;
    let release = kit::release_of(host, &image, "v2.4.5", Some(&new));
    Ok(dry(&kit::upgrade(serial, &release, Some(&new))))
}

/// What the last receipt says would have been done.
fn would(journal: &Journal) -> Result<String> {
    let last = kit::receipts(journal)?.pop().context("a receipt")?;
    let Event::Done(outcome) = last.event else { anyhow::bail!("not done: {:?}", last.event) };
    ensure!(outcome.away_ms.is_none(), "it was away");
    outcome.would.context("it says nothing")
}

#[tokio::test]
async fn a_dry_drill_of_each_action_touches_nothing_and_says_what_it_would_have_done() -> Result<()>
{
    on_host("dry", async |host| {
        let old = fs::read(host.home.genesis())?;
        let since = host.inspect(&host.run).await?["State"]["StartedAt"].clone();
        let folder = tempfile::tempdir()?;
        let proxy = EngineProxy::start(&folder.path().join("engine.sock"), Path::new(kit::SOCKET))?;
        let engine = Engine::new(proxy.socket(), Duration::from_secs(5));
        let (runner, journal) = host.runner_on(engine, host.settings(), kit::undisturbed())?;
        let simple = |serial, action| dry(&kit::plan(serial, action));
        let plans = [
            (simple(42, Action::Stop), "and kept it down"),
            (simple(43, Action::Restart), "and started it again"),
            (simple(44, Action::Start), "have started it"),
            (dry_upgrade(host, 45, None).await?, "put the new genesis file in place and started"),
        ];
        for (plan, words) in &plans {
            let end = kit::drive(&runner, plan).await?;
            ensure!(
                end == End::Final(Final::Done),
                "{end:?} of {}: {:?}",
                plan.id,
                kit::receipts(&journal)?
            );
            ensure!(kit::words(&journal, &plan.id)? == REHEARSED, "{}", plan.id);
            let said = would(&journal)?;
            ensure!(said.contains(words), "{said}");
            host.is_the_old_node(&old).await?;
        }
        ensure!(host.inspect(&host.run).await?["State"]["StartedAt"] == since, "it was restarted");
        let changes = proxy.calls().into_iter().filter(|call| call.method != "GET");
        let changes: Vec<_> = changes.map(|call| call.path).collect();
        let own = |path: &String| path.contains(&host.first) || path.contains("/start");
        ensure!(!changes.iter().any(own), "the node was touched: {changes:?}");
        ensure!(!changes.is_empty(), "a successor was created and taken away");
        Ok(())
    })
    .await
}

/// Every `HOSTS`-th point, from `first` on.
async fn crash_cells(first: usize) -> Result<()> {
    on_host(&format!("dry-crash-{first}"), async |host| {
        let old = fs::read(host.home.genesis())?;
        let (hook, points) = kit::crash_at(usize::MAX);
        let (runner, journal) = host.runner(hook)?;
        let plan = dry_upgrade(host, 41, None).await?;
        ensure!(kit::drive(&runner, &plan).await? == End::Final(Final::Done));
        drop((runner, journal));
        let points = points.load(Ordering::SeqCst);
        ensure!(points > 24, "pull, stage, create and what takes them away: {points}");
        for at in (first..points).step_by(HOSTS) {
            let plan = dry_upgrade(host, 42 + at as u64, None).await?;
            let (end, _) = kit::crashed(host, &plan, at).await?;
            let why = || JournalView::open(&host.data()).and_then(|view| view.fold(&plan.id));
            ensure!(
                end == End::Final(Final::Done),
                "{end:?} after a crash at point {at}: {:?}",
                why().map(|fold| fold.failed)
            );
            host.is_the_old_node(&old).await.with_context(|| format!("after point {at}"))?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_of_a_dry_upgrade_leaves_exactly_the_old_node() -> Result<()> {
    try_join_all((0..HOSTS).map(crash_cells)).await.map(drop)
}

#[tokio::test]
async fn a_dry_upgrade_that_cannot_be_prepared_fails_and_may_be_tried_again() -> Result<()> {
    on_host("dry-fails", async |host| {
        let old = fs::read(host.home.genesis())?;
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let whole = dry_upgrade(host, 42, None).await?;
        let (release, _) = whole.release.clone().context("a release")?;
        let mut odd = (*release).clone();
        odd.from = vec!["v1.0.0".into()];
        let wrong = dry(&kit::upgrade(42, &odd, whole.genesis.as_deref()));
        ensure!(kit::drive(&runner, &wrong).await? == End::Final(Final::RolledBack));
        ensure!(kit::words(&journal, &wrong.id)? == ["acknowledged", "failed", "rolled-back"]);
        let again = dry(&kit::upgrade(43, &odd, whole.genesis.as_deref()));
        kit::drive(&runner, &again).await?;
        let receipts = kit::receipts(&journal)?;
        let mut codes = receipts.iter().filter_map(|receipt| match &receipt.event {
            Event::Failed { code, .. } => Some(code.as_str()),
            _ => None,
        });
        ensure!(codes.all(|code| code != "E310"), "it is remembered as bad");
        host.is_the_old_node(&old).await
    })
    .await
}

#[tokio::test]
async fn a_dry_plan_can_have_no_effect_whatever_its_journal_says() -> Result<()> {
    on_host("dry-guard", async |host| {
        let (runner, _journal) = host.runner(kit::undisturbed())?;
        let restart = kit::plan(42, Action::Restart);
        steps(&runner, &restart, &[ACKNOWLEDGE, Step::Prepare, begin()]).await?;
        // Never met: the plan of a journal is the one that was signed.
        let mut plan = (*restart.plan).clone();
        plan.drill = Drill::Dry;
        let odd = PlanContext { plan: Arc::new(plan), ..restart };
        let refused = refusal(&runner, &odd, &Step::Start).await?;
        ensure!(refused.code.code == "E336", "{refused}");
        ensure!(host.inspect(&host.first).await?["State"]["Running"] == false);
        Ok(())
    })
    .await
}
