//! A plan played through: the very same decision code, over a world of one's choice.
//!
//! Pure and repeatable: the same plan, roster, options and seed give the same timeline. The
//! network of this world is honest and quick; what a dishonest one can do is shown by the
//! property tests, which run the same decisions.

mod actor;
mod fault;
mod options;
mod random;
mod seats;
mod steps;
mod text;
mod timeline;
mod wait;
mod world;

pub use fault::{BadOption, Fault, Place};
pub use options::{Options, Span, Times};
pub use timeline::{Entry, Never, Timeline, What};

use crate::documents::{Plan, Roster};

/// Plays the plan through from the first moment of its validity.
///
/// # Errors
/// [`BadOption`] when a fault or an absence cannot happen in this plan.
pub fn run(plan: &Plan, roster: &Roster, options: &Options) -> Result<Timeline, BadOption> {
    options.check(plan)?;
    Ok(world::World::new(plan, roster, options).play())
}

/// How long the plan takes in milliseconds: when everybody is quick and misses no block, and
/// when everybody needs the usual time.
///
/// # Errors
/// None without faults and absences; the same type as [`run`].
pub fn estimate(plan: &Plan, roster: &Roster) -> Result<(u64, u64), BadOption> {
    let with = |times| Options { times, ..Options::default() };
    let shortest = run(plan, roster, &with(Times::shortest()))?;
    let usual = run(plan, roster, &with(Times::default()))?;
    Ok((shortest.duration_ms, usual.duration_ms))
}

#[cfg(test)]
mod tests;
