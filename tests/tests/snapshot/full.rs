//! A disk that fills up at each write, in a loop, on a small ext4: refused by code, the node's
//! folder as it was, nothing left behind, and the next one whole.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use muster_agent::snapshot::{Owner, SnapshotError, Snapshots, Stopped, list, scan};

use crate::kit::{self, content, lay_out, name, names, plain, take};
use muster_tests::disk::{Disk, Kind};

/// Enough for the data twice, and a little.
const MIB: u64 = 40;

/// Runs `work` once for each of its writes, with the disk full from that write on; returns how
/// many ended in a refusal.
fn every_write(
    disk: &Arc<Disk>,
    mut work: impl FnMut(&Snapshots) -> Result<(), SnapshotError>,
    mut after: impl FnMut(&Snapshots, usize, bool) -> Result<()>,
) -> Result<usize> {
    let mut refused = 0;
    for nth in 0.. {
        let filled = disk.clone();
        let (hook, points) = kit::at(nth, move || filled.fill().expect("it fills"));
        let snapshots = Snapshots::open_hooked(&disk.path("snapshots"), hook)?;
        let ended = work(&snapshots);
        drop(snapshots);
        if points.load(Ordering::SeqCst) <= nth {
            ensure!(ended.is_ok(), "without a full disk: {ended:?}");
            ensure!(nth > 25, "only {nth} writes");
            return Ok(refused);
        }
        if let Err(error) = &ended {
            let text = error.to_string();
            ensure!(text.starts_with("E406: ") || text.starts_with("E405: "), "{nth}: {error:?}");
            refused += 1;
        }
        disk.free()?;
        after(&Snapshots::open(&disk.path("snapshots"))?, nth, ended.is_ok())?;
    }
    unreachable!("it ends when no write is reached")
}

#[test]
fn a_disk_that_fills_up_at_any_write_of_a_snapshot_leaves_the_node_as_it_was() -> Result<()> {
    let disk = Arc::new(Disk::of(Kind::Ext4, MIB)?);
    let data: PathBuf = disk.path("data");
    lay_out(&data)?;
    let (before, look) = (content(&data)?, scan(&data)?);
    let folder = disk.path("snapshots");
    let work = |snapshots: &Snapshots| take(snapshots, &data, "one", &plain()).map(drop);
    let refused = every_write(&disk, work, |snapshots, nth, done| {
        assert_eq!(scan(&data)?, look, "write {nth}: the node's folder");
        // Complete before the disk was full: it only has to be sealed.
        for left in snapshots.tidy()? {
            snapshots.seal(&left, None, &mut |_| {})?;
        }
        let there = names(&folder);
        assert!(there.is_empty() || there == ["one"], "write {nth}: {there:?}");
        assert!(!done || there == ["one"], "write {nth}");
        for listed in list(&folder)? {
            snapshots.verify(&listed.name, None, &mut |_| {})?;
            assert_eq!(content(&snapshots.data(&listed.name))?, before, "write {nth}");
            snapshots.remove(&listed.name)?;
        }
        Ok(())
    })?;
    // Some writes need space; those of the content never do, as theirs was reserved.
    assert!(refused > 3, "{refused}");
    Ok(())
}

#[test]
fn content_is_written_also_when_the_disk_fills_up_meanwhile() -> Result<()> {
    let disk = Arc::new(Disk::of(Kind::Ext4, MIB)?);
    let data = disk.path("data");
    lay_out(&data)?;
    let filled = disk.clone();
    let once = std::sync::Once::new();
    let hook = Arc::new(move |word: &'static str| {
        if word == "piece" {
            once.call_once(|| filled.fill().expect("it fills"));
        }
    });
    let snapshots = Snapshots::open_hooked(&disk.path("snapshots"), hook)?;
    let stopped = Stopped::vouched(&data);
    let one = (&name("one"), &kit::origin());
    let captured = snapshots.capture(&stopped, one, &plain(), &mut |_| {})?;
    disk.free()?;
    snapshots.keep(&captured)?;
    snapshots.seal(&name("one"), None, &mut |_| {})?;
    assert_eq!(content(&snapshots.data(&name("one")))?, content(&data)?);
    Ok(())
}

#[test]
fn a_disk_that_fills_up_at_any_write_of_a_restore_leaves_the_node_as_it_was() -> Result<()> {
    let disk = Arc::new(Disk::of(Kind::Ext4, MIB)?);
    let data = disk.path("data");
    lay_out(&data)?;
    take(&Snapshots::open(&disk.path("snapshots"))?, &data, "one", &plain())?;
    let snapshot = content(&disk.path("snapshots/one/data"))?;
    let node = "bob-1".parse()?;
    let owner = Owner { network: kit::NETWORK, node: &node };
    let wanted = plain();
    std::fs::write(data.join("chain.db"), "a newer chain")?;
    let look = std::cell::RefCell::new(scan(&data)?);
    let beside = || -> Result<Vec<String>> {
        let all = names(&disk.path(""));
        Ok(all.into_iter().filter(|name| name.starts_with("data.")).collect())
    };
    let work = |snapshots: &Snapshots| {
        let stopped = Stopped::vouched(&data);
        let staged = snapshots.stage(&stopped, (&name("one"), owner), &wanted, &mut |_| {})?;
        let old = snapshots.exchange(staged)?.expect("there was one");
        muster_agent::snapshot::restore::remove_old(&old)
    };
    let refused = every_write(&disk, work, |_, nth, done| {
        assert_eq!(beside()?, [""; 0], "write {nth}");
        if !done {
            assert_eq!(scan(&data)?, *look.borrow(), "write {nth}: the node's folder");
            return Ok(());
        }
        assert_eq!(content(&data)?, snapshot, "write {nth}");
        std::fs::write(data.join("chain.db"), "a newer chain")?;
        *look.borrow_mut() = scan(&data)?;
        Ok(())
    })?;
    assert!(refused > 3, "{refused}");
    Ok(())
}
