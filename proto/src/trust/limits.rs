//! Limits on everything that is read before it is believed.

/// Largest root, in bytes: a hundred officers with names and signatures fit.
pub const ROOT_BYTES: usize = 128 * 1024;

/// Largest timestamp, in bytes; it pins one file.
pub const TIMESTAMP_BYTES: usize = 16 * 1024;

/// Largest snapshot, in bytes; it pins six files.
pub const SNAPSHOT_BYTES: usize = 64 * 1024;

/// Largest `targets` or delegated role, in bytes: 512 targets of 300 bytes and signatures.
pub const ROLE_BYTES: usize = 512 * 1024;

/// Largest target, in bytes: a genesis file of 1 MiB, or the roster of some thousand nodes.
pub const TARGET_BYTES: usize = 2 * 1024 * 1024;

/// All targets held together, in bytes.
pub const ALL_TARGETS_BYTES: usize = 24 * 1024 * 1024;

/// Targets that one role may list.
pub const TARGETS_PER_ROLE: usize = 512;

/// Roots in one offer. Who is further behind takes several offers.
pub const ROOTS_PER_OFFER: usize = 64;

/// Roles or targets in one offer.
pub const ENTRIES_PER_OFFER: usize = 3000;

/// Files that a snapshot may pin.
pub const PINS_PER_SNAPSHOT: usize = 32;

/// Keys that one role may list.
pub const KEYS_PER_ROLE: usize = 64;

/// Largest private key file, in bytes.
pub const KEY_FILE_BYTES: usize = 8 * 1024;

/// Largest draft file, in bytes: a whole board in base64.
pub const DRAFT_BYTES: usize = 48 * 1024 * 1024;

/// Serials that one plan may skip, and no more: a stolen key burns at most this many at a time.
pub const SERIAL_STEP: u64 = 1000;
