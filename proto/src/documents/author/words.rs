//! The closed lists of words in documents.

use super::codes::Code;
use super::values::Word;
use crate::documents::ids::{Class, Counter};
use crate::documents::plan::{Compatibility, Interrupted, Then, Unmanaged, Urgency};
use crate::documents::release::Priority;
use crate::documents::roster::Role;

/// What a plan does to each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Stop and keep down.
    Stop,
    /// Start as it is.
    Start,
    /// Stop and start the same container.
    Restart,
    /// Replace it by a release.
    Upgrade,
}

/// How selected nodes are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By node name.
    Name,
    /// By operator address, then name.
    Operator,
}

/// The only thing that happens to a config for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unchanged;

impl Word for Verb {
    const WHAT: &'static str = "action";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("upgrade", Verb::Upgrade),
        ("stop", Verb::Stop),
        ("start", Verb::Start),
        ("restart", Verb::Restart),
    ];
    const LATER: &'static [(&'static str, Code)] = &[
        ("pause", Code::D150),
        ("resume", Code::D151),
        ("rollback", Code::D152),
        ("bootstrap", Code::D153),
        ("fast-sync", Code::D154),
    ];
}

impl Word for Class {
    const WHAT: &'static str = "class of plan";
    const WORDS: &'static [(&'static str, Self)] =
        &[("hotfix", Class::Hotfix), ("drill", Class::Drill), ("emergency", Class::Emergency)];
}

impl Word for Counter {
    const WHAT: &'static str = "counter of serials";
    const WORDS: &'static [(&'static str, Self)] =
        &[("ordinary", Counter::Ordinary), ("emergency", Counter::Emergency)];
}

impl Word for Urgency {
    const WHAT: &'static str = "urgency";
    const WORDS: &'static [(&'static str, Self)] =
        &[("routine", Urgency::Routine), ("urgent", Urgency::Urgent)];
}

impl Word for Compatibility {
    const WHAT: &'static str = "compatibility";
    const WORDS: &'static [(&'static str, Self)] =
        &[("compatible", Compatibility::Compatible), ("halting", Compatibility::Halting)];
    const LATER: &'static [(&'static str, Code)] = &[("non-compatible", Code::D155)];
}

impl Word for Unmanaged {
    const WHAT: &'static str = "way to count nodes without an agent";
    const WORDS: &'static [(&'static str, Self)] =
        &[("away", Unmanaged::Away), ("assume-up", Unmanaged::AssumeUp)];
    const LATER: &'static [(&'static str, Code)] = &[("witness", Code::D157)];
}

impl Word for Then {
    const WHAT: &'static str = "answer to failures";
    const WORDS: &'static [(&'static str, Self)] = &[("hold", Then::Hold)];
    const LATER: &'static [(&'static str, Code)] = &[("roll-back-all", Code::D156)];
}

impl Word for Interrupted {
    const WHAT: &'static str = "way on from a step that a stop interrupted";
    const WORDS: &'static [(&'static str, Self)] =
        &[("roll-back", Interrupted::RollBack), ("go-on", Interrupted::GoOn)];
}

impl Word for By {
    const WHAT: &'static str = "way to put nodes in order";
    const WORDS: &'static [(&'static str, Self)] =
        &[("name", By::Name), ("operator", By::Operator)];
}

impl Word for Priority {
    const WHAT: &'static str = "priority";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("must", Priority::Must),
        ("recommended", Priority::Recommended),
        ("not-required", Priority::NotRequired),
    ];
}

impl Word for Unchanged {
    const WHAT: &'static str = "change";
    const WORDS: &'static [(&'static str, Self)] = &[("unchanged", Unchanged)];
}

impl Word for Role {
    const WHAT: &'static str = "node role";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("consensus-delegate", Role::ConsensusDelegate),
        ("delegate", Role::Delegate),
        ("candidate", Role::Candidate),
        ("full-node", Role::FullNode),
        ("api", Role::Api),
        ("archive", Role::Archive),
    ];
}

/// The word for `value`.
pub fn word<T: Word + PartialEq>(value: T) -> &'static str {
    T::WORDS.iter().find(|(_, known)| *known == value).map_or("?", |(word, _)| word)
}
