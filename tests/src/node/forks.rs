//! Fork heights: under which rules a block is made. Pure.
//!
//! They are not in the genesis hash, so that nodes which disagree meet as equals until one of the heights comes.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::referee::wire::Basis;

/// The fork heights that a node goes by, by the keys of genesis `blockchain`, such as `yapHeight`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forks(BTreeMap<String, u64>);

impl Forks {
    /// What the version knows by itself, and what the genesis file names, which wins.
    pub fn new(built_in: &BTreeMap<String, u64>, named: &BTreeMap<String, u64>) -> Self {
        let all = built_in.iter().chain(named);
        Self(all.map(|(key, height)| (key.clone(), *height)).collect())
    }

    /// The forks in force at a height, `wake,yap`; empty before the first.
    pub fn rules(&self, height: u64) -> String {
        let active = self.0.iter().filter(|(_, at)| **at <= height);
        let names: Vec<&str> = active.map(|(key, _)| key.trim_end_matches("Height")).collect();
        names.join(",")
    }

    /// What this node builds the block at `height` on, its tip being `tip`.
    pub fn basis(&self, tip: &str, height: u64) -> Basis {
        Basis { previous: tip.to_owned(), rules: self.rules(height) }
    }
}

/// Why a block at `height` that is built on `theirs` is refused by who would build on `ours`: it follows another
/// block, or was made under other rules than this node computes it by.
pub fn objection(height: u64, ours: &Basis, theirs: &Basis) -> Option<String> {
    if ours.previous != theirs.previous {
        let (theirs, ours) = (&theirs.previous, &ours.previous);
        return Some(format!("wrong prev hash {theirs}, expecting {ours}: invalid block"));
    }
    let (block, own) = (digest(height, &theirs.rules), digest(height, &ours.rules));
    (block != own).then(|| {
        format!(
            "failed to validate block with workingset in statedb: digest in block '{block}' vs digest in \
             workingset '{own}' at height {height}: delta state digest doesn't match"
        )
    })
}

/// Stands for the digest of the state that a block of these rules leads to.
fn digest(height: u64, rules: &str) -> String {
    hex::encode(Sha256::digest(format!("{height}/{rules}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heights(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
        all.iter().map(|(key, height)| ((*key).to_owned(), *height)).collect()
    }

    #[test]
    fn the_genesis_file_wins_over_what_the_version_knows() {
        let forks = Forks::new(&heights(&[("yapHeight", 900_000)]), &heights(&[("wakeHeight", 1)]));
        assert_eq!((forks.rules(0), forks.rules(70)), (String::new(), "wake".into()));
        assert_eq!(forks.rules(900_000), "wake,yap");
        let named = heights(&[("wakeHeight", 1), ("yapHeight", 70)]);
        let forks = Forks::new(&heights(&[("yapHeight", 900_000)]), &named);
        assert_eq!((forks.rules(69), forks.rules(70)), ("wake".into(), "wake,yap".into()));
    }

    #[test]
    fn who_lacks_a_fork_objects_from_its_height_on_and_not_before() {
        let with = Forks::new(&BTreeMap::new(), &heights(&[("yapHeight", 70)]));
        let without = Forks::default();
        let at = |height| objection(height, &without.basis("a", height), &with.basis("a", height));
        assert_eq!(at(69), None);
        let why = at(70).unwrap();
        assert!(why.ends_with("at height 70: delta state digest doesn't match"), "{why}");
        assert!(objection(70, &with.basis("a", 70), &without.basis("a", 70)).is_some());
    }

    #[test]
    fn who_has_another_tip_objects_whatever_the_rules() {
        let forks = Forks::default();
        let why = objection(7, &forks.basis("a", 7), &forks.basis("b", 7)).unwrap();
        assert_eq!(why, "wrong prev hash b, expecting a: invalid block");
    }
}
