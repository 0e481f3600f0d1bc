//! What lint and freeze may know: the verified documents, and what evidence says of the nodes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_proto::documents::author::Known;
use muster_proto::documents::ids::Counter;
use muster_proto::documents::{NodeName, PlanId};
use muster_proto::trust::Trust;

use super::failure::Failure;
use super::watch::look;
use super::watcher::Watcher;
use crate::view::rollout::Trend;
use crate::view::standing::{Measure, Standing, median, standing};

/// Collects it.
///
/// # Errors
/// `U013` when no roster is known.
pub fn known(watcher: &Watcher) -> Result<Known, Failure> {
    let now = watcher.trust.now(Timestamp::now());
    let trust = &watcher.trust;
    let releases = trust.releases();
    let floors = [Counter::Ordinary, Counter::Emergency].into_iter();
    let floors = floors.filter_map(|counter| Some((counter, trust.serial_floor(counter)?)));
    Ok(Known {
        releases: releases.map(|(version, it)| (version.to_owned(), it.clone())).collect(),
        plans: watcher.plans().clone(),
        over: over(watcher)?,
        floors: floors.collect(),
        expiries: trust.expiries(),
        doubtful: doubtful(watcher, now)?,
        versions: versions(watcher),
        ..Known::new(watcher.roster()?.clone(), now)
    })
}

/// The newest serial of a counter that was ever published; 0 before the first.
pub fn newest(trust: &Trust, counter: Counter) -> u64 {
    let serials = trust.plans().keys().filter(|id| id.class.counter() == counter);
    let newest = serials.map(|id| id.serial).max().unwrap_or(0);
    newest.max(trust.serial_floor(counter).unwrap_or(0))
}

/// Plans that are over, by the evidence.
fn over(watcher: &Watcher) -> Result<BTreeSet<PlanId>, Failure> {
    let mut over = BTreeSet::new();
    for id in watcher.plans().keys() {
        let rollout = look(watcher, id, &mut Trend::default())?;
        if rollout.state.is_over() && rollout.settled() {
            over.insert(id.clone());
        }
    }
    Ok(over)
}

/// Nodes that are not well now. Without any evidence nobody is doubted.
fn doubtful(watcher: &Watcher, now: Timestamp) -> Result<BTreeMap<NodeName, String>, Failure> {
    let evidence = watcher.book.evidence();
    if watcher.told.heard().is_none() {
        return Ok(BTreeMap::new());
    }
    let median = median(evidence, Measure::USUAL, now);
    let judge = |node: &muster_proto::documents::roster::Node| {
        let standing = standing(node, evidence, Measure::USUAL, median, now);
        let fine = matches!(standing, Standing::Well | Standing::NoAgent);
        (!fine).then(|| (node.name.clone(), standing.because()))
    };
    Ok(watcher.roster()?.nodes.iter().filter_map(judge).collect())
}

fn versions(watcher: &Watcher) -> BTreeMap<NodeName, String> {
    let all = watcher.book.evidence().nodes.iter();
    let said = all.filter_map(|(name, facts)| {
        Some((name.clone(), facts.beacon.as_ref()?.health.version.clone()?))
    });
    said.collect()
}
