//! A crash before and after every journal write: always exactly the old or the new node in the
//! end, and a receipt that says which.
//!
//! Intent is written before an effect and its fact after it, so the same points lie before and
//! after every effect, the swap of files among them. They are counted in a clean run that each
//! test makes first, so that a new record is covered unasked. A crash drops everything that is
//! under way; the journal is then opened and folded anew.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use futures::stream::StreamExt as _;
use jiff::Timestamp;
use muster_agent::runtime::Engine;
use muster_agent::steps::{PlanContext, Runner};
use muster_proto::documents::plan::{Action, Compatibility};
use muster_proto::rule::Final;
use muster_tests::image::Image;
use muster_tests::node::behaviour::{Behaviour, Defect};
use tokio::sync::OnceCell;

use crate::kit::{self, End, Host, on_host};

/// The points of a clean run that one host made for all of its test.
type Points = OnceCell<Range<usize>>;

/// Points that only a run with a fresh journal has (its schema, the version that is learned): the
/// clean run is such a one, so that later ones may end so much sooner.
const FRESH: usize = 6;

/// Only the last points of a clean run may be out of reach.
fn is_past(points: &Range<usize>, at: usize) -> Result<()> {
    ensure!(at + FRESH >= points.end, "no run reaches point {at} of {points:?} any more");
    Ok(())
}

/// Runs `context` to its end undisturbed; says how, and how many points it has.
async fn clean(host: &Host, context: &PlanContext) -> Result<(End, usize)> {
    let (hook, points) = kit::crash_at(usize::MAX);
    let (runner, _journal) = host.runner(hook)?;
    let end = kit::drive(&runner, context).await?;
    Ok((end, points.load(Ordering::SeqCst)))
}

/// A test of every `tests`-th point, on several hosts at the same time.
macro_rules! shares {
    ($cells:ident of $tests:literal: $($name:ident $test:literal)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() -> Result<()> {
            // What a host waits for takes no time of the machine.
            const HOSTS: usize = 3;
            let (first, points) = (|host| $test + $tests * host, Points::new());
            let cells = (0..HOSTS).map(|host| $cells(first(host), $tests * HOSTS, &points));
            try_join_all(cells).await.map(drop)
        })*
    };
}

/// Two versions that may follow each other, with a genesis each that only the newer one knows.
struct Pair {
    images: [Image; 2],
    genesis: [Vec<u8>; 2],
}

const VERSIONS: [&str; 2] = ["v2.4.4", "v2.4.5"];

impl Pair {
    async fn new(host: &Host) -> Result<Self> {
        let images = [host.load(&kit::old_version()).await?, host.load(&kit::new_version()).await?];
        let old = std::fs::read(host.home.genesis())?;
        let mut new = old.clone();
        new.extend_from_slice(b"# of the newer release\n");
        Ok(Self { images, genesis: [old, new] })
    }

    /// The upgrade from one to the other.
    fn to(&self, host: &Host, serial: u64, which: usize) -> PlanContext {
        let genesis = Some(self.genesis[which].as_slice());
        let version = VERSIONS[which];
        let mut release = kit::release_of(host, &self.images[which], version, genesis);
        release.from = vec![VERSIONS[1 - which].into()];
        kit::upgrade(serial, &release, genesis)
    }

    /// Exactly this version runs, under the node's name and policy; all else is down for good.
    async fn runs(&self, host: &Host, which: usize) -> Result<()> {
        let node = host.inspect(&host.run).await?;
        ensure!(node["Image"] == *self.images[which].id, "another image");
        ensure!(node["State"]["Running"] == true, "not running: {}", node["State"]);
        ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "on-failure", "another policy");
        ensure!(std::fs::read(host.home.genesis())? == self.genesis[which], "another genesis");
        let engine = Engine::new(kit::SOCKET, kit::PATIENCE);
        for id in engine.writers(&host.home.data()).await? {
            let other = engine.inspect(&id).await?.context("it is listed")?;
            let kept = other.state.is_down() && other.policy.is_no();
            ensure!(kept || node["Id"] == *id, "{} is not kept: {:?}", other.name, other.state);
            ensure!(kept == other.name.contains("-before-"), "left behind: {}", other.name);
        }
        host.advances().await
    }
}

