//! A crash at every write, in a loop: the node's folder is as it was, and what follows is whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use muster_agent::snapshot::decide::tree::Tree;
use muster_agent::snapshot::{Owner, Snapshots, Stopped, list, restore, scan};

use crate::kit::{self, content, name, names, plain, take};

/// Ends everything, printing nothing.
struct Crash;

fn crash() {
    std::panic::resume_unwind(Box::new(Crash));
}

/// Runs `work`; says whether it crashed.
fn crashed(work: impl FnOnce() -> Result<()>) -> Result<bool> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(ended) => ended.map(|()| false),
        Err(panic) if panic.is::<Crash>() => Ok(true),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Takes snapshots with a crash at each point until none is reached, after `first`.
fn every_point(first: impl Fn(&Snapshots, &Path) -> Result<()>) -> Result<usize> {
    for nth in 0.. {
        let (_place, data, folder) = kit::small()?;
        let (before, look) = (content(&data)?, scan(&data)?);
        let (hook, _) = kit::at(nth, crash);
        let reached = crashed(|| {
            let snapshots = Snapshots::open_hooked(&folder, hook)?;
            first(&snapshots, &data)?;
            take(&snapshots, &data, "one", &plain())?;
            Ok(())
        })?;
        assert_eq!(scan(&data)?, look, "point {nth}: the node's folder");
        // Nothing counts as whole that is not.
        let snapshots = Snapshots::open(&folder)?;
        for listed in list(&folder)? {
            snapshots.verify(&listed.name, None, &mut |_| {})?;
        }
        for left in snapshots.tidy()? {
            snapshots.seal(&left, None, &mut |_| {})?;
            assert_eq!(content(&snapshots.data(&left))?, before, "point {nth}");
        }
        take(&snapshots, &data, "two", &plain())?;
        assert_eq!(content(&snapshots.data(&name("two")))?, before, "point {nth}");
        let left = names(&folder);
        assert!(left == ["one", "two"] || left == ["two"], "point {nth}: {left:?}");
        if !reached {
            return Ok(nth);
        }
    }
    unreachable!("it ends when no point is reached")
}

#[test]
fn a_crash_at_any_write_of_a_snapshot_leaves_the_node_and_the_next_one_whole() -> Result<()> {
    let points = every_point(|_, _| Ok(()))?;
    ensure!(points > 30, "only {points} points");
    Ok(())
}

#[test]
fn a_crash_at_any_write_of_a_pre_copy_costs_nothing_but_the_pre_copy() -> Result<()> {
    let points = every_point(|snapshots, data| {
        snapshots.pre_copy(data, &plain(), &mut |_| {})?;
        Ok(())
    })?;
    ensure!(points > 60, "only {points} points");
    Ok(())
}

/// What is at the node's path is the old folder, untouched, or the whole snapshot.
fn old_or_new(data: &Path, old: &Tree, new: &kit::Content) -> Result<bool> {
    let now = scan(data)?;
    // The exchange itself dates the folder.
    let inside =
        |tree: &Tree| tree.iter().skip(1).map(|(a, b)| (a.clone(), b.clone())).collect::<Vec<_>>();
    let is_old = inside(&now) == inside(old);
    let is_new = content(data)? == *new;
    ensure!(is_old || is_new, "neither the old nor the new folder");
    Ok(is_new)
}

#[test]
fn a_crash_at_any_write_of_a_restore_leaves_the_old_or_the_new_folder_whole() -> Result<()> {
    let wanted = plain();
    let node = "bob-1".parse()?;
    let owner = Owner { network: kit::NETWORK, node: &node };
    for nth in 0.. {
        let (_place, data, folder) = kit::small()?;
        let new = content(&data)?;
        take(&Snapshots::open(&folder)?, &data, "one", &plain())?;
        std::fs::write(data.join("chain.db"), "a newer chain")?;
        let old = scan(&data)?;
        let (hook, points) = kit::at(nth, crash);
        let restored = |snapshots: &Snapshots| -> Result<()> {
            let stopped = Stopped::vouched(&data);
            let staged = snapshots.stage(&stopped, (&name("one"), owner), &wanted, &mut |_| {})?;
            snapshots.exchange(staged)?;
            Ok(())
        };
        let reached = crashed(|| restored(&Snapshots::open_hooked(&folder, hook)?))?;
        let is_new = old_or_new(&data, &old, &new)?;
        assert!(reached != is_new, "point {nth}");
        if !reached {
            ensure!(points.load(Ordering::SeqCst) > 30, "too few points");
            return Ok(());
        }
        // What was interrupted is simply done again, and loses nobody's data.
        restored(&Snapshots::open(&folder)?)?;
        assert_eq!(content(&data)?, new, "point {nth}");
        let beside = restore::left_beside(&data)?;
        let kept = |path: &std::path::PathBuf| {
            std::fs::read(path.join("chain.db")).is_ok_and(|chain| chain == b"a newer chain")
        };
        assert!(beside.iter().any(kept), "point {nth}: {beside:?}");
    }
    unreachable!("it ends when no point is reached")
}
