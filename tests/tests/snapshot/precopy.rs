//! A copy while the node runs: it saves work and is never believed.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use muster_agent::snapshot::{Snapshots, Stopped, Wanted, ahead};

use crate::kit::{content, lay_out, name, names, noise, noting, origin, plain, take, wanted};
use muster_tests::disk::{Disk, Kind};

/// Bytes at a place of a file, as a database writes them.
fn write(path: &Path, at: u64) -> Result<()> {
    let file = File::options().write(true).open(path)?;
    file.write_all_at(b"another page", at)?;
    Ok(())
}

fn count(words: &[&str], word: &str) -> usize {
    words.iter().filter(|one| **one == word).count()
}

#[test]
fn only_the_difference_is_written_afterwards() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    let (hook, words) = noting();
    let snapshots = Snapshots::open_hooked(&folder, hook)?;
    assert!(snapshots.pre_copy(&data, &plain(), &mut |_| {})?);
    assert_eq!(names(&folder), ["pre-copy.partial"]);
    // One page of three pieces, a new file, one gone, one replaced by a folder, one shorter.
    write(&data.join("chain.db"), 5_000_000)?;
    fs::write(data.join("trie.db/000004.sst"), noise(10_000, 4))?;
    fs::remove_file(data.join("trie.db/000001.sst"))?;
    fs::remove_file(data.join("trie.db/000002.sst"))?;
    fs::create_dir(data.join("trie.db/000002.sst"))?;
    File::options().write(true).open(data.join("trie.db/000003.sst"))?.set_len(7)?;
    let said = ahead(&data, &folder, &plain())?;
    assert!(said.need < 1 << 20, "{said:?}");

    words.lock().expect("no panic").clear();
    let before = content(&data)?;
    let manifest = take(&snapshots, &data, "one", &plain())?;
    assert_eq!(content(&snapshots.data(&name("one")))?, before);
    assert_eq!(manifest.entries.len(), before.len());
    let words = words.lock().expect("no panic").clone();
    // The page's piece, the new file, the one that became shorter: nothing else.
    assert_eq!(count(&words, "piece"), 3, "{words:?}");
    assert_eq!(names(&folder), ["one"]);
    Ok(())
}

#[test]
fn what_nobody_wrote_since_is_not_even_read() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    // A file that was changed a moment before it was read could change again unseen.
    let read = |thorough| -> Result<u64> {
        let _ = fs::remove_dir_all(&folder);
        let snapshots = Snapshots::open(&folder)?;
        settle(&data)?;
        snapshots.pre_copy(&data, &plain(), &mut |_| {})?;
        let (stopped, wanted) = (Stopped::vouched(&data), Wanted { thorough, ..plain() });
        let one = (&name("one"), &origin());
        let captured = snapshots.capture(&stopped, one, &wanted, &mut |_| {})?;
        let load = captured.load;
        snapshots.keep(&captured)?;
        snapshots.seal(&name("one"), None, &mut |_| {})?;
        Ok(load.read)
    };
    assert_eq!(read(false)?, 0);
    assert!(read(true)? > 9 << 20);
    Ok(())
}

/// Waits until the clock is further than the last change of everything in a folder by more than
/// its coarsest tick; the limit is in the pure part, one second.
fn settle(data: &Path) -> Result<()> {
    let changed = |path: &Path| -> Result<i64> {
        Ok(muster_agent::snapshot::scan(path)?
            .values()
            .map(|it| it.mark.changed_ns)
            .max()
            .unwrap_or(0))
    };
    let until = changed(data)? + 1_100_000_000;
    let deadline = SystemTime::now() + Duration::from_secs(5);
    while SystemTime::now() < deadline {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        if i64::try_from(now.as_nanos())? > until {
            return Ok(());
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    anyhow::bail!("the clock stands still")
}

#[test]
fn a_node_that_writes_during_the_pre_copy_is_copied_as_it_is_when_it_stops() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (data, folder) = (place.path().join("data"), place.path().join("snapshots"));
    lay_out(&data)?;
    let inside = data.clone();
    // Writes behind the copy's back, puts the time of the file back, grows, removes, adds.
    let writes = Arc::new(move |word: &'static str| {
        if !matches!(word, "piece" | "file") || !inside.join("trie.db").exists() {
            return;
        }
        let chain = File::options().write(true).open(inside.join("chain.db")).expect("chain.db");
        let modified = chain.metadata().and_then(|about| about.modified()).expect("a time");
        chain.write_all_at(b"behind", 100).expect("written");
        chain.set_times(FileTimes::new().set_modified(modified)).expect("set back");
        let _ = fs::remove_file(inside.join("trie.db/000002.sst"));
        fs::write(inside.join("trie.db/000009.sst"), noise(5_000, 9)).expect("written");
    });
    let snapshots = Snapshots::open_hooked(&folder, writes)?;
    snapshots.pre_copy(&data, &plain(), &mut |_| {})?;
    // Once more, as an operator does shortly before the stop.
    snapshots.pre_copy(&data, &plain(), &mut |_| {})?;
    drop(snapshots);
    let before = content(&data)?;
    let snapshots = Snapshots::open(&folder)?;
    take(&snapshots, &data, "one", &plain())?;
    assert_eq!(content(&snapshots.data(&name("one")))?, before);
    Ok(())
}

#[test]
fn where_blocks_are_shared_nothing_is_copied_beforehand() -> Result<()> {
    for kind in [Kind::Xfs, Kind::Btrfs] {
        let disk = Disk::new(kind)?;
        let (data, folder) = (disk.path("data"), disk.path("snapshots"));
        lay_out(&data)?;
        let snapshots = Snapshots::open(&folder)?;
        assert!(!snapshots.pre_copy(&data, &wanted(), &mut |_| {})?);
        assert_eq!(names(&folder), [""; 0]);
        // A plain pre-copy does not disturb a clone that follows it.
        snapshots.pre_copy(&data, &plain(), &mut |_| {})?;
        File::options().write(true).open(data.join("chain.db"))?.set_len(5_000)?;
        let before = content(&data)?;
        assert_eq!(take(&snapshots, &data, "one", &wanted())?.how, kind.how());
        assert_eq!(content(&snapshots.data(&name("one")))?, before);
    }
    Ok(())
}
