//! Stand-in node, fleet, faults and benchmarks: the only crate that sees both sides.

pub mod bench;
pub mod faults;
pub mod fleet;
pub mod image;
pub mod node;
pub mod referee;
<<<<<<< HEAD
pub mod rules;
pub mod tuf;
=======
pub mod registry;
>>>>>>> 2b1ce07166e9351375f9813f132b1042bd808b5b
