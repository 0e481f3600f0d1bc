//! Carries out what the rule decided: steps made of small effects, each journaled before and
//! after, each with its undo.
//!
//! How the daemon uses it:
//! ```text
//! Runner::new(engine: Arc<Engine>, journal: Journal, settings: Settings)
//! runner.look(metrics: bool) -> Seen                 // the node now, by id of the plan in hand; `seen.health()` for the beacon
//! runner.keep()                                      // every tick, also while nothing is open: settles what a crash left open,
//!                                                    // does what the restart policy would, lets old containers go
//! runner.observe(&ctx) -> Observed                   // stage, undoing, failed, asked, test (takes a sample when a test runs)
//! runner.run(&step, &ctx) -> Result<Ran, StepError>  // every rule::Step; Begin goes on until the old container is verified
//!                                                    // exited (or, for `start`, the node is started); one at a time
//! runner.undo(&why, &ctx) -> Result<Ran, StepError>  // call again while it returns Waits; Did(Over(RolledBack)) at the end
//! runner.unprepare(&id)                              // the plan can no longer begin: take the successor away again
//! runner.progress() -> watch::Receiver<Option<Progress>>
//! ```

mod begin;
pub mod code;
mod commit;
mod context;
mod create;
mod dry;
mod effect;
mod error;
mod examine;
mod files;
mod forward;
mod interrupt;
mod keep;
mod policy;
mod prepare;
mod pull;
mod rename;
mod runner;
mod settle;
mod stage;
mod start;
mod stop;
mod swap;
mod undo;
mod work;

pub use context::{Again, Observed, PlanContext, Progress, Ran, Settings};
pub use error::StepError;
pub use runner::Runner;
