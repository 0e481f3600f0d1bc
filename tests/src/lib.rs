//! Stand-in node, fleet, faults and benchmarks: the only crate that sees both sides.

pub mod faults;
pub mod fleet;
pub mod image;
pub mod node;
pub mod referee;
<<<<<<< HEAD
pub mod rules;
=======
pub mod tuf;
>>>>>>> 6b9dc352fde8e8d281868f984c4dee6878f25825
