//! A snapshot put back: the same folder at the same path, the old one beside it.

use std::fs;

use anyhow::Result;
use muster_agent::snapshot::restore::{left_beside, remove_old};
use muster_agent::snapshot::{Owner, SnapshotError, Snapshots, Staged, Stopped, Wanted, scan};

use crate::kit::{NETWORK, content, lay_out, name, names, no_hard_link, plain, take, wanted};
use muster_tests::disk::{ALL, Disk, Kind};

fn stage(
    snapshots: &Snapshots,
    data: &std::path::Path,
    (network, node): (&str, &str),
    wanted: &Wanted,
) -> Result<Staged, SnapshotError> {
    let node = node.parse().expect("a name");
    let owner = Owner { network, node: &node };
    snapshots.stage(&Stopped::vouched(data), (&name("one"), owner), wanted, &mut |_| {})
}

#[test]
fn restored_data_is_back_at_the_same_path_and_the_old_is_beside_it() -> Result<()> {
    for (kind, wanted) in ALL.into_iter().flat_map(|kind| [(kind, wanted()), (kind, plain())]) {
        let disk = Disk::new(kind)?;
        let data = disk.path("data");
        lay_out(&data)?;
        let before = content(&data)?;
        let snapshots = Snapshots::open(&disk.path("snapshots"))?;
        take(&snapshots, &data, "one", &wanted)?;
        fs::write(data.join("chain.db"), "a newer chain")?;
        fs::write(data.join("new.db"), "")?;
        let newer = content(&data)?;
        let staged = stage(&snapshots, &data, (NETWORK, "bob-1"), &wanted)?;
        assert_eq!(content(&data)?, newer, "{kind:?}: nothing happens before the exchange");
        let old = snapshots.exchange(staged)?.expect("there was one");
        assert_eq!(content(&data)?, before, "{kind:?}");
        assert_eq!(content(&old)?, newer, "{kind:?}");
        assert_eq!(left_beside(&data)?, std::slice::from_ref(&old));
        no_hard_link(&data, &snapshots.data(&name("one")))?;
        remove_old(&old)?;
        assert_eq!(left_beside(&data)?, [""; 0].map(std::path::PathBuf::from));
        snapshots.verify(&name("one"), None, &mut |_| {})?;
    }
    Ok(())
}

#[test]
fn data_that_is_gone_altogether_is_put_back() -> Result<()> {
    let place = tempfile::tempdir()?;
    let data = place.path().join("data");
    lay_out(&data)?;
    let before = content(&data)?;
    let snapshots = Snapshots::open(&place.path().join("snapshots"))?;
    take(&snapshots, &data, "one", &plain())?;
    fs::remove_dir_all(&data)?;
    let staged = stage(&snapshots, &data, (NETWORK, "bob-1"), &plain())?;
    assert_eq!(snapshots.exchange(staged)?, None);
    assert_eq!(content(&data)?, before);
    assert_eq!(names(place.path()), ["data", "snapshots"]);
    Ok(())
}

#[test]
fn a_node_never_gets_the_data_of_another_or_of_another_network() -> Result<()> {
    let place = tempfile::tempdir()?;
    let data = place.path().join("data");
    lay_out(&data)?;
    let snapshots = Snapshots::open(&place.path().join("snapshots"))?;
    take(&snapshots, &data, "one", &plain())?;
    let look = scan(&data)?;
    for who in [(NETWORK, "carol-1"), ("mainnet", "bob-1")] {
        let said = stage(&snapshots, &data, who, &plain()).expect_err("another's").to_string();
        assert!(said.starts_with("E418: ") && said.contains("bob-1 of testnet"), "{said}");
    }
    assert_eq!(scan(&data)?, look);
    assert_eq!(names(place.path()), ["data", "snapshots"]);
    Ok(())
}

#[test]
fn a_folder_that_is_a_file_system_of_its_own_cannot_be_exchanged() -> Result<()> {
    let disk = Disk::new(Kind::Ext4)?;
    let data = disk.path("data");
    lay_out(&data)?;
    let snapshots = Snapshots::open(&disk.path("snapshots"))?;
    take(&snapshots, &data, "one", &plain())?;
    disk.run("mount -t tmpfs -o size=64k tmpfs data")?;
    let said = stage(&snapshots, &data, (NETWORK, "bob-1"), &plain()).expect_err("mounted");
    assert!(said.to_string().starts_with("E415: "), "{said}");
    // Mounted while it was copied: the exchange itself is refused, and nothing is left.
    disk.run("umount data")?;
    let staged = stage(&snapshots, &data, (NETWORK, "bob-1"), &plain())?;
    disk.run("mount -t tmpfs -o size=64k tmpfs data")?;
    let said = snapshots.exchange(staged).expect_err("mounted").to_string();
    assert!(said.starts_with("E415: "), "{said}");
    disk.run("umount data")?;
    assert_eq!(names(&disk.path("")), ["data", "lost+found", "snapshots"]);
    Ok(())
}
