//! The journal's file: its form, how it is opened, and what is checked before it is believed.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use super::JournalError;

/// The form that this version writes.
const FORM: i64 = 1;

/// `PRAGMA application_id`: `must`, so that another SQLite file is not taken for a journal.
const APPLICATION: i64 = 0x6d75_7374;

/// For how long a writer waits for another process (the delegate's command line).
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
-- The signed bytes: a running plan never changes definition.
CREATE TABLE plan (
    id INTEGER PRIMARY KEY, class TEXT NOT NULL, serial INTEGER NOT NULL,
    digest TEXT NOT NULL UNIQUE, plan BLOB NOT NULL, release BLOB, at TEXT NOT NULL) STRICT;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, plan INTEGER NOT NULL REFERENCES plan (id),
    at TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX record_of_plan ON record (plan, seq);
-- This agent's own receipts. A new key is a new chain.
CREATE TABLE receipt (
    chain TEXT NOT NULL, counter INTEGER NOT NULL, hash TEXT NOT NULL, plan TEXT NOT NULL,
    envelope BLOB NOT NULL, PRIMARY KEY (chain, counter)) STRICT;
-- What the operator said.
CREATE TABLE answer (
    plan TEXT PRIMARY KEY, approved INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
    at TEXT NOT NULL) STRICT;
-- Releases that were rolled back here, by the digest of the release document.
CREATE TABLE failure (
    release TEXT PRIMARY KEY, version TEXT NOT NULL, plan TEXT NOT NULL, code TEXT NOT NULL,
    why TEXT NOT NULL, at TEXT NOT NULL) STRICT;
-- Old containers (and genesis files) that stay for a while after a commit.
CREATE TABLE kept (
    container TEXT PRIMARY KEY, plan TEXT NOT NULL, since TEXT NOT NULL, before TEXT) STRICT;
-- The operator's restart policy of a container whose policy an agent set to `no`.
CREATE TABLE policy (
    container TEXT PRIMARY KEY, name TEXT NOT NULL, retries INTEGER NOT NULL) STRICT;
-- What containers of an image said they are.
CREATE TABLE version (image TEXT PRIMARY KEY, version TEXT NOT NULL) STRICT;
";

/// Opens `path` for writing; a new file appears there whole, so that nobody who looks meanwhile
/// sees half a journal.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    if !path.try_exists().map_err(|source| files(path, source))? {
        create(path)?;
    }
    let mut db = Connection::open(path)?;
    believe(path, configure(&db))?;
    match is_empty(path, &db)? {
        true => fill(&mut db)?,
        false => check(path, &db)?,
    }
    Ok(db)
}

fn create(path: &Path) -> Result<(), JournalError> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        // A crash left it there.
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(files(&new, source)),
    }
    let mut db = Connection::open(&new)?;
    fill(&mut db)?;
    db.close().map_err(|(_, error)| error)?;
    std::fs::rename(&new, path).map_err(|source| files(path, source))?;
    sync_folder(path)
}

fn fill(db: &mut Connection) -> Result<(), JournalError> {
    let all = db.transaction()?;
    all.execute_batch(TABLES)?;
    all.pragma_update(None, "application_id", APPLICATION)?;
    all.pragma_update(None, "user_version", FORM)?;
    Ok(all.commit()?)
}

/// Opens an existing journal for reading and for the operator's answers only.
pub(super) fn visit(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    believe(path, configure(&db))?;
    check(path, &db)?;
    Ok(db)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    // An intent is on the disk before its effect is applied: WAL with a sync per commit.
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)
}

/// A file that somebody made (touched) beforehand has no tables.
fn is_empty(path: &Path, db: &Connection) -> Result<bool, JournalError> {
    let count = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    Ok(believe(path, count)? == 0)
}

fn check(path: &Path, db: &Connection) -> Result<(), JournalError> {
    let pragma = |name: &str| believe(path, db.pragma_query_value(None, name, |row| row.get(0)));
    let corrupt = |what: String| JournalError::Corrupt { path: path.into(), what };
    let application: i64 = pragma("application_id")?;
    if application != APPLICATION {
        return Err(corrupt("not a journal of this program".into()));
    }
    let found: i64 = pragma("user_version")?;
    if found != FORM {
        return Err(JournalError::Newer { path: path.into(), found, known: FORM });
    }
    let sound =
        believe(path, db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)))?;
    if sound == "ok" { Ok(()) } else { Err(corrupt(sound)) }
}

/// Tells a damaged file from any other trouble of the database.
fn believe<T>(path: &Path, result: rusqlite::Result<T>) -> Result<T, JournalError> {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    result.map_err(|error| match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            JournalError::Corrupt { path: path.into(), what: error.to_string() }
        }
        _ => error.into(),
    })
}

fn files(path: &Path, source: std::io::Error) -> JournalError {
    JournalError::Files { path: path.into(), source }
}

/// The new file's name is on the disk too.
fn sync_folder(path: &Path) -> Result<(), JournalError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| files(folder, source))
}

/// SQLite's integers are signed: counters go in and out bit by bit.
pub(super) fn u64_at(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|value| value as u64)
}
