//! What a snapshot holds, on each file system.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Result;
use muster_agent::snapshot::decide::manifest::How;
use muster_agent::snapshot::{Snapshots, ahead, list};

use crate::kit::{self, content, lay_out, name, names, no_hard_link, plain, take, wanted};
use muster_tests::disk::{ALL, Disk, Kind};

fn whole(kind: Kind, clone: bool) -> Result<()> {
    let disk = Disk::new(kind)?;
    let (data, folder) = (disk.path("data"), disk.path("snapshots"));
    lay_out(&data)?;
    let (before, look) = (content(&data)?, muster_agent::snapshot::scan(&data)?);
    let snapshots = Snapshots::open(&folder)?;
    let wanted = if clone { wanted() } else { plain() };
    let manifest = take(&snapshots, &data, "one", &wanted)?;
    assert_eq!(manifest.how, if clone { kind.how() } else { How::Copied }, "{kind:?}");
    let copy = snapshots.data(&name("one"));
    assert_eq!(content(&copy)?, before, "{kind:?}");
    no_hard_link(&data, &copy)?;
    let blob = fs::metadata(copy.join("blob.db"))?;
    assert!(blob.blocks() * 512 < 1 << 20, "{kind:?}: {} blocks of a file of holes", blob.blocks());
    assert_eq!(muster_agent::snapshot::scan(&data)?, look, "{kind:?}: the node's folder");
    snapshots.verify(&name("one"), None, &mut |_| {})?;
    assert_eq!(names(&folder), ["one"]);
    assert_eq!(names(&folder.join("one")), ["data", "manifest.json", "verified"]);
    Ok(())
}

#[test]
fn a_snapshot_keeps_content_links_holes_rights_owners_and_times_on_ext4() -> Result<()> {
    whole(Kind::Ext4, true)
}

#[test]
fn a_snapshot_shares_blocks_on_xfs() -> Result<()> {
    whole(Kind::Xfs, true)
}

#[test]
fn a_snapshot_shares_blocks_on_btrfs() -> Result<()> {
    whole(Kind::Btrfs, true)
}

#[test]
fn a_plain_copy_is_the_same_on_file_systems_that_share_blocks() -> Result<()> {
    [Kind::Xfs, Kind::Btrfs].into_iter().try_for_each(|kind| whole(kind, false))
}

#[test]
fn a_snapshot_stays_as_it_was_while_the_node_writes_in_place() -> Result<()> {
    for kind in ALL {
        let disk = Disk::new(kind)?;
        let (data, folder) = (disk.path("data"), disk.path("snapshots"));
        lay_out(&data)?;
        let before = content(&data)?;
        let snapshots = Snapshots::open(&folder)?;
        take(&snapshots, &data, "one", &wanted())?;
        let chain = fs::File::options().write(true).open(data.join("chain.db"))?;
        std::os::unix::fs::FileExt::write_all_at(&chain, b"another block", 5_000_000)?;
        chain.sync_all()?;
        assert_ne!(content(&data)?, before);
        snapshots.verify(&name("one"), None, &mut |_| {})?;
        assert_eq!(content(&snapshots.data(&name("one")))?, before, "{kind:?}");
    }
    Ok(())
}

#[test]
fn what_is_said_beforehand_is_what_is_done_and_changes_nothing() -> Result<()> {
    for kind in ALL {
        let disk = Disk::new(kind)?;
        let (data, folder) = (disk.path("data"), disk.path("snapshots"));
        lay_out(&data)?;
        let look = muster_agent::snapshot::scan(&disk.path(""))?;
        let said = ahead(&data, &folder, &wanted())?;
        let rate = muster_agent::snapshot::sample::rate(&data, &folder)?;
        assert!(rate.is_some_and(|rate| rate > 0), "{rate:?}");
        assert_eq!(muster_agent::snapshot::scan(&disk.path(""))?, look, "{kind:?}");
        assert_eq!((said.how, said.sum.files), (kind.how(), 7));
        let copied = u64::try_from(kit::CHAIN_BYTES)? + 3 * 40_000;
        match said.how {
            How::Cloned => assert_eq!((said.load.read, said.need), (0, 0)),
            How::Copied => assert!(said.load.write >= copied && said.load.write < copied + 65_536),
        }
        let snapshots = Snapshots::open(&folder)?;
        let captured = snapshots.capture(
            &muster_agent::snapshot::Stopped::vouched(&data),
            (&name("one"), &kit::origin()),
            &wanted(),
            &mut |_| {},
        )?;
        assert_eq!((captured.how(), captured.load), (said.how, said.load), "{kind:?}");
        snapshots.discard(captured);
        assert_eq!(names(&folder), [""; 0]);
    }
    Ok(())
}

#[test]
fn a_rate_is_kept_and_progress_is_told() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    let snapshots = Snapshots::open(&folder)?;
    let mut told = Vec::new();
    let slow = muster_agent::snapshot::Wanted { rate: Some(30 << 20), ..plain() };
    let stopped = muster_agent::snapshot::Stopped::vouched(&data);
    let origin = kit::origin();
    let begin = std::time::Instant::now();
    let captured =
        snapshots.capture(&stopped, (&name("one"), &origin), &slow, &mut |one| told.push(one))?;
    // 9 MiB and 16 MiB of holes at 30 MiB a second.
    assert!(begin.elapsed().as_millis() >= 830, "{:?}", begin.elapsed());
    assert!(told.is_sorted_by_key(|one| one.done));
    assert!(told.last().is_some_and(|last| last.done == last.all), "{told:?}");
    snapshots.keep(&captured)?;
    // What is complete is finished by the next command, also after a crash.
    drop(snapshots);
    let snapshots = Snapshots::open(&folder)?;
    assert_eq!(snapshots.tidy()?, [name("one")]);
    snapshots.seal(&name("one"), None, &mut |_| {})?;
    assert_eq!(list(&folder)?.len(), 1);
    Ok(())
}
