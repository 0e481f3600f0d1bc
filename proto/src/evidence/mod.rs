//! What nodes say of themselves: receipts (signed, chained) and beacons (signed, newest counts).
//!
//! An envelope is DSSE (<https://github.com/secure-systems-lab/dsse>): the signature covers
//! payload type and payload bytes, so nothing is parsed before it verified.

pub mod beacon;
pub mod book;
pub mod chain;
pub mod dsse;
mod fold;
pub mod proof;
pub mod receipt;

pub use beacon::Beacon;
pub use book::{Book, BookError};
pub use chain::{Added, Chain, ChainError, Head};
pub use dsse::{Envelope, EnvelopeError};
pub use proof::Proof;
pub use receipt::{Event, Receipt};
