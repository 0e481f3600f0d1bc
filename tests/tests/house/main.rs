//! The house itself: how its code reads, and that every refusal has its test.

mod refusals;
mod tidy;
