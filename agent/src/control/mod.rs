//! How the command line reaches the daemon: a unix socket for its owner alone, JSON lines.

pub mod client;
pub mod protocol;
pub mod said;
pub mod server;
pub mod view;

pub use protocol::{PlanName, Question, Refused, Reply};
pub use server::Asked;
