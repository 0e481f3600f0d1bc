//! What is refused, by its code, with nothing left behind.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use muster_agent::snapshot::{Snapshots, Wanted, ahead};

use crate::kit::{lay_out, name, names, plain, take, wanted};
use muster_tests::disk::{Disk, Kind};

/// Takes one and says by which code it was refused.
#[track_caller]
fn code(snapshots: &Snapshots, data: &Path) -> String {
    let error = take(snapshots, data, "one", &wanted()).expect_err("refused").to_string();
    let (code, rest) = error.split_once(": ").expect("a code");
    assert!(!rest.is_empty());
    code.into()
}

#[test]
fn what_is_no_file_folder_or_link_is_refused_by_name() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    let snapshots = Snapshots::open(&folder)?;
    let odd = data.join("trie.db").join("odd");
    let named = |program: &str, args: &[&str]| -> Result<()> {
        ensure!(Command::new(program).arg(&odd).args(args).status()?.success(), "{program}");
        Ok(())
    };
    let _socket = UnixListener::bind(&odd)?;
    let said = take(&snapshots, &data, "one", &wanted()).expect_err("a socket").to_string();
    assert!(said.starts_with("E404: ") && said.contains("trie.db/odd is a socket"), "{said}");
    fs::remove_file(&odd)?;
    named("mkfifo", &[])?;
    assert_eq!(code(&snapshots, &data), "E404");
    fs::remove_file(&odd)?;
    named("mknod", &["c", "1", "3"])?;
    assert_eq!(code(&snapshots, &data), "E404");
    fs::remove_file(&odd)?;
    let strange: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
    fs::write(data.join(strange), "")?;
    assert_eq!(code(&snapshots, &data), "E404");
    fs::remove_file(data.join(strange))?;
    assert_eq!(names(&folder), [""; 0]);
    take(&snapshots, &data, "one", &wanted())?;
    Ok(())
}

#[test]
fn another_file_system_inside_the_data_is_refused() -> Result<()> {
    let disk = Disk::new(Kind::Ext4)?;
    let (data, folder) = (disk.path("data"), disk.path("snapshots"));
    lay_out(&data)?;
    disk.run("mount -t tmpfs -o size=64k tmpfs data/actpool.cache")?;
    let snapshots = Snapshots::open(&folder)?;
    assert_eq!(code(&snapshots, &data), "E403");
    assert_eq!(names(&folder), [""; 0]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_copied() -> Result<()> {
    let disk = Disk::of(Kind::Ext4, 18)?;
    let (data, folder) = (disk.path("data"), disk.path("snapshots"));
    lay_out(&data)?;
    assert_eq!(code(&Snapshots::open(&folder)?, &data), "E405");
    assert_eq!(names(&folder), [""; 0]);
    let said = ahead(&data, &folder, &wanted())?.enough(&folder, 0).expect_err("no space");
    assert!(said.to_string().starts_with("E405: "), "{said}");

    let roomy = Disk::new(Kind::Ext4)?;
    let (data, folder) = (roomy.path("data"), roomy.path("snapshots"));
    lay_out(&data)?;
    let snapshots = Snapshots::open(&folder)?;
    let greedy = Wanted { leave: 110 << 20, ..wanted() };
    let said = take(&snapshots, &data, "one", &greedy).expect_err("too little stays free");
    assert!(said.to_string().starts_with("E405: "), "{said}");
    take(&snapshots, &data, "one", &wanted())?;
    Ok(())
}

#[test]
fn data_that_changes_while_it_is_copied_is_refused() -> Result<()> {
    for (at, word) in ["piece", "dress", "sync"].into_iter().enumerate() {
        let place = tempfile::tempdir()?;
        let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
        lay_out(&data)?;
        let chain = data.join("chain.db");
        let writes = std::sync::Arc::new(move |seen: &'static str| {
            if seen == word {
                let file = fs::File::options().write(true).open(&chain).expect("it is there");
                std::os::unix::fs::FileExt::write_all_at(&file, b"x", 8_000_000 + at as u64)
                    .expect("it is written");
            }
        });
        let snapshots = Snapshots::open_hooked(&folder, writes)?;
        let said = take(&snapshots, &data, "one", &plain()).expect_err(word).to_string();
        assert!(said.starts_with("E408: ") && said.contains("chain.db"), "{word}: {said}");
        assert_eq!(names(&folder), [""; 0]);
    }
    Ok(())
}

#[test]
fn one_name_one_snapshot_and_one_command_at_a_time() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    let snapshots = Snapshots::open(&folder)?;
    take(&snapshots, &data, "one", &wanted())?;
    assert_eq!(code(&snapshots, &data), "E410");
    snapshots.verify(&name("one"), None, &mut |_| {})?;
    let busy = Snapshots::open(&folder).err().expect("it is held").to_string();
    assert!(busy.starts_with("E414: "), "{busy}");
    drop(snapshots);
    let snapshots = Snapshots::open(&folder)?;
    let unknown = snapshots.verify(&name("two"), None, &mut |_| {}).expect_err("none").to_string();
    assert!(unknown.starts_with("E411: "), "{unknown}");
    Ok(())
}

#[test]
fn snapshots_inside_the_data_are_refused() -> Result<()> {
    let place = tempfile::tempdir()?;
    let data = place.path().join("data");
    lay_out(&data)?;
    let before = crate::kit::content(&data)?;
    for folder in [data.join("trie.db"), place.path().into(), data.clone()] {
        let said = ahead(&data, &folder, &wanted()).expect_err("inside").to_string();
        assert!(said.starts_with("E417: "), "{said}");
        let snapshots = Snapshots::open(&folder)?;
        assert_eq!(code(&snapshots, &data), "E417");
        let early = snapshots.pre_copy(&data, &wanted(), &mut |_| {}).expect_err("inside");
        assert!(early.to_string().starts_with("E417: "), "{early}");
        fs::remove_file(folder.join(".lock"))?;
    }
    let now = crate::kit::content(&data)?;
    let files =
        |all: &std::collections::BTreeMap<String, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(files(&now), files(&before));
    Ok(())
}