/// Crashes at every point `first`, `first + step`, … of an upgrade, there and back again.
async fn upgrade_cells(first: usize, step: usize, points: &Points) -> Result<()> {
    on_host(&format!("crash-{first}"), async |host| {
        let pair = Pair::new(host).await?;
        let mut which = 1;
        let count = async {
            let (end, points) = clean(host, &pair.to(host, 41, which)).await?;
            ensure!(end == End::Final(Final::Done), "{end:?} of a clean upgrade");
            which = 0;
            Ok(0..points)
        };
        let points = points.get_or_try_init(async || count.await).await?.clone();
        for (serial, at) in (42..).zip(points.clone().skip(first).step_by(step)) {
            let context = pair.to(host, serial, which);
            let (end, reached) = kit::crashed(host, &context, at).await?;
            ensure!(end == End::Final(Final::Done), "{end:?} after a crash at point {at}");
            pair.runs(host, which).await.with_context(|| format!("after point {at}"))?;
            which = 1 - which;
            if !reached {
                return is_past(&points, at);
            }
        }
        Ok(())
    })
    .await
}

shares! { upgrade_cells of 12:
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_1_of_12 0
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_2_of_12 1
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_3_of_12 2
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_4_of_12 3
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_5_of_12 4
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_6_of_12 5
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_7_of_12 6
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_8_of_12 7
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_9_of_12 8
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_10_of_12 9
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_11_of_12 10
    a_crash_at_any_write_of_an_upgrade_ends_with_the_new_node_12_of_12 11
}

/// Crashes at points of the undo of a release that is another version than was signed.
async fn undo_cells(first: usize, step: usize, points: &Points) -> Result<()> {
    on_host(&format!("undo-{first}"), async |host| {
        let old = std::fs::read(host.home.genesis())?;
        let mut new = old.clone();
        new.extend_from_slice(b"# of the bad release\n");
        let bad = Defect::WrongVersion("v2.5.0".into());
        let image = host.load(&kit::new_version().with(bad)).await?;
        let mut release = kit::release_of(host, &image, "v2.4.5", Some(&new));
        let count = async || {
            let points = clean_undo(host, &kit::upgrade(42, &release, Some(&new))).await?;
            host.is_the_old_node(&old).await?;
            anyhow::Ok(points)
        };
        let points = points.get_or_try_init(count).await?.clone();
        for (serial, at) in (43..).zip(points.clone().skip(first).step_by(step)) {
            // A release that was rolled back here is not tried again.
            release.issued = Timestamp::now();
            let context = kit::upgrade(serial, &release, Some(&new));
            let (end, reached) = kit::crashed(host, &context, at).await?;
            ensure!(end == End::Final(Final::RolledBack), "{end:?} after a crash at point {at}");
            host.is_the_old_node(&old).await.with_context(|| format!("after point {at}"))?;
            if !reached {
                return is_past(&points, at);
            }
        }
        Ok(())
    })
    .await
}

/// The points from where the plan turns back at the soonest, to its end.
async fn clean_undo(host: &Host, context: &PlanContext) -> Result<Range<usize>> {
    let (hook, points) = kit::crash_at(usize::MAX);
    let turn = AtomicUsize::new(usize::MAX);
    let (runner, _journal) = host.runner(hook)?;
    let turns = || {
        turn.fetch_min(points.load(Ordering::SeqCst), Ordering::SeqCst);
    };
    let end = kit::drive_with(&runner, context, turns).await?;
    ensure!(end == End::Final(Final::RolledBack), "{end:?} of a clean undo");
    let (turn, end) = (turn.load(Ordering::SeqCst), points.load(Ordering::SeqCst));
    ensure!(end - turn >= 24, "start, swap, stop, create, stage, disarm");
    Ok(turn - FRESH..end)
}

