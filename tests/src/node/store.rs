//! The node's data: blocks appended to `chain.db`, and the lock that fences a second process off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::referee::wire::Block;

/// An open `chain.db`, locked as long as it lives.
#[derive(Debug)]
pub struct Store {
    file: File,
}

impl Store {
    /// Opens the file, waits for its lock silently and for as long as it takes, and reads its blocks.
    ///
    /// # Errors
    /// When it cannot be opened for writing.
    pub async fn open(path: &Path) -> io::Result<(Self, Vec<Block>)> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
        let mut file = locked.await.map_err(io::Error::other)??;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let blocks = read(&text);
        let whole = blocks.len();
        let kept: usize = text.split_inclusive('\n').take(whole).map(str::len).sum();
        // A kill in the middle of a write leaves half a line.
        file.set_len(kept as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { file }, blocks))
    }

    /// Appends one block in a single write, so that a kill leaves it whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, block: &Block) -> io::Result<()> {
        let mut line = serde_json::to_string(block)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())
    }
}

/// The whole lines at the beginning that follow on each other.
fn read(text: &str) -> Vec<Block> {
    let lines = text.split_inclusive('\n').filter(|l| l.ends_with('\n'));
    let blocks = lines.map_while(|line| serde_json::from_str::<Block>(line).ok());
    let in_order = blocks.zip(1..).take_while(|(block, height)| block.height == *height);
    in_order.map(|(block, _)| block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_kill_tore_is_dropped_and_the_rest_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/chain.db");
        let first = Block::after(None, "io1a", 5);
        let second = Block::after(Some(&first), "io1b", 10);
        let (mut store, _) = Store::open(&path).await.unwrap();
        store.append(&first).unwrap();
        drop(store);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"height\":2,\"ha").unwrap();
        let (mut store, blocks) = Store::open(&path).await.unwrap();
        assert_eq!(blocks, std::slice::from_ref(&first));
        store.append(&second).unwrap();
        drop(store);
        let (_, blocks) = Store::open(&path).await.unwrap();
        assert_eq!(blocks, [first, second]);
    }
}
