//! What people write: examples, lint, refusals, properties.

mod examples;
mod lint;
mod property;
mod refused;
mod roster;
