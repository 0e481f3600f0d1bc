//! A snapshot that is not what its manifest says is found out by name, and never used.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt as _, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use muster_agent::snapshot::{Owner, SnapshotError, Snapshots, Stopped, list, scan};

use crate::kit::{NETWORK, content, lay_out, name, plain, take};

struct Taken {
    _place: tempfile::TempDir,
    data: PathBuf,
    folder: PathBuf,
    snapshots: Snapshots,
}

fn taken() -> Result<Taken> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    let snapshots = Snapshots::open(&folder)?;
    take(&snapshots, &data, "one", &plain())?;
    Ok(Taken { _place: place, data, folder, snapshots })
}

type Change = fn(&Path) -> std::io::Result<()>;

/// What somebody may do to a snapshot, and how that is told.
const CHANGES: &[(&str, Change)] = &[
    ("consensus.db is missing", |data| fs::remove_file(data.join("consensus.db"))),
    ("actpool.cache is missing", |data| fs::remove_dir(data.join("actpool.cache"))),
    ("trie.db/extra does not belong there", |data| fs::write(data.join("trie.db/extra"), "")),
    ("chain.db has another content", |data| {
        File::options().write(true).open(data.join("chain.db"))?.write_all_at(b"?", 6_000_000)
    }),
    ("blob.db has another content", |data| {
        File::options().write(true).open(data.join("blob.db"))?.write_all_at(b"?", 0)
    }),
    ("chain.db has another kind, length or target", |data| {
        File::options().write(true).open(data.join("chain.db"))?.set_len(5)
    }),
    ("latest has another kind, length or target", |data| {
        fs::remove_file(data.join("latest"))?;
        symlink("trie.db/000002.sst", data.join("latest"))
    }),
    ("consensus.db has other rights", |data| {
        fs::set_permissions(data.join("consensus.db"), PermissionsExt::from_mode(0o666))
    }),
    ("trie.db.patch has another owner", |data| chown(data.join("trie.db.patch"), Some(7), None)),
    ("trie.db.patch has another time", |data| {
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        File::open(data.join("trie.db.patch"))?.set_times(times)
    }),
    ("the folder itself has other rights", |data| {
        fs::set_permissions(data, PermissionsExt::from_mode(0o700))
    }),
];

/// Neither verified nor put back, the node's folder untouched.
#[track_caller]
fn refused(taken: &Taken, code: &str, said: &str) -> Result<()> {
    let look = scan(&taken.data)?;
    let node = "bob-1".parse()?;
    let owner = Owner { network: NETWORK, node: &node };
    let stopped = Stopped::vouched(&taken.data);
    let verified = taken.snapshots.verify(&name("one"), None, &mut |_| {}).map(drop);
    let staged = |clone| {
        let wanted = muster_agent::snapshot::Wanted { clone, ..plain() };
        taken.snapshots.stage(&stopped, (&name("one"), owner), &wanted, &mut |_| {}).map(drop)
    };
    for ended in [verified, staged(true), staged(false)] {
        let error: SnapshotError = ended.expect_err(said);
        let text = error.to_string();
        assert!(text.starts_with(code) && text.contains(said), "{said}: {text}");
    }
    assert_eq!(scan(&taken.data)?, look, "{said}");
    let beside: Vec<_> = fs::read_dir(taken.data.parent().expect("a folder"))?.collect();
    assert_eq!(beside.len(), 2, "{said}: {beside:?}");
    let listed = list(&taken.folder)?;
    assert_eq!((listed.len(), listed[0].verified_at), (1, None), "no longer counted as verified");
    Ok(())
}

#[test]
fn a_file_that_is_missing_extra_or_changed_is_named_and_nothing_is_put_back() -> Result<()> {
    for (said, change) in CHANGES {
        let taken = taken()?;
        let one = taken.folder.join("one/data");
        let rooted = fs::metadata(&one)?.modified()?;
        let trie = fs::metadata(one.join("trie.db"))?.modified()?;
        change(&one)?;
        // What is told is the change itself, not that its folder has another time.
        let back = |path: &Path, at| File::open(path)?.set_times(FileTimes::new().set_modified(at));
        back(&one.join("trie.db"), trie)?;
        back(&one, rooted)?;
        refused(&taken, "E413: ", said)?;
    }
    Ok(())
}

#[test]
fn a_manifest_that_cannot_be_believed_is_of_no_use() -> Result<()> {
    let taken = taken()?;
    let path = taken.folder.join("one/manifest.json");
    let good = fs::read_to_string(&path)?;
    let bad = [
        good[..good.len() / 2].to_owned(),
        good.replace("snapshot/v1", "snapshot/v2"),
        good.replace("\"name\":\"one\"", "\"name\":\"two\""),
        good.replace(":", " : "),
        good.replacen("\"mode\"", "\"mood\"", 1),
        String::new(),
    ];
    for bad in bad {
        assert_ne!(bad, good);
        fs::write(&path, &bad)?;
        refused(&taken, "E412: ", "is damaged")?;
    }
    fs::write(&path, good)?;
    taken.snapshots.verify(&name("one"), None, &mut |_| {})?;
    assert_eq!(content(&taken.folder.join("one/data"))?, content(&taken.data)?);
    Ok(())
}

#[test]
fn what_cannot_be_read_is_neither_taken_nor_believed() -> Result<()> {
    let (_place, data, folder) = crate::kit::small()?;
    let snapshots = Snapshots::open(&folder)?;
    take(&snapshots, &data, "one", &plain())?;
    fs::remove_file(folder.join("one/manifest.json"))?;
    fs::create_dir(folder.join("one/manifest.json"))?;
    let said = snapshots.verify(&name("one"), None, &mut |_| {}).expect_err("a folder").to_string();
    assert!(said.starts_with("E407: "), "{said}");
    let gone = data.with_file_name("gone");
    let said = take(&snapshots, &gone, "two", &plain()).expect_err("no folder").to_string();
    assert!(said.starts_with("E407: "), "{said}");
    assert_eq!(crate::kit::names(&folder), ["one"]);
    Ok(())
}
