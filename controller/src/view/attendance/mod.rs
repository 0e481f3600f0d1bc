//! `muster attendance`: who took part in a plan, when and how, fit to be published.

mod csv;
mod html;
mod text;
mod timeline;

#[cfg(test)]
mod tests;

use muster_proto::audit::Attendance;
use serde::Serialize;

pub use csv::csv;
pub use html::html;

/// The attendance, and what does not hold in the proof of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Recomputed from signed documents and receipts.
    #[serde(flatten)]
    pub attendance: Attendance,
    /// The first thing that does not hold: its code and words.
    pub doubt: Option<String>,
}