shares! { undo_cells of 8:
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_1_of_8 0
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_2_of_8 1
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_3_of_8 2
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_4_of_8 3
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_5_of_8 4
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_6_of_8 5
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_7_of_8 6
    a_crash_at_any_write_of_an_undo_ends_with_the_old_node_8_of_8 7
}

/// Crashes at points of a restart, or of a stop and the start after it.
async fn simple_cells(first: usize, step: usize, points: &Points) -> Result<()> {
    on_host(&format!("simple-{first}"), async |host| {
        let genesis = std::fs::read(host.home.genesis())?;
        let all = [Action::Restart, Action::Stop, Action::Start];
        let mut serial = 41;
        let mut next = |action: &Action| {
            serial += 1;
            let context = kit::plan(serial, action.clone());
            kit::changed(&context, |plan| plan.compatibility = Compatibility::Halting)
        };
        let count = async {
            let mut most = 0;
            for action in &all {
                let (end, points) = clean(host, &next(action)).await?;
                ensure!(end == End::Final(Final::Done), "{end:?} of a clean {action:?}");
                most = most.max(points);
            }
            Ok(0..most)
        };
        let points = points.get_or_try_init(async || count.await).await?.clone();
        for at in points.clone().skip(first).step_by(step) {
            let mut reached = false;
            for action in &all {
                let (end, here) = kit::crashed(host, &next(action), at).await?;
                reached |= here;
                ensure!(end == End::Final(Final::Done), "{end:?} of {action:?} at point {at}");
                if *action == Action::Stop {
                    let node = host.inspect(&host.first).await?;
                    ensure!(node["State"]["Running"] == false, "after point {at}");
                    ensure!(node["HostConfig"]["RestartPolicy"]["Name"] == "no");
                } else {
                    let exact = host.is_the_old_node(&genesis).await;
                    exact.with_context(|| format!("{action:?} after point {at}"))?;
                }
            }
            if !reached {
                return is_past(&points, at);
            }
        }
        Ok(())
    })
    .await
}

shares! { simple_cells of 14:
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_1_of_14 0
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_2_of_14 1
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_3_of_14 2
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_4_of_14 3
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_5_of_14 4
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_6_of_14 5
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_7_of_14 6
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_8_of_14 7
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_9_of_14 8
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_10_of_14 9
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_11_of_14 10
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_12_of_14 11
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_13_of_14 12
    a_crash_at_any_write_of_a_restart_stop_or_start_is_made_good_14_of_14 13
}

#[tokio::test]
async fn a_crash_between_signal_and_exit_goes_on_without_a_second_permission() -> Result<()> {
    on_host("signal", async |host| {
        // A version that takes its time to leave.
        let slow = Behaviour { version: "v2.4.5".into(), ..kit::old_version() };
        let image = host.load(&slow.with(Defect::SlowToStop(1_500))).await?;
        let release = kit::release_of(host, &image, "v2.4.5", None);
        let (runner, journal) = host.runner(kit::undisturbed())?;
        let to_slow = kit::upgrade(42, &release, None);
        ensure!(kit::drive(&runner, &to_slow).await? == End::Final(Final::Done));

        let restart = kit::plan(43, Action::Restart);
        until_signalled(host, &runner, &restart).await?;
        drop((runner, journal));
        let (runner, journal) = host.runner(kit::undisturbed())?;
        ensure!(kit::drive(&runner, &restart).await? == End::Final(Final::Done));
        let words = kit::words(&journal, &restart.id)?;
        let expected = ["acknowledged", "prepared", "began", "stopped", "done"];
        ensure!(words == expected, "{words:?}");
        Ok(())
    })
    .await
}

/// Runs the plan until the node was sent its signal, and drops it there.
async fn until_signalled(host: &Host, runner: &Runner, context: &PlanContext) -> Result<()> {
    let mut kills = kit::kills(host);
    tokio::select! {
        signalled = kills.next() => signalled.context("the events ended")?.map(|_| ()),
        end = kit::drive(runner, context) => anyhow::bail!("it ended as {:?}", end?),
    }
}
