//! The author's side: YAML for people, lint, and the way to what is signed.
//!
//! ```text
//! text ─ read ─▶ PlanYaml … ─ freeze (compile, lint) ─▶ Plan ─ canonical JSON ─▶ signed
//! ```
//! Nothing here reads a file, a clock or a network: texts, verified documents and `now` come in.

pub mod codes;
mod diagnostic;
pub mod document;
pub mod enrol;
pub mod estimate;
mod fields;
pub mod finding;
pub mod freeze;
pub mod keys;
pub mod known;
pub mod lint;
pub mod nearest;
mod node;
pub mod plan;
pub mod release;
pub mod roster;
pub mod roster_edit;
pub mod source;
pub mod summary;
pub mod values;
pub mod words;
mod yaml;

pub use codes::{Code, Severity};
pub use document::{AuthorDocument, Parsed, read};
pub use enrol::Enrol;
pub use finding::{Finding, Refused};
pub use freeze::{Frozen, Written, freeze, lint_plan, recheck};
pub use keys::{KeysYaml, RootYaml};
pub use known::Known;
pub use plan::PlanYaml;
pub use release::ReleaseYaml;
pub use roster::RosterYaml;
pub use yaml::MAX_BYTES;
