-- All that a board holds. Bytes are kept as they were signed; columns beside them only find them.
-- Times are Unix seconds unless the name says otherwise.

CREATE TABLE board (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    network TEXT    NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE roots (
    version  INTEGER PRIMARY KEY,
    metadata BLOB    NOT NULL
) STRICT;

-- `targets`, delegated roles, snapshot and timestamp. The newest of a role is the highest `seq`:
-- versions may fall when a new root replaces the keys of an online role.
CREATE TABLE metadata (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    role     TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    metadata BLOB    NOT NULL
) STRICT;
CREATE INDEX metadata_by_role ON metadata (role, seq);

CREATE TABLE targets (
    path    TEXT    NOT NULL,
    digest  TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    content BLOB    NOT NULL,
    PRIMARY KEY (path, digest)
) STRICT;

-- One row per `Publish` that was taken.
CREATE TABLE publications (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    person  TEXT    NOT NULL,
    role    TEXT    NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE plans (
    class        TEXT    NOT NULL,
    serial       INTEGER NOT NULL,
    digest       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    published_ms INTEGER NOT NULL,
    PRIMARY KEY (class, serial, digest)
) STRICT;

CREATE TABLE receipts (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    node     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    counter  INTEGER NOT NULL,
    plan     TEXT    NOT NULL,
    taken    INTEGER NOT NULL,
    envelope BLOB    NOT NULL,
    UNIQUE (node, key, counter)
) STRICT;
CREATE INDEX receipts_by_plan ON receipts (plan, seq);

CREATE TABLE beacons (
    node     TEXT PRIMARY KEY,
    key      TEXT NOT NULL,
    envelope BLOB NOT NULL
) STRICT;

-- Two receipts of one agent with one counter: the proof of its quarantine.
CREATE TABLE doubles (
    node   TEXT NOT NULL,
    key    TEXT NOT NULL,
    first  BLOB NOT NULL,
    second BLOB NOT NULL,
    PRIMARY KEY (node, key)
) STRICT;

CREATE TABLE holds (
    class  TEXT    NOT NULL,
    serial INTEGER NOT NULL,
    person TEXT    NOT NULL,
    reason TEXT    NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (class, serial)
) STRICT;

CREATE TABLE refusals (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    node    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    code    TEXT    NOT NULL,
    text    TEXT    NOT NULL,
    subject TEXT    NOT NULL
) STRICT;

CREATE TABLE attachments (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    node     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    attached INTEGER NOT NULL
) STRICT;
