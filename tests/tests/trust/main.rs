//! Who may say what: drafts, rotations, floors, serials, and every way to cheat.

mod aborts;
mod bitflips;
mod client;
mod drafts;
mod keys;
mod kit;
mod ledger;
mod listings;
mod refused;
mod roots;
mod rotation;
mod state;
