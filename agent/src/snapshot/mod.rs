//! Snapshots of a node's data: taken only while it is verified down, believed only when all of it
//! was read back, put back by one exchange of names.
//!
//! ```text
//! <snapshots>/pre-copy.partial/    copied while the node ran; record.json says what
//! <snapshots>/NAME.partial/        half-made, removed by the next command; with captured.json
//!                                  complete, and only to be sealed
//! <snapshots>/NAME/manifest.json   names, sizes, rights, owners, times, digests
//! <snapshots>/NAME/data/           the folder itself
//! <snapshots>/NAME/verified        when it last proved to be whole
//! ```
//! How it is used:
//! ```text
//! snapshots.pre_copy(&data, &wanted, tell)              // the node runs; saves time later
//! let stopped = NodeData::find(..).stopped(&engine)     // the node is down
//! let captured = snapshots.capture(&stopped, ..)
//! stopped.still(&engine)                                // and was so all the time
//! snapshots.keep(&captured)                             // the node may run again
//! snapshots.seal(&name, ..)                             // read back; whole from now on
//!
//! let staged = snapshots.stage(&stopped, ..)            // verified, beside the node's folder
//! stopped.still(&engine)
//! snapshots.exchange(staged) -> where the old folder is
//! ```

pub mod decide;
mod error;
mod lay;
mod pace;
mod pump;
pub mod restore;
pub mod sample;
mod scan;
pub mod space;
pub mod stopped;
mod store;
mod take;
mod verify;

use std::sync::Arc;

pub use error::{Kind, SnapshotError};
pub use pace::{Phase, Progress};
pub use restore::{Owner, Staged};
pub use scan::scan;
pub use stopped::{NodeData, Stopped};
pub use store::{Listed, Snapshots, list};
pub use take::{Ahead, Captured, Wanted, ahead};

/// Is called before each write, with a word for what it is: tests let the disk fill up there.
pub type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;
