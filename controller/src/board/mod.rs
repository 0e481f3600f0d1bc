//! The bulletin board: what agents attach to, and the one task through which everything goes.
//!
//! `keeper` decides (pure), `hub` stores and passes on, `shelf` is what everybody reads, `cursor` how
//! far each reader has come, `pump` the stream that carries it to him.

pub mod command;
pub mod cursor;
pub mod refused;
pub mod shelf;

mod attach;
mod handle;
mod hub;
mod keeper;
mod pump;
mod rates;

pub use self::attach::BoardService;
pub use self::handle::Board;
pub use self::hub::{Hub, HubError};
pub use self::keeper::{Keeper, RestoreError, Status};
pub(crate) use self::pump::{Pump, QUEUE as PUMP_QUEUE};

#[cfg(test)]
mod tests;
