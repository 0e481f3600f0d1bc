//! The content of one file: cloned, copied piece by piece, or only read.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, ioctl_ficlone, openat};
use rustix::io::Errno;

use super::Hook;
use super::decide::pieces::{PIECE_BYTES, Pieces};
use super::error::SnapshotError;
use super::pace::Pace;

/// One reads while the other hashes and writes; more would only take the node's cores.
const HANDS: usize = 2;

/// Opens a file to be read, never by way of a link.
pub(super) fn open(path: &Path) -> Result<File, SnapshotError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::empty());
    opened.map(File::from).map_err(SnapshotError::read(path))
}

/// Opens a file to be written, never by way of a link, and makes it if need be.
pub(super) fn make(path: &Path) -> Result<File, SnapshotError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR);
    opened.map(File::from).map_err(SnapshotError::write(path))
}

/// Lets `target` share the blocks of `source`; false where the file system cannot.
pub(super) fn clone(source: &File, target: &File) -> Result<bool, Errno> {
    match ioctl_ficlone(target, source) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Where a copy goes.
pub(super) struct Target<'a> {
    /// The file.
    pub(super) file: &'a File,
    /// Its path, for errors.
    pub(super) path: &'a Path,
    /// What it holds already.
    pub(super) before: Option<&'a Pieces>,
    /// The parts of the source that are no holes.
    pub(super) parts: &'a [Range<u64>],
    /// Is called before each write.
    pub(super) hook: &'a Hook,
}

/// Reads `bytes` of a file, writes what is new to its target if it has one, and returns the
/// digests of what was read. A file that has become shorter has shorter pieces.
pub(super) fn pump(
    (source, path): (&File, &Path),
    bytes: u64,
    target: Option<&Target<'_>>,
    pace: &mut Pace<'_, '_>,
) -> Result<Pieces, SnapshotError> {
    let count = bytes.div_ceil(PIECE_BYTES as u64);
    let hands = HANDS.min(usize::try_from(count).unwrap_or(HANDS));
    let round = Round {
        source,
        path,
        bytes,
        target,
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        done: Mutex::new(vec![[0; 32]; usize::try_from(count).unwrap_or_default()]),
    };
    let counting = Mutex::new(pace);
    match hands {
        0 => {}
        1 => round.hand(&counting)?,
        _ => std::thread::scope(|scope| {
            let begin = |_| scope.spawn(|| round.hand(&counting));
            let hands: Vec<_> = (0..hands).map(begin).collect();
            let ended = hands.into_iter().map(|hand| match hand.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect::<Result<Vec<()>, _>>()
        })
        .map(drop)?,
    }
    let mut pieces = Pieces::default();
    let done = round.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_iter().for_each(|digest| pieces.push(digest));
    Ok(pieces)
}

/// What the hands share.
struct Round<'a> {
    source: &'a File,
    path: &'a Path,
    bytes: u64,
    target: Option<&'a Target<'a>>,
    next: AtomicU64,
    stop: AtomicBool,
    done: Mutex<Vec<[u8; 32]>>,
}

type Counting<'a, 'b, 'c> = Mutex<&'a mut Pace<'b, 'c>>;

impl Round<'_> {
    /// Takes one piece after the other until none is left.
    fn hand(&self, counting: &Counting<'_, '_, '_>) -> Result<(), SnapshotError> {
        let longest = usize::try_from(self.bytes).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let mut buffer = vec![0; longest];
        while !self.stop.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let begin = at * PIECE_BYTES as u64;
            if begin >= self.bytes {
                break;
            }
            let wanted = usize::try_from(self.bytes - begin).unwrap_or(PIECE_BYTES);
            let piece = &mut buffer[..wanted.min(PIECE_BYTES)];
            let moved = self.piece(at, begin, piece);
            if moved.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
            moved?;
            let length = piece.len() as u64;
            counting.lock().unwrap_or_else(PoisonError::into_inner).add(length);
        }
        Ok(())
    }

    fn piece(&self, at: u64, begin: u64, buffer: &mut [u8]) -> Result<(), SnapshotError> {
        let path = self.path;
        let length = read_full(self.source, buffer, begin)
            .map_err(|source| SnapshotError::Read { path: path.into(), source })?;
        let piece = &buffer[..length];
        let digest = Pieces::digest(piece);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(target) = self.target
            && target.before.and_then(|before| before.get(at)) != Some(&digest)
        {
            target.write(piece, begin)?;
        }
        self.done.lock().unwrap_or_else(PoisonError::into_inner)[at] = digest;
        Ok(())
    }
}

impl Target<'_> {
    fn write(&self, piece: &[u8], begin: u64) -> Result<(), SnapshotError> {
        let failed = |source| SnapshotError::Write { path: self.path.into(), source };
        (self.hook)("piece");
        if self.before.is_some() {
            // Zeros as well: something else may stand in their place.
            return self.file.write_all_at(piece, begin).map_err(failed);
        }
        let end = begin + piece.len() as u64;
        for part in self.parts.iter().filter(|part| part.start < end && part.end > begin) {
            let (from, to) = (part.start.max(begin), part.end.min(end));
            let within = |at: u64| usize::try_from(at - begin).unwrap_or(piece.len());
            let bytes = &piece[within(from)..within(to)];
            self.file.write_all_at(bytes, from).map_err(failed)?;
        }
        Ok(())
    }
}

fn read_full(file: &File, buffer: &mut [u8], begin: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], begin + length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
